import { type Cursor, refuse } from "./cursor.ts";
import { Carried, type ValueCosts } from "./carried.ts";
import type { Beside } from "./metered-body.ts";
import { MOST_STRIPS } from "./metered-locals.ts";
import { type PathCosts, TURN } from "./path-costs.ts";
import { readLatch, readLimit, readStripLoop, type StripLoop } from "./strips.ts";

/** A loop in strips, and the local with its limit. */
interface OpenStrip {
	readonly loop: StripLoop;
	readonly limit: number;
}

interface Costs {
	readonly paths: PathCosts;
	readonly values: ValueCosts;
}

/** The loops of a body that run in strips, as far as they are open, and the locals that were added for their limits. */
export class OpenStrips {
	readonly #from: Cursor;
	readonly #beside: Beside;
	readonly #index: number;
	readonly #paths: PathCosts;
	readonly #values: ValueCosts;
	readonly #open: OpenStrip[] = [];
	/** Whether there are locals more for limits. */
	hasLimit = false;
	/** The lowest local that is a limit; -1 for none. */
	lowest = -1;

	constructor(from: Cursor, beside: Beside, index: number, module: Costs) {
		this.#from = from;
		this.#beside = beside;
		this.#index = index;
		this.#paths = module.paths;
		this.#values = module.values;
	}

	/** Whether the original stands in what the innermost strip ends with, which is another comparison than its own. */
	get isLatch(): boolean {
		const { at } = this.#from;
		const strip = this.#open.at(-1);
		return strip !== undefined && at > strip.loop.test && at <= strip.loop.branch;
	}

	/**
	 * Behind its check, a loop may begin a strip: from there to the next check so many turns are run, and one that is counted as all code is.
	 * @param start where the loop begins in the original
	 * @param label what a branch to it costs
	 * @returns whether it does
	 */
	begin(start: number, label: number): boolean {
		const { to } = this.#beside;
		const from = this.#from;
		const loop = readStripLoop(from, new Carried(this.#values, label));
		const limit = loop === undefined ? undefined : readLimit(to, loop);
		if (loop === undefined || limit === undefined) return false;
		if (this.#open.length > 0) this.#checkNested(limit.local, limit.turns * loop.cost);
		this.lowest = this.lowest < 0 ? limit.local : Math.min(this.lowest, limit.local);
		this.#open.push({ loop, limit: limit.local });
		this.#beside.expect([...from.bytes.subarray(start, from.at)], "the loop of a strip");
		// A turn that passes a check within may end that long behind it, and then others may pass none
		this.#paths.run(limit.turns * loop.cost + (loop.hasLoops ? TURN + loop.cost : 0));
		return true;
	}

	/** A strip within others has a limit of its own, and is as short as the turn of a loop that has no check. */
	#checkNested(limit: number, cost: number): void {
		const isOwn = this.#open.every((around) => around.limit !== limit);
		if (!isOwn || cost > TURN || this.#open.length >= MOST_STRIPS)
			throw this.#refuse("has a strip that does not fit into another");
	}

	/**
	 * The branch back of a strip leads to its limit, and from there to the next check.
	 * @param start where the branch begins in the original, which has passed it
	 * @returns whether it is such a branch, which is compared then
	 */
	compareLatch(start: number, label: number): boolean {
		const strip = this.#open.at(-1);
		if (strip?.loop.branch !== start) return false;
		const { loop, limit } = strip;
		const beside = this.#beside;
		beside.equalUpTo(loop.test);
		if (!readLatch(beside.to, loop, limit, label)) throw this.#refuse("has a strip that ends elsewhere");
		beside.passed(this.#from.at);
		return true;
	}

	/** The innermost one ends. */
	end(): void {
		this.#beside.equalUpTo(this.#from.at);
		this.#beside.expect([END], "the end of a strip");
		this.#open.pop();
	}

	#refuse(what: string): Error {
		return refuse(`function ${this.#index} ${what}`);
	}
}

const END = 0x0b;
