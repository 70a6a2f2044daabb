// `npm run bench -- http [--seconds N] [--rounds N] [--warmup N] [--only NAME,…] [--app NAME] [--json FILE]`
// `npm run bench -- sandbox [--cycles N] [--json FILE]`
// `npm run bench -- calls [--rounds N] [--only NAME,…] [--json FILE]`
// `npm run bench -- load [--rounds N] [--only NAME,…] [--json FILE]`
// `npm run bench -- tenants [--apps N] [--requests N] [--json FILE]`
// `npm run bench -- metering [--milliseconds N] [--only NAME,…] [--json FILE]`
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { benchCalls } from "./calls.ts";
import { renderCalls } from "./calls-report.ts";
import { benchHttp, PEER_NAMES, WORKLOAD_NAMES } from "./http.ts";
import { renderHttp } from "./report.ts";
import { benchLoading } from "./loading.ts";
import { renderLoading } from "./loading-report.ts";
import { benchMetering, findPython } from "./metering.ts";
import { renderMetering } from "./metering-report.ts";
import { benchSandbox, soakSandboxes } from "./sandbox.ts";
import { renderSandbox } from "./sandbox-report.ts";
import { benchTenants } from "./tenants.ts";
import { renderTenants } from "./tenants-report.ts";

const USAGE = `Usage: npm run bench -- http|sandbox|tenants|calls|load|metering [options]

http: servers under load
  --seconds N     length of a round (default 3)
  --rounds N      rounds, of which the medians are shown (default 5)
  --warmup N      seconds of load before the first round, at most: until three bring no 5 % more (default 15)
  --only A,B      these servers only: ${PEER_NAMES.join(", ")}
  --app NAME      this app only: ${WORKLOAD_NAMES.join(", ")}
sandbox: what making a sandbox ready and putting it back takes
  --cycles N      requests that are measured, after as many that are not (default 10000)
  --soak N        instead: N sandboxes one after the other, and what memory does meanwhile; fails when it grows by more than 2 %
tenants: many JavaScript apps that share their code, requests at random; fails at a wrong answer
  --apps N        how many (default 200)
  --requests N    of each round (default 1000)
calls: what a call between JavaScript and a component takes
  --rounds N      rounds, of which the medians are shown (default 5)
  --only A,B      cases with one of these in their names only
load: what it takes from the bytes of a component to what can be instantiated, each time in a new process
  --rounds N      rounds, of which the medians are shown (default 5)
  --only A,B      components with one of these in their names only
metering: what it costs to be able to stop a guest
  --milliseconds N  how long each variant of each program is measured (default 1000)
  --processes N   how many processes of each program count, at least (default 7)
  --only A,B      programs with one of these in their names only
  --into FILE     keep what each process has found there; what is kept is not measured again
  SKERRY_BENCH_PYTHON  a Python with the package wasmtime, to be compared with
all:
  --json FILE     write the figures there, too
`;

/** Seconds and rounds are bounded: a benchmark is no endurance test. */
const MAX_NUMBER = 60;
const MAX_CYCLES = 1_000_000;
/** What garbage is left over makes of it by itself. */
const SOAK_SPREAD_PERCENT = 2;
const MAX_MILLISECONDS = 60_000;
/** Of these, 20 are there before it is measured what one more takes. */
const MIN_APPS = 25;
const MAX_APPS = 10_000;

function usage(message: string): never {
	process.stderr.write(`${message}\n\n${USAGE}`);
	process.exit(64);
}

function toNumber(name: string, text: string, maximum = MAX_NUMBER): number {
	const value = Number(text);
	if (!Number.isInteger(value) || value < 1 || value > maximum) {
		usage(`--${name} is a whole number from 1 to ${maximum}, not ${JSON.stringify(text)}`);
	}
	return value;
}

function parse(args: string[]): {
	positionals: string[];
	values: Record<
		"seconds" | "rounds" | "warmup" | "cycles" | "milliseconds" | "processes" | "apps" | "requests",
		string
	> & {
		only?: string;
		app?: string;
		json?: string;
		soak?: string;
		into?: string;
		help: boolean;
	};
} {
	try {
		return parseArgs({
			args,
			allowPositionals: true,
			options: {
				seconds: { type: "string", default: "3" },
				rounds: { type: "string", default: "5" },
				warmup: { type: "string", default: "15" },
				cycles: { type: "string", default: "10000" },
				soak: { type: "string" },
				apps: { type: "string", default: "200" },
				requests: { type: "string", default: "1000" },
				milliseconds: { type: "string", default: "1000" },
				processes: { type: "string", default: "7" },
				into: { type: "string" },
				only: { type: "string" },
				app: { type: "string" },
				json: { type: "string" },
				help: { type: "boolean", default: false, short: "h" },
			},
		});
	} catch (error) {
		return usage((error as Error).message);
	}
}

