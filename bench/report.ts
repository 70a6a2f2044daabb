import type { Machine } from "./machine.ts";
import type { Spread } from "./statistics.ts";
import { RISE, type WarmUp } from "./warm-up.ts";

export interface AbsentPeer {
	readonly peer: string;
	readonly install: string;
}

export interface FailedPeer {
	readonly workload: string;
	readonly peer: string;
	readonly reason: string;
}

/** One peer on one workload. */
export interface HttpResult {
	readonly workload: string;
	readonly peer: string;
	readonly requestsPerSecond: Spread;
	readonly p50Ms: Spread;
	readonly p99Ms: Spread;
	/** In all rounds. */
	readonly requests: number;
	readonly failures: number;
	/** Of the core, for processes that are not the server's; null when not pinned. */
	readonly othersPercent: Spread | null;
	readonly startMs: number;
	readonly warmUp: WarmUp;
	readonly peakRssBytes: number | null;
	readonly rssBytes: number | null;
	/** Skerry's median requests per second divided by this peer's. */
	readonly skerryRatio: number | null;
}

/** What `npm run bench -- http --json` writes; README.md says what each number means. */
export interface HttpReport {
	readonly schema: "skerry-bench-http/2";
	readonly date: string;
	readonly command: string;
	readonly commit: string | null;
	readonly machine: Machine;
	readonly load: {
		readonly tool: string;
		readonly version: string;
		readonly connections: number;
		readonly seconds: number;
		readonly rounds: number;
		readonly warmupSeconds: number;
	};
	readonly cores: { readonly server: number; readonly load: number } | null;
	/** Whether the system was told to let servers and load come before others. */
	readonly first: boolean;
	readonly peers: readonly { readonly peer: string; readonly version: string; readonly isolation: string }[];
	readonly absent: readonly AbsentPeer[];
	readonly failed: readonly FailedPeer[];
	readonly results: readonly HttpResult[];
}

/** The report as a person reads it. */
export function renderHttp(report: HttpReport): string {
	const { machine, load, cores, first } = report;
	const lines = [
		`${machine.cpu}, ${machine.cores} cores, ${bytes(machine.memoryBytes)}, ${machine.system}, load average ${figure(machine.loadAverage)} before`,
		`${load.tool} ${load.version}: ${load.connections} connections, medians of ${load.rounds} rounds of ${load.seconds} s, warm-up of ${load.warmupSeconds} s at most; ` +
			(cores === null
				? "NOT PINNED: server and load share cores"
				: `server on core ${cores.server}, load on core ${cores.load}`) +
			(first ? ", before others" : ", LIKE OTHERS that want them"),
	];
	for (const workload of new Set(report.results.map(({ workload }) => workload))) {
		const rows = report.results.filter((result) => result.workload === workload);
		lines.push(
			"",
			workload,
			...renderTable(
				HEAD,
				rows.map((row) => cells(row, report)),
			),
		);
	}
	if (report.failed.length > 0) lines.push("", "Failed:");
	for (const { workload, peer, reason } of report.failed) lines.push(`  ${peer} on ${workload}: ${reason}`);
	if (report.absent.length > 0) lines.push("", "Absent:");
	for (const { peer, install } of report.absent) lines.push(`  ${peer}: ${install}`);
	return lines.join("\n");
}

const HEAD = [
	"server",
	"per request",
	"req/s",
	"(min–max)",
	"p50 ms",
	"p99 ms",
	"others %",
	"peak RSS",
	"start",
	"1st second",
	"warm after",
	"failures",
	"skerry ÷ it",
];

function cells(result: HttpResult, report: HttpReport): string[] {
	const { requestsPerSecond: rate, p50Ms, p99Ms, othersPercent, peakRssBytes, skerryRatio, warmUp } = result;
	const peer = report.peers.find(({ peer }) => peer === result.peer);
	return [
		`${result.peer} ${peer?.version ?? ""}`,
		peer?.isolation ?? "",
		figure(rate.median),
		`${figure(rate.min)}–${figure(rate.max)}`,
		figure(p50Ms.median),
		figure(p99Ms.median),
		othersPercent === null ? "–" : othersPercent.max.toFixed(0),
		peakRssBytes === null ? "–" : bytes(peakRssBytes),
		`${figure(result.startMs / 1000)} s`,
		figure(warmUp.rates[0] ?? Number.NaN),
		`${warmUp.settled ? "" : "> "}${secondsUntilWarm(warmUp)} s`,
		`${result.failures}`,
		skerryRatio === null ? "–" : `${figure(skerryRatio)}×`,
	];
}

/** Seconds of load until the first of those that are as quick as any, within what counts as a rise. */
function secondsUntilWarm({ rates }: WarmUp): number {
	const best = Math.max(...rates);
	return rates.findIndex((rate) => rate * RISE >= best);
}

/** Three significant digits, whole from 100 on. */
export function figure(value: number): string {
	if (!Number.isFinite(value)) return "–";
	return Math.abs(value) >= 100 ? value.toFixed(0) : `${Number(value.toPrecision(3))}`;
}

export function bytes(value: number): string {
	return value >= 1e9 ? `${figure(value / 1e9)} GB` : `${figure(value / 1e6)} MB`;
}

/** Columns as wide as their widest cell; the first two, which are words, to the left. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
	const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
	return [head, ...rows].map((row) =>
		row
			.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
			.join("  ")
			.trimEnd(),
	);
}
