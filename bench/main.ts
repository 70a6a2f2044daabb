// `npm run bench -- http [--seconds N] [--rounds N] [--warmup N] [--only NAME,…] [--json FILE]`
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { benchHttp, PEER_NAMES } from "./http.ts";
import { renderHttp } from "./report.ts";

const USAGE = `Usage: npm run bench -- http [options]

  --seconds N     length of a round (default 3)
  --rounds N      rounds, of which the medians are shown (default 5)
  --warmup N      seconds of load before the first round (default 2)
  --only A,B      these servers only: ${PEER_NAMES.join(", ")}
  --json FILE     write the figures there, too
`;

/** Seconds and rounds are bounded: a benchmark is no endurance test. */
const MAX_NUMBER = 60;

function usage(message: string): never {
	process.stderr.write(`${message}\n\n${USAGE}`);
	process.exit(64);
}

function toNumber(name: string, text: string): number {
	const value = Number(text);
	if (!Number.isInteger(value) || value < 1 || value > MAX_NUMBER) {
		usage(`--${name} is a whole number from 1 to ${MAX_NUMBER}, not ${JSON.stringify(text)}`);
	}
	return value;
}

function parse(args: string[]): {
	positionals: string[];
	values: Record<"seconds" | "rounds" | "warmup", string> & { only?: string; json?: string; help: boolean };
} {
	try {
		return parseArgs({
			args,
			allowPositionals: true,
			options: {
				seconds: { type: "string", default: "3" },
				rounds: { type: "string", default: "5" },
				warmup: { type: "string", default: "2" },
				only: { type: "string" },
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
if (positionals.length !== 1 || positionals[0] !== "http") usage("Say what to measure: http");
const only = values.only?.split(",");
const unknown = only?.find((name) => !PEER_NAMES.includes(name));
if (unknown !== undefined) usage(`There is no server ${JSON.stringify(unknown)}`);

// The servers run in groups of their own, which a Ctrl-C does not reach; ending this way ends them.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const report = await benchHttp({
	seconds: toNumber("seconds", values.seconds),
	rounds: toNumber("rounds", values.rounds),
	warmupSeconds: toNumber("warmup", values.warmup),
	only,
	command: `npm run bench -- ${args.join(" ")}`,
	onProgress: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`\n${renderHttp(report)}\n`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, "\t")}\n`);
if (report.failed.length > 0 || report.results.some(({ failures }) => failures > 0)) process.exitCode = 1;
