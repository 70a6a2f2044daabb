import { FLAG_CELL, HIT_CELL } from "../rewrite/mod.ts";
import { webAssembly, type WasmMemory } from "./v8.ts";

/** Places in the flag's memory behind those that guests know, in words of 32 bits. */
const BEAT_WORD = 1;
const WATCHER_WORD = 2;

/** Where a watchdog on another thread finds what it needs in the flag's memory: bytes for the first two, words for the others. */
export const FLAG_LAYOUT: {
	readonly flag: number;
	readonly hit: number;
	readonly beat: number;
	readonly watcher: number;
} = { flag: FLAG_CELL, hit: HIT_CELL, beat: BEAT_WORD, watcher: WATCHER_WORD };

/**
 * How a guest is stopped that holds the thread. Every guest's loops and cycles of calls look at a byte of this memory; a watchdog on
 * another thread raises it; the guest that sees it first lowers it, leaves word and traps. So it hits whoever runs, and no one else.
 */
export class InterruptFlag {
	readonly memory: WasmMemory;
	readonly #bytes: Uint8Array;
	readonly #words: Int32Array;
	/** By the number of the watchdog: why a guest was stopped. */
	readonly #reasons = new Map<number, () => unknown>();
	#watchers = 0;

	constructor() {
		this.memory = new (webAssembly().Memory)({ initial: 1, maximum: 1, shared: true });
		this.#bytes = new Uint8Array(this.memory.buffer);
		this.#words = new Int32Array(this.memory.buffer);
	}

	/**
	 * Adds a watchdog, which is to write its number beside the flag before it raises it.
	 * @param reason makes what the callers of a guest get that it stopped
	 */
	watch(reason: () => unknown): number {
		this.#reasons.set(++this.#watchers, reason);
		return this.#watchers;
	}

	unwatch(watcher: number): void {
		this.#reasons.delete(watcher);
	}

	/** The thread goes round: nobody holds it. */
	beat(): void {
		Atomics.add(this.#words, BEAT_WORD, 1);
	}

	/** The host is about to enter a guest: whatever held the thread before, it was not this one. */
	enter(): void {
		this.beat();
		if (this.#bytes[FLAG_CELL] !== 0) Atomics.store(this.#bytes, FLAG_CELL, 0);
	}

	/** Asked when a guest calls the host: the reason when the guest is to be stopped here. */
	takeRaised(): { readonly reason: unknown } | undefined {
		return this.#bytes[FLAG_CELL] === 0 ? undefined : this.#take(FLAG_CELL);
	}

	/** Asked when a guest has trapped: the reason when it was the flag. */
	takeHit(): { readonly reason: unknown } | undefined {
		return this.#bytes[HIT_CELL] === 0 ? undefined : this.#take(HIT_CELL);
	}

	#take(cell: number): { readonly reason: unknown } {
		// The beat first: the watchdog must not find the flag lowered and the thread still.
		this.beat();
		Atomics.store(this.#bytes, cell, 0);
		return { reason: this.#reasons.get(Atomics.load(this.#words, WATCHER_WORD))?.() };
	}
}

let flag: InterruptFlag | undefined;

/** The flag of this thread. */
export function interruptFlag(): InterruptFlag {
	return (flag ??= new InterruptFlag());
}
