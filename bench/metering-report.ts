import type { Machine } from "./machine.ts";
import { stillAlone } from "./own-core.ts";
import { bytes, figure, renderTable } from "./report.ts";
import { median } from "./statistics.ts";

/** The first is the module as it is, the second the same once more: what their ratio differs from 1 is what the yardstick is worth. */
export const VARIANTS = ["off", "again", "trap", "yield", "fuel"] as const;
export type MeteringVariant = (typeof VARIANTS)[number];
/** What is compared with the module as it is. */
export const COMPARED = ["again", "trap", "yield", "fuel"] as const;
export type ComparedVariant = (typeof COMPARED)[number];

/** What one process has found out about a program. */
export interface MeteringPass {
	/** The shortest run of each variant. */
	readonly milliseconds: Readonly<Record<MeteringVariant, number>>;
	/** Size of each variant's binary. */
	readonly bytes: Readonly<Record<MeteringVariant, number>>;
	/** How many turns all variants have had. */
	readonly rounds: number;
	/** In how many runs that count each variant had the core for itself, at least; 0: one had never. */
	readonly undisturbed: number;
	/** The quickest reading of the core's probe until then, in milliseconds. */
	readonly best: number;
}

/** The shortest runs of the same program on Wasmtime. */
export interface WasmtimePass {
	readonly off: number;
	readonly epochs: number;
	readonly fuel: number;
}

/** A line of what `--into` keeps. */
export interface MeteringEntry extends MeteringPass {
	readonly program: string;
	readonly wasmtime: WasmtimePass | null;
}

export interface Ratio {
	readonly value: number;
	/** Standard error, as the processes differ. */
	readonly error: number;
}

export interface MeteringResult {
	readonly program: string;
	/** Processes that count; those in which each variant had the core for itself, if there are such. */
	readonly processes: number;
	/** Processes that do not. */
	readonly disturbed: number;
	/** Of the processes' figures the middle. */
	readonly milliseconds: Readonly<Record<MeteringVariant, number>>;
	/** The shortest of all processes. */
	readonly shortest: Readonly<Record<MeteringVariant, number>>;
	/** Multiples of the module as it is. */
	readonly ratios: Readonly<Record<ComparedVariant, Ratio>>;
	readonly bytes: Readonly<Record<MeteringVariant, number>>;
	/** The shortest of all processes; `null` where that was not measured. */
	readonly wasmtime: WasmtimePass | null;
}

/** What `npm run bench -- metering --json` writes; README.md says what each number means. */
export interface MeteringReport {
	readonly schema: "skerry-bench-metering/2";
	readonly date: string;
	readonly command: string;
	readonly commit: string | null;
	readonly machine: Machine;
	/** Of measuring each variant of each program, in all processes. */
	readonly milliseconds: number;
	readonly results: readonly MeteringResult[];
	readonly failed: readonly { readonly program: string; readonly reason: string }[];
}

