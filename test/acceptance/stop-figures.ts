/**
 * How late guests were stopped: by kind of metering, load and shape. In a file, so that so many as no machine has the time for at a stretch can
 * be stopped in many, each of which goes on where the one before ended.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

/** Those that came too late, of which it is told what happened: so many of each list, the worst. */
const REASONS = 5;

/** Milliseconds after its deadline. */
export interface Stop {
	/** As it was. */
	readonly late: number;
	/** Without what the machine was away, or others kept this thread from a processor. */
	readonly own: number;
	/** What happened meanwhile. */
	readonly what: string;
}

interface ListedStop extends Stop {
	readonly list: string;
}

/** Of one list: hundredths of a millisecond, so that a thousand take some kilobytes. */
interface List {
	late: number[];
	own: number[];
	worst: ListedStop[];
}

export class StopFigures {
	readonly #path: string | undefined;
	readonly #lists: Record<string, List>;

	/** @param path of a file that is made where there is none */
	constructor(path?: string) {
		this.#path = path;
		this.#lists =
			path !== undefined && existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, List>) : {};
	}

	/** How many of them there are. */
	count(list: string): number {
		return this.#lists[list]?.late.length ?? 0;
	}

	add(list: string, stops: readonly Stop[], bound: number): void {
		const into = (this.#lists[list] ??= { late: [], own: [], worst: [] });
		into.late.push(...stops.map(({ late }) => Math.round(late * 100)));
		into.own.push(...stops.map(({ own }) => Math.round(own * 100)));
		into.worst = [
			...into.worst,
			...stops.filter(({ own }) => own > bound).map(({ late, own, what }) => ({ list, late, own, what })),
		]
			.toSorted((a, b) => b.own - a.own)
			.slice(0, REASONS);
		if (this.#path === undefined) return;
		// One that is ended in the midst of it leaves what there was
		writeFileSync(`${this.#path}.new`, JSON.stringify(this.#lists));
		renameSync(`${this.#path}.new`, this.#path);
	}

	/** Those of lists, together. */
	text(lists: readonly string[], bound: number): string {
		const line = (times: readonly number[]): string => {
			const sorted = times.toSorted((a, b) => a - b);
			const at = (share: number): string => ((sorted[Math.ceil(share * sorted.length) - 1] ?? 0) / 100).toFixed(2);
			const over = sorted.filter((time) => time > bound * 100).length;
			return `median ${at(0.5)}, p99 ${at(0.99)}, worst ${at(1)} ms, ${over} over ${bound}`;
		};
		const all = lists.map((list) => this.#lists[list]);
		return `${line(all.flatMap((list) => list?.late ?? []))} | its own: ${line(all.flatMap((list) => list?.own ?? []))}`;
	}

	/** What happened in the worst of those that came too late. */
	worst(lists: readonly string[]): string[] {
		return lists
			.flatMap((list) => this.#lists[list]?.worst ?? [])
			.toSorted((a, b) => b.own - a.own)
			.slice(0, REASONS)
			.map(({ list, late, own, what }) => `${list}: ${late.toFixed(2)}, its own ${own.toFixed(2)}: ${what}`);
	}

	isOver(lists: readonly string[], bound: number): boolean {
		return lists.some((list) => this.#lists[list]?.own.some((time) => time > bound * 100));
	}
}
