import type { Machine } from "./machine.ts";
import { bytes, figure, renderTable } from "./report.ts";

/** The first is the module as it is. */
export const VARIANTS = ["off", "trap", "yield", "fuel"] as const;
export type MeteringVariant = (typeof VARIANTS)[number];

export interface MeteringResult {
	readonly program: string;
	/** How many turns all variants have had. */
	readonly rounds: number;
	/** The shortest round of each variant. */
	readonly milliseconds: Readonly<Record<MeteringVariant, number>>;
	/** Size of each variant's binary. */
	readonly bytes: Readonly<Record<MeteringVariant, number>>;
	/** The shortest rounds of the same program on Wasmtime; `null` where that was not measured. */
	readonly wasmtime: { readonly off: number; readonly epochs: number; readonly fuel: number } | null;
}

/** What `npm run bench -- metering --json` writes; README.md says what each number means. */
export interface MeteringReport {
	readonly schema: "skerry-bench-metering/1";
	readonly date: string;
	readonly command: string;
	readonly commit: string | null;
	readonly machine: Machine;
	/** Of measuring each variant of each program. */
	readonly milliseconds: number;
	readonly results: readonly MeteringResult[];
	readonly failed: readonly { readonly program: string; readonly reason: string }[];
}

/** The geometric mean; NaN of nothing. */
export function geomean(values: readonly number[]): number {
	return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** What another pass has found added to what those before it have: of each the shortest. */
export function join(before: MeteringResult | undefined, found: MeteringResult): MeteringResult {
	if (before === undefined) return found;
	return {
		...found,
		rounds: before.rounds + found.rounds,
		milliseconds: shorter(before.milliseconds, found.milliseconds),
		wasmtime: before.wasmtime === null || found.wasmtime === null ? null : shorter(before.wasmtime, found.wasmtime),
	};
}

function shorter<K extends string>(
	one: Readonly<Record<K, number>>,
	other: Readonly<Record<K, number>>,
): Record<K, number> {
	const names = Object.keys(one) as K[];
	return Object.fromEntries(names.map((name) => [name, Math.min(one[name], other[name])])) as Record<K, number>;
}

const HEAD = [
	"program",
	"rounds",
	"off ms",
	"trap",
	"yield",
	"fuel",
	"yield ÷ epochs",
	"fuel ÷ fuel",
	"size trap",
	"yield",
	"fuel",
];

/** The report as a person reads it: times as multiples of the untouched module's, and of Wasmtime's with the like. */
export function renderMetering({ machine, milliseconds, results, failed }: MeteringReport): string {
	const columns = results.map(ratiosOf);
	const rows = results.map((result, i) => [
		result.program,
		`${result.rounds}`,
		figure(result.milliseconds.off),
		...(columns[i] ?? []).map(ratio),
		...(["trap", "yield", "fuel"] as const).map((name) => ratio(result.bytes[name] / result.bytes.off)),
	]);
	const summary = (title: string, of: (values: readonly number[]) => number): string[] => [
		title,
		"",
		"",
		...[0, 1, 2, 3, 4].map((i) => {
			const values = columns.map((column) => column[i] ?? Number.NaN).filter((value) => !Number.isNaN(value));
			return values.length === 0 ? "–" : ratio(of(values));
		}),
		"",
		"",
		"",
	];
	return [
		`${machine.cpu}, ${machine.cores} cores, ${bytes(machine.memoryBytes)}, ${machine.system}, load average ${figure(machine.loadAverage)} before`,
		`shortest of many rounds, variants in turns, ${milliseconds} ms each, in several processes; times as multiples of the same program without metering`,
		"",
		...renderTable(HEAD, [
			...rows,
			summary("geometric mean", geomean),
			summary("worst", (values) => Math.max(...values)),
		]),
		...failed.map(({ program, reason }) => `failed: ${program}: ${reason}`),
	].join("\n");
}

function ratiosOf({ milliseconds: { off, ...metered }, wasmtime }: MeteringResult): readonly number[] {
	return [
		metered.trap / off,
		metered.yield / off,
		metered.fuel / off,
		wasmtime === null ? Number.NaN : metered.yield / wasmtime.epochs,
		wasmtime === null ? Number.NaN : metered.fuel / wasmtime.fuel,
	];
}

function ratio(value: number): string {
	return Number.isNaN(value) ? "–" : value.toFixed(3);
}
