import type { Machine } from "./machine.ts";
import { bytes, figure, renderTable } from "./report.ts";

/** One case; medians of all rounds. */
export interface CallsResult {
	readonly name: string;
	/** Microseconds of one call; `null` where there is no such contender. */
	readonly micros: {
		readonly skerry: number;
		readonly hand: number | null;
		readonly jco: number | null;
		readonly wasmtime: number | null;
	};
	/** Bytes of V8's heap that one call allocates, without array buffers; `null` where it could not be told. */
	readonly bytes: { readonly skerry: number | null; readonly hand: number | null };
}

/** What `npm run bench -- calls --json` writes; README.md says what each number means. */
export interface CallsReport {
	readonly schema: "skerry-bench-calls/2";
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
	"wasmtime",
	"of by hand",
	"of jco",
	"of wasmtime",
	"allocates",
	"by hand",
];

/** The report as a person reads it: microseconds, and ratios of ours to the others. */
export function renderCalls({ machine, rounds, pinned, results }: CallsReport): string {
	const rows = results.map(({ name, micros, bytes: allocated }) => [
		name,
		micro(micros.skerry),
		micros.hand === null ? "–" : micro(micros.hand),
		micros.jco === null ? "–" : micro(micros.jco),
		micros.wasmtime === null ? "–" : micro(micros.wasmtime),
		micros.hand === null ? "–" : `${(micros.skerry / micros.hand).toFixed(2)}×`,
		micros.jco === null ? "–" : `1/${figure(micros.jco / micros.skerry)}`,
		micros.wasmtime === null ? "–" : `${(micros.skerry / micros.wasmtime).toFixed(2)}×`,
		size(allocated.skerry),
		size(allocated.hand),
	]);
	return [
		`${machine.cpu}, ${machine.cores} cores, ${bytes(machine.memoryBytes)}, ${machine.system}, load average ${figure(machine.loadAverage)} before`,
		`µs per call, medians of ${rounds} rounds in turns${pinned ? " on one core" : ", NOT PINNED"}`,
		"",
		...renderTable(HEAD, rows),
	].join("\n");
}

function micro(value: number): string {
	return value < 1 ? value.toFixed(4) : figure(value);
}

function size(value: number | null): string {
	return value === null ? "–" : `${Math.round(value)} B`;
}
