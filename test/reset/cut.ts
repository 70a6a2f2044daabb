import { setImmediate as turn } from "node:timers/promises";
import type { Dice } from "./dice.ts";

/** When a sandbox is ended in the midst of its work. Where that stands then differs from run to run, by the time that V8 takes. */
export interface Cut {
	/** After this many turns of the event loop, and then of the microtask queue. */
	readonly turns: number;
	readonly hops: number;
}

export function createCut(dice: Dice): Cut {
	return { turns: dice.below(6), hops: dice.below(24) };
}

/** @param each called before each turn of the event loop */
export async function reach({ turns, hops }: Cut, each: (turn: number) => void = () => {}): Promise<void> {
	for (let i = 0; i < turns; i++) {
		each(i);
		await turn();
	}
	for (let i = 0; i < hops; i++) await Promise.resolve();
}
