import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { COMPARED, type MeteringEntry, type MeteringResult, summarize } from "./metering-report.ts";

/** A standard error that needs no more processes: of 23 programs, it moves the mean of all by a thousandth. */
const ENOUGH = 0.02;
/** Processes for each that was asked for, at most. */
export const MOST = 3;

/** What figures that are put together must have in common. */
export interface MeteringConditions {
	readonly commit: string | null;
	readonly milliseconds: number;
	readonly cpu: string;
}

/** What the processes of a run have found, in a file too, if it is to be gone on with: a line of JSON each, the first with the conditions. */
export class MeteringStore {
	readonly #file: string | undefined;
	readonly #entries: MeteringEntry[] = [];

	/**
	 * @param file goes on with what is in it
	 * @throws Error when that was measured under other conditions
	 */
	constructor(file: string | undefined, conditions: MeteringConditions) {
		this.#file = file;
		if (file === undefined) return;
		const head = JSON.stringify(conditions);
		if (!existsSync(file)) this.#append(head);
		const [first, ...lines] = readFileSync(file, "utf8").trimEnd().split("\n");
		if (first !== head) throw new Error(`Cannot go on with ${file}: it is of ${first ?? "nothing"}, this is ${head}`);
		this.#entries.push(...lines.map((line) => JSON.parse(line) as MeteringEntry));
	}

	add(entry: MeteringEntry): void {
		this.#entries.push(entry);
		this.#append(JSON.stringify(entry));
	}

	/** The quickest reading of the core's probe of all processes, in milliseconds; `Infinity` before the first. */
	get best(): number {
		return Math.min(...this.#entries.map(({ best }) => best));
	}

	/** How many processes of a program there were. */
	tried(program: string): number {
		return this.#of(program).length;
	}

	/**
	 * Whether so many processes of a program had the core for themselves; more of them, up to `MOST` times as many, where their ratios
	 * differ so much that the mean says little.
	 */
	hasEnough(program: string, processes: number): boolean {
		const [result] = this.results(program);
		if (result === undefined) return false;
		const own = this.tried(program) - result.disturbed;
		const error = Math.max(...COMPARED.map((name) => result.ratios[name].error));
		return own >= MOST * processes || (own >= processes && !(error > ENOUGH));
	}

	/** Of a program; none before its first process. */
	results(program: string): MeteringResult[] {
		const entries = this.#of(program);
		return entries.length === 0 ? [] : [summarize(entries, this.best)];
	}

	#of(program: string): MeteringEntry[] {
		return this.#entries.filter((entry) => entry.program === program);
	}

	#append(line: string): void {
		if (this.#file !== undefined) appendFileSync(this.#file, `${line}\n`);
	}
}