const args = process.argv.slice(2);
const { positionals, values } = parse(args);
if (values.help) {
	process.stdout.write(USAGE);
	process.exit(0);
}
const [what] = positionals;
const KINDS: readonly (string | undefined)[] = ["http", "sandbox", "tenants", "calls", "load", "metering"];
if (positionals.length !== 1 || !KINDS.includes(what)) usage(`Say what to measure: ${KINDS.join(", ")}`);
const only = what === "http" ? values.only?.split(",") : undefined;
const unknown = only?.find((name) => !PEER_NAMES.includes(name));
if (unknown !== undefined) usage(`There is no server ${JSON.stringify(unknown)}`);
if (values.app !== undefined && !WORKLOAD_NAMES.includes(values.app))
	usage(`There is no app ${JSON.stringify(values.app)}`);

// The servers run in groups of their own, which a Ctrl-C does not reach; ending this way ends them.
const ended = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
	// `timeout` tells the process and then its group
	process.on(signal, () => (what === "metering" ? ended.abort() : process.exit(130)));
}

const common = {
	command: `npm run bench -- ${args.join(" ")}`,
	onProgress: (line: string) => void process.stderr.write(`${line}\n`),
};
const print = (text: string, report: object): void => {
	process.stdout.write(`\n${text}\n`);
	if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, "\t")}\n`);
};
if (what === "http") {
	const report = await benchHttp({
		seconds: toNumber("seconds", values.seconds),
		rounds: toNumber("rounds", values.rounds),
		warmupSeconds: toNumber("warmup", values.warmup),
		only,
		app: values.app,
		...common,
	});
	print(renderHttp(report), report);
	if (report.failed.length > 0 || report.results.some(({ failures }) => failures > 0)) process.exitCode = 1;
} else if (what === "metering") {
	const report = await benchMetering({
		milliseconds: toNumber("milliseconds", values.milliseconds, MAX_MILLISECONDS),
		processes: toNumber("processes", values.processes),
		only: values.only,
		python: findPython(),
		into: values.into,
		signal: ended.signal,
		...common,
	});
	print(renderMetering(report), report);
	if (report.failed.length > 0 || ended.signal.aborted) process.exitCode = 1;
} else if (what === "tenants") {
	const apps = toNumber("apps", values.apps, MAX_APPS);
	if (apps < MIN_APPS) usage(`--apps is at least ${MIN_APPS}`);
	const report = await benchTenants({ apps, requests: toNumber("requests", values.requests, MAX_CYCLES), ...common });
	print(renderTenants(report), report);
} else if (what === "load") {
	const rounds = toNumber("rounds", values.rounds);
	const report = await benchLoading({ rounds, only: values.only?.split(","), ...common });
	print(renderLoading(report), report);
} else if (what === "calls") {
	const wasmtime = process.env["SKERRY_BENCH_WASMTIME_CALLS"];
	const report = await benchCalls({
		rounds: toNumber("rounds", values.rounds),
		only: values.only,
		wasmtime,
		...common,
	});
	print(renderCalls(report), report);
} else if (values.soak !== undefined) {
	const results = await soakSandboxes(toNumber("soak", values.soak, 100 * MAX_CYCLES), common.onProgress);
	const lines = results.map(
		({ workload, cycles, requests, spreadPercent, created, discarded }) =>
			`${workload}: ${cycles} sandboxes, ${requests} requests, ${created} instances made, ${discarded} discarded; resident memory within ${spreadPercent.toFixed(2)} %`,
	);
	print(lines.join("\n"), results);
	if (results.some(({ spreadPercent }) => spreadPercent > SOAK_SPREAD_PERCENT)) process.exitCode = 1;
} else {
	const cycles = toNumber("cycles", values.cycles, MAX_CYCLES);
	const report = await benchSandbox({ cycles, warmup: cycles, ...common });
	print(renderSandbox(report), report);
}