/** The geometric mean; NaN of nothing. */
export function geomean(values: readonly number[]): number {
	return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/**
 * What several processes have found, put together.
 * @param entries those of one program, at least one
 * @param best the quickest reading of the core's probe of all processes: those that knew only a slower one took shared cores for their own
 */
export function summarize(entries: readonly MeteringEntry[], best: number): MeteringResult {
	const own = entries.filter((entry) => entry.undisturbed > 0 && stillAlone(entry.best, best));
	const counted = own.length > 0 ? own : entries;
	const [{ program, bytes }] = counted as [MeteringEntry];
	const wasmtime = entries.flatMap((entry) => entry.wasmtime ?? []);
	return {
		program,
		processes: counted.length,
		disturbed: entries.length - own.length,
		milliseconds: pick(VARIANTS, (name) => median(counted.map(({ milliseconds }) => milliseconds[name]))),
		shortest: pick(VARIANTS, (name) => Math.min(...counted.map(({ milliseconds }) => milliseconds[name]))),
		ratios: pick(COMPARED, (name) => ratioOf(counted, name)),
		bytes,
		wasmtime:
			wasmtime.length === 0
				? null
				: pick(["off", "epochs", "fuel"], (name) => Math.min(...wasmtime.map((pass) => pass[name]))),
	};
}

function ratioOf(entries: readonly MeteringEntry[], name: ComparedVariant): Ratio {
	const logs = entries.map(({ milliseconds }) => Math.log(milliseconds[name] / baseOf(milliseconds, name)));
	const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length;
	const variance = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (logs.length - 1);
	return { value: Math.exp(mean), error: Math.sqrt(variance / logs.length) };
}

/** What is metered is compared with both runs of the untouched module. */
function baseOf({ off, again }: MeteringEntry["milliseconds"], name: ComparedVariant): number {
	return name === "again" ? off : geomean([off, again]);
}

function pick<K extends string, V>(names: readonly K[], of: (name: K) => V): Record<K, V> {
	return Object.fromEntries(names.map((name) => [name, of(name)])) as Record<K, V>;
}

const HEAD = [
	"program",
	"processes",
	"off ms",
	"off ÷ off",
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
	const rows = results.map((result) => [
		result.program,
		`${result.processes}${result.disturbed === 0 ? "" : ` (${result.disturbed} not)`}`,
		figure(result.milliseconds.off),
		...COMPARED.map((name) => withError(result.ratios[name])),
		...overWasmtime(result).map(ratio),
		...(["trap", "yield", "fuel"] as const).map((name) => ratio(result.bytes[name] / result.bytes.off)),
	]);
	const wasmtime = results.map(overWasmtime).filter(([value]) => !Number.isNaN(value));
	const summary = (title: string, cells: readonly string[], of: (values: readonly number[]) => number): string[] => [
		title,
		"",
		"",
		...cells,
		...[0, 1].map((i) => ratio(wasmtime.length === 0 ? Number.NaN : of(wasmtime.map((pair) => pair[i] as number)))),
		"",
		"",
		"",
	];
	const largest = (values: readonly number[]): number => (values.length === 0 ? Number.NaN : Math.max(...values));
	return [
		`${machine.cpu}, ${machine.cores} cores, ${bytes(machine.memoryBytes)}, ${machine.system}, load average ${figure(machine.loadAverage)} before`,
		`variants in turns, ${milliseconds} ms each, in several processes; times as multiples of the same program without metering ± standard error in thousandths`,
		"",
		...renderTable(HEAD, [
			...rows,
			summary(
				"geometric mean",
				COMPARED.map((name) => withError(geomeanOf(results.map(({ ratios }) => ratios[name])))),
				geomean,
			),
			summary(
				"of the shortest",
				COMPARED.map((name) => ratio(geomean(results.map(({ shortest }) => shortest[name] / shortest.off)))),
				() => Number.NaN,
			),
			summary(
				"worst",
				COMPARED.map((name) => ratio(largest(results.map(({ ratios }) => ratios[name].value)))),
				largest,
			),
		]),
		...failed.map(({ program, reason }) => `failed: ${program}: ${reason}`),
	].join("\n");
}

/** Of ratios that were measured independently. */
function geomeanOf(ratios: readonly Ratio[]): Ratio {
	return {
		value: geomean(ratios.map(({ value }) => value)),
		error: Math.hypot(...ratios.map(({ error }) => error)) / ratios.length,
	};
}

function overWasmtime({ milliseconds, wasmtime }: MeteringResult): readonly [number, number] {
	if (wasmtime === null) return [Number.NaN, Number.NaN];
	return [milliseconds.yield / wasmtime.epochs, milliseconds.fuel / wasmtime.fuel];
}

function withError({ value, error }: Ratio): string {
	return Number.isNaN(error) ? ratio(value) : `${ratio(value)} ±${(error * 1000).toFixed(0)}`;
}

function ratio(value: number): string {
	return Number.isNaN(value) ? "–" : value.toFixed(3);
}
