import type { Machine } from "./machine.ts";
import { bytes, figure, renderTable } from "./report.ts";
import type { Spread } from "./statistics.ts";

/** How a component is loaded, in a process of its own: in stages, with and without the proof; whole; by jco. */
export type LoadingWay = "proven" | "unproven" | "uncached" | "cached" | "jco";

/** Of one component; milliseconds. */
export interface LoadingResult {
	readonly workload: string;
	readonly bytes: number;
	readonly decode: Spread;
	readonly validate: Spread;
	readonly rewrite: Spread;
	/** Rewriting with the proof, less rewriting without it, both medians. */
	readonly verify: number;
	readonly link: Spread;
	/** V8's part, lazily. */
	readonly compile: Spread;
	/** From the bytes to what can be instantiated, as `Engine.load` does it. */
	readonly uncached: Spread;
	readonly cached: Spread;
	/** `transpileBytes` of jco, once it has run before. */
	readonly jco: Spread;
}

/** What `npm run bench -- load --json` writes; README.md says what each number means. */
export interface LoadingReport {
	readonly schema: "skerry-bench-load/1";
	readonly date: string;
	readonly command: string;
	readonly commit: string | null;
	readonly machine: Machine;
	readonly rounds: number;
	readonly results: readonly LoadingResult[];
}

const HEAD = [
	"component",
	"size",
	"decode",
	"validate",
	"link",
	"sum",
	"jco",
	"sum of jco",
	"rewrite",
	"verify",
	"V8",
	"uncached",
	"cached",
];

/** Decoding, validating and linking: what jco's transpilation is compared with. */
export function ownPart({ decode, validate, link }: LoadingResult): number {
	return decode.median + validate.median + link.median;
}

/** The report as a person reads it. */
export function renderLoading({ machine, rounds, results }: LoadingReport): string {
	const rows = results.map((result) => {
		const { decode, validate, link, rewrite, verify, compile, uncached, cached, jco } = result;
		const own = ownPart(result);
		return [
			result.workload,
			bytes(result.bytes),
			...[decode.median, validate.median, link.median, own, jco.median].map(figure),
			`1/${figure(jco.median / own)}`,
			...[rewrite.median, verify, compile.median, uncached.median, cached.median].map(figure),
		];
	});
	return [
		`${machine.cpu}, ${machine.cores} cores, ${bytes(machine.memoryBytes)}, ${machine.system}, load average ${figure(machine.loadAverage)} before`,
		`ms, medians of ${rounds} processes each, in turns`,
		"",
		...renderTable(HEAD, rows),
	].join("\n");
}
