import { collectYoung } from "./heap.ts";

/** Milliseconds that it takes V8 to move a MiB of small objects that are still in use; nothing interrupts that. */
const MOVES = 2;
const MIB = 1024 * 1024;
/** Bytes that V8's part for new objects has at most: when there are so many, it collects them by itself. */
const ROOM = 32 * MIB;
/** Milliseconds that a guest may come to its end too late. */
const LATE = 1;

/**
 * What guests have made in V8's heap since its part for new objects was last collected, as far as that is known. When that part is full,
 * V8 collects it, whoever holds the thread then. So that no guest is stopped late for it, it is done while a guest still has the time: those who
 * are not near their end never notice.
 */
export class Nursery {
	readonly #collect: () => void;
	#bytes = 0;

	constructor(collect: () => void = collectYoung) {
		this.#collect = collect;
	}

	/**
	 * A guest is about to make so many bytes.
	 * @param left milliseconds until it is to be stopped
	 */
	make(bytes: number, left: () => number): void {
		this.#bytes = Math.min(this.#bytes + bytes, ROOM);
		const takes = (this.#bytes / MIB) * MOVES;
		if (takes <= LATE || takes <= left() + LATE) return;
		this.#bytes = 0;
		this.#collect();
	}
}

let nursery: Nursery | undefined;

/** Of this thread. */
export function threadNursery(): Nursery {
	return (nursery ??= new Nursery());
}
