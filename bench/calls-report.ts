import type { Machine } from "./machine.ts";
import { bytes, figure, renderTable } from "./report.ts";

/** Microseconds of one call in Wasmtime, in each way of making it. */
export interface WasmtimeFigures {
	/** With types that Rust's compiler knows, and a guest that nobody can stop: the least that it can take. */
	readonly typed: number;
	/** The same with Wasmtime's configuration as it is by default, epochs, and a limit of memory. */
	readonly stoppable: number;
	/** As `stoppable`, with values whose types only the component tells. */
	readonly dynamic: number;
}

/** One case; medians of all rounds. */
export interface CallsResult {
	readonly name: string;
	/** Microseconds of one call; `null` where there is no such contender. */
	readonly micros: {
		readonly skerry: number;
		readonly hand: number | null;
		readonly jco: number | null;
	};
	/** `null` where Wasmtime has no part. */
	readonly wasmtime: WasmtimeFigures | null;
	/** Bytes of V8's heap that one call allocates, without array buffers; `null` where it could not be told. */
	readonly bytes: { readonly skerry: number | null; readonly hand: number | null };
}

/** What `npm run bench -- calls --json` writes; README.md says what each number means. */
export interface CallsReport {
	readonly schema: "skerry-bench-calls/4";
	readonly date: string;
	readonly command: string;
	readonly commit: string | null;
	readonly machine: Machine;
	/** Whether the process had one core. */
	readonly pinned: boolean;
	readonly rounds: number;
	readonly results: readonly CallsResult[];
}

const HEAD = [
	"case",
	"skerry",
	"by hand",
	"jco",
	"wasmtime typed",
	"stoppable",
	"dynamic",
	"of by hand",
	"of jco",
	"of typed",
	"of stoppable",
	"of dynamic",
	"allocates",
	"by hand",
];

/** The report as a person reads it: microseconds, and ratios of ours to the others. */
export function renderCalls({ machine, rounds, pinned, results }: CallsReport): string {
	const rows = results.map(({ name, micros, wasmtime, bytes: allocated }) => {
		const of = (other: number | null | undefined): string =>
			typeof other === "number" ? `${(micros.skerry / other).toFixed(2)}×` : NONE;
		const { typed, stoppable, dynamic } = wasmtime ?? {};
		return [
			name,
			...[micros.skerry, micros.hand, micros.jco, typed, stoppable, dynamic].map(micro),
			of(micros.hand),
			micros.jco === null ? NONE : `1/${figure(micros.jco / micros.skerry)}`,
			...[typed, stoppable, dynamic].map(of),
			size(allocated.skerry),
			size(allocated.hand),
		];
	});
	return [
		`${machine.cpu}, ${machine.cores} cores, ${bytes(machine.memoryBytes)}, ${machine.system}, load average ${figure(machine.loadAverage)} before`,
		`µs per call, medians of ${rounds} rounds in turns${pinned ? " on one core" : ", NOT PINNED"}`,
		"",
		...renderTable(HEAD, rows),
	].join("\n");
}

const NONE = "–";

function micro(value: number | null | undefined): string {
	if (typeof value !== "number") return NONE;
	return value < 1 ? value.toFixed(4) : figure(value);
}

function size(value: number | null): string {
	return value === null ? NONE : `${Math.round(value)} B`;
}
