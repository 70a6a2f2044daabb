import type { ComponentInstance } from "../store.ts";
import { trap } from "../traps.ts";
import { type Thread, type Turns, UNLISTED } from "./thread.ts";

/** Explainer.md: as many calls of `backpressure.inc` may be pending. */
const MAX_BACKPRESSURE = 2 ** 16;

/** What CanonicalABI.md `ComponentInstance` holds beyond what synchronous calls need. */
export class AsyncInstance {
	readonly instance: ComponentInstance;
	readonly turns: Turns;
	readonly #threads = new ThreadTable();
	/** How often the guest asked for no more calls. */
	backpressure = 0;
	/** Tasks that were called and not let in yet. */
	waitingToEnter = 0;
	/** The thread that has the instance for itself. */
	exclusive: Thread | null = null;
	/** Calls under way of functions that are not async: while there is one, nothing but this instance runs. */
	syncCalls = 0;

	/** What enters it from outside of all guests. */
	readonly enteredFromHost: readonly ComponentInstance[] | null;
	/** The slots of start functions, which run in no thread. */
	readonly #slots: [number, number] = [0, 0];

	constructor(instance: ComponentInstance, turns: Turns) {
		this.instance = instance;
		this.turns = turns;
		this.enteredFromHost = instance.enteredFrom(null);
	}

	/** Its threads, with the one that asks. */
	get threads(): ThreadTable {
		const { current } = this.turns;
		if (current?.index === UNLISTED && current.task.instance === this) current.index = this.#threads.add(current);
		return this.#threads;
	}

	/** What `context.get` and `context.set` see. An allocation function may be called while a thread of another instance runs. */
	get context(): [number, number] {
		const { current } = this.turns;
		return current !== null && current.task.instance === this ? current.storage : this.#slots;
	}

	/** Nobody keeps a call from beginning, of whatever kind it is. */
	get free(): boolean {
		return this.backpressure === 0 && this.waitingToEnter === 0 && this.exclusive === null;
	}

	reset(): void {
		this.#slots.fill(0);
		this.#threads.clear();
		this.backpressure = this.waitingToEnter = this.syncCalls = 0;
		this.exclusive = null;
	}

	increaseBackpressure(): void {
		if (this.backpressure + 1 === MAX_BACKPRESSURE) trap("backpressure counter overflow");
		this.backpressure++;
	}

	decreaseBackpressure(): void {
		if (this.backpressure === 0) trap("backpressure counter underflow");
		this.backpressure--;
	}

	/** A thread that could run while a synchronous call waits: of this instance, ready, and not one that needs the instance for itself. */
	candidate(): Thread | undefined {
		return this.turns.waiting.find((thread) => this.#mayRun(thread));
	}

	#mayRun(thread: Thread): boolean {
		const { task } = thread;
		if (task.instance !== this || thread.ready?.() !== true) return false;
		return !(task.type.async && task.needsExclusive && task.isImplicit(thread));
	}

	/** Traps where what is about to wait could never go on: in a synchronous call with nothing else to run. */
	checkMayBlock(): void {
		const { current } = this.turns;
		if (current === null) trap(CANNOT_BLOCK);
		if (this.syncCalls > 0 && this.candidate() === undefined) trap(CANNOT_BLOCK);
	}
}

/** One rule, by the two names that tests know it by. */
export const DEADLOCK = "deadlock detected: event loop cannot make further progress";
export const CANNOT_BLOCK: string = `cannot block a synchronous task before returning: ${DEADLOCK}`;

/** The threads of an instance by index; 0 is none, indices are reused last-in first-out. */
class ThreadTable {
	readonly #threads: (Thread | undefined)[] = [undefined];
	readonly #free: number[] = [];

	add(thread: Thread): number {
		const index = this.#free.pop() ?? this.#threads.length;
		this.#threads[index] = thread;
		return index;
	}

	get(index: number): Thread {
		const thread = this.#threads[index >>> 0];
		if (thread === undefined) trap(`unknown thread index ${index >>> 0}`);
		return thread;
	}

	remove(index: number): void {
		this.#threads[index] = undefined;
		this.#free.push(index);
	}

	clear(): void {
		this.#threads.length = 1;
		this.#free.length = 0;
	}
}
