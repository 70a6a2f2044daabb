import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { type MeteringEntry, type MeteringResult, summarize } from "./metering-report.ts";
import { stillAlone } from "./own-core.ts";

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

	/** How many processes of a program there were, and how many of them had the core for themselves. */
	count(program: string): { readonly tried: number; readonly counted: number } {
		const entries = this.#of(program);
		const { best } = this;
		const own = entries.filter((entry) => entry.undisturbed > 0 && stillAlone(entry.best, best));
		return { tried: entries.length, counted: own.length };
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
