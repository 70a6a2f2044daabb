import { collectYoung, youngHeap, type YoungHeap } from "./heap.ts";

const MIB = 1024 * 1024;
/** Milliseconds that it takes V8 to move a MiB of the smallest objects, each of which it finds by the one before; nothing interrupts that. */
const MOVES = 5;
/** The same for objects that are too large to be moved: what they refer to is looked at. */
const LOOKS = 1.5;
/** So many milliseconds that takes at most: V8's part for new objects has no more than 32 MiB. */
const LONGEST = 32 * MOVES;
/** Bytes that a guest makes in a millisecond, if it does nothing else. */
const MAKES = 4 * MIB;
/** Milliseconds that a guest may come to its end too late. */
const LATE = 1;

/**
 * V8's part of the heap for new objects. When it is full, V8 collects it, whoever holds the thread then, and moves what is still in use: a guest
 * for which that happens at its end is stopped late by that. So it is done before, while there is time for as much as there is. Guests that are
 * not near their end, or that cannot fill it any more, never notice.
 */
export class Nursery {
	readonly #look: () => YoungHeap | undefined;
	readonly #collect: () => void;

	constructor(look: () => YoungHeap | undefined = youngHeap, collect: () => void = collectYoung) {
		this.#look = look;
		this.#collect = collect;
	}

	/**
	 * A guest is about to make objects.
	 * @param left milliseconds until it is to be stopped
	 */
	make(left: number): void {
		if (left >= LONGEST) return;
		const young = this.#look();
		if (young === undefined || young.room >= left * MAKES) return;
		const takes = (young.small * MOVES + young.large * LOOKS) / MIB;
		if (takes > left + LATE) this.#collect();
	}
}

let nursery: Nursery | undefined;

/** Of this thread. */
export function threadNursery(): Nursery {
	return (nursery ??= new Nursery());
}
