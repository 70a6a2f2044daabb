import type { Machine } from "./machine.ts";
import { bytes, figure, renderTable } from "./report.ts";
import type { Quantiles } from "./statistics.ts";

/** What `npm run bench -- tenants --json` writes; README.md says what each number means. Times in milliseconds. */
export interface TenantsReport {
	readonly schema: "skerry-bench-tenants/1";
	readonly date: string;
	readonly command: string;
	readonly commit: string | null;
	readonly machine: Machine;
	readonly pinned: boolean;
	readonly mapper: string;
	readonly apps: number;
	readonly sources: number;
	/** Of a round. */
	readonly requests: number;
	/** How often V8 was asked to compile a module, for the first app: as often as its component has modules. */
	readonly compilations: number;
	/** The same for all other apps together. */
	readonly furtherCompilations: number;
	/** To load an app and to serve its first request. */
	readonly addMs: Quantiles;
	/** What one more app takes on V8's heap and in array buffers; and of resident memory. */
	readonly bytesPerApp: number;
	readonly rssPerApp: number;
	/** Instances in the end. */
	readonly instances: number;
	/** How often one went from one app to another. */
	readonly switched: number;
	/** Share of the requests of all at random that found a slot which had served their app last. */
	readonly hitRate: number;
	/** Putting a slot back and into the state of another app. */
	readonly switching: Quantiles;
	readonly requestsPerSecond: { readonly alone: number; readonly all: number };
	/** Requests per second of all over those of one app alone: the median of rounds. */
	readonly ratio: number;
	/** The first request of an app that is added while others are served, over the median of its later ones. */
	readonly firstOverLater: number;
	/** Answers that were checked, all of them. */
	readonly answers: number;
}

interface Goal {
	readonly what: string;
	readonly is: string;
	readonly goal: string;
	readonly met: boolean;
}

/** What was measured, beside what it is to be. */
export function tenantGoals(report: TenantsReport): Goal[] {
	const { bytesPerApp, firstOverLater, furtherCompilations, ratio, rssPerApp, switching } = report;
	const { alone, all } = report.requestsPerSecond;
	return [
		{
			what: "compilations for further apps",
			is: `${furtherCompilations}`,
			goal: "0",
			met: furtherCompilations === 0,
		},
		{
			what: "memory per further app (resident)",
			is: `${bytes(bytesPerApp)} (${bytes(rssPerApp)})`,
			goal: "≤ 0.5 MB",
			met: Math.max(bytesPerApp, rssPerApp) <= 500_000,
		},
		{
			what: "switch and reset, median (p99)",
			is: `${figure(switching.median * 1000)} (${figure(switching.p99 * 1000)}) µs`,
			goal: "≤ 40 µs",
			met: switching.median <= 0.04,
		},
		{
			what: "throughput of all over one alone",
			is: `${ratio.toFixed(2)} (${figure(all)} / ${figure(alone)} per second)`,
			goal: "≥ 0.6",
			met: ratio >= 0.6,
		},
		{
			what: "first request of an added app over later ones",
			is: firstOverLater.toFixed(2),
			goal: "≤ 2",
			met: firstOverLater <= 2,
		},
	];
}

export function renderTenants(report: TenantsReport): string {
	const { addMs, answers, apps, compilations, hitRate, instances, machine, mapper, pinned, requests } = report;
	const { sources, switched } = report;
	const rows = tenantGoals(report).map(({ what, is, goal, met }) => [what, is, goal, met ? "yes" : "no"]);
	return [
		`${machine.cpu}, ${machine.cores} cores, ${bytes(machine.memoryBytes)}, ${machine.system}, load average ${figure(machine.loadAverage)} before`,
		`${apps} JavaScript apps of ${sources} sources, rounds of ${requests} requests one at a time${pinned ? " on one core" : ", NOT PINNED"}; written pages: ${mapper}`,
		`${compilations} modules compiled for the first app; ${instances} instances in the end, ${switched} switches, ${answers} answers checked; of requests at random, ${(hitRate * 100).toFixed(0)} % found a slot of their own app; adding an app ${figure(addMs.median)} ms`,
		"",
		...renderTable(["what", "is", "goal", "met"], rows),
	].join("\n");
}
