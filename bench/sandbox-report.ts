import type { Machine } from "./machine.ts";
import { bytes, figure, renderTable } from "./report.ts";
import type { Quantiles } from "./statistics.ts";

/** One workload; times in milliseconds. */
export interface SandboxResult {
	readonly workload: string;
	/** Of all memories of the component. */
	readonly imageBytes: number;
	/** From asking for a sandbox to having it. */
	readonly ready: Quantiles;
	/** The call in it: guest, host functions and the turn of the event loop in which it runs. */
	readonly request: Quantiles;
	/** From ending the sandbox to its being ready for another call: everything that was written is put back. */
	readonly release: Quantiles;
	readonly whole: Quantiles;
	/** The same two without a request between them. */
	readonly idleReady: Quantiles;
	readonly idleRelease: Quantiles;
	/** A new instance of the component instead. */
	readonly fresh: Quantiles;
	/** Bytes that a request's reset wrote; `null` where nothing is reset. */
	readonly restoredBytes: number | null;
	/** Instances that were made for all cycles. */
	readonly created: number;
	/** Why nothing is reset, if so. */
	readonly freshBecause: string | null;
	/** Resident memory of an idle warm sandbox. */
	readonly rssPerSandbox: number;
}

/** What `npm run bench -- sandbox --json` writes; README.md says what each number means. */
export interface SandboxReport {
	readonly schema: "skerry-bench-sandbox/1";
	readonly date: string;
	readonly command: string;
	readonly commit: string | null;
	readonly machine: Machine;
	/** Whether the process had one core. */
	readonly pinned: boolean;
	/** How written pages are found, or why they cannot be. */
	readonly mapper: string;
	readonly cycles: number;
	readonly warmup: number;
	readonly results: readonly SandboxResult[];
}

const HEAD = [
	"workload",
	"memory",
	"ready",
	"release",
	"request",
	"whole cycle",
	"empty cycle",
	"new instance",
	"put back",
	"RSS idle",
	"in 4 GiB",
];

/** The report as a person reads it: medians and 99th percentiles in microseconds. */
export function renderSandbox(report: SandboxReport): string {
	const { machine, cycles, warmup, pinned, mapper } = report;
	const rows = report.results.map((result) => [
		result.workload,
		bytes(result.imageBytes),
		micros(result.ready),
		micros(result.release),
		micros(result.request),
		micros(result.whole),
		figure((result.idleReady.median + result.idleRelease.median) * 1000),
		micros(result.fresh),
		result.restoredBytes === null ? `– (${result.freshBecause ?? ""})` : bytes(result.restoredBytes),
		bytes(result.rssPerSandbox),
		sandboxesIn(4 * 2 ** 30, result.rssPerSandbox),
	]);
	return [
		`${machine.cpu}, ${machine.cores} cores, ${bytes(machine.memoryBytes)}, ${machine.system}, load average ${figure(machine.loadAverage)} before`,
		`median / 99th percentile in µs of ${cycles} cycles after ${warmup}, one at a time${pinned ? " on one core" : ", NOT PINNED"}; written pages: ${mapper}`,
		"",
		...renderTable(HEAD, rows),
	].join("\n");
}

/** V8 keeps at most so many memories: each has 8 to 10 GiB of address space. */
const MOST_SANDBOXES = 16_000;

function sandboxesIn(room: number, each: number): string {
	const count = Math.floor(room / each);
	return each <= 0 || count > MOST_SANDBOXES ? `> ${MOST_SANDBOXES}` : `${count}`;
}

function micros({ median, p99 }: Quantiles): string {
	return `${figure(median * 1000)} / ${figure(p99 * 1000)}`;
}
