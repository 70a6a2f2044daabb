import { collectAll, collectYoung, heapUse, type HeapUse } from "./heap.ts";

const MIB = 1024 * 1024;
/** Milliseconds that it takes V8 to move a MiB of the smallest objects, each of which it finds by the one before; nothing interrupts that. */
const MOVES = 5;
/** The same for objects that are too large to be moved: what they refer to is looked at. */
const LOOKS = 1.5;
/** So many milliseconds that takes at most: V8's part for new objects has no more than 32 MiB. */
const LONGEST = 32 * MOVES;
/** Bytes that a guest makes in a millisecond, if it does nothing else: small objects, each of which holds the one before. */
const MAKES = 16 * MIB;
/** The same of one that was slower until now, at least; and so many times as much as it made then. */
const MAKES_LEAST = 4 * MIB;
const FASTER = 4;
/** Milliseconds that a guest may come to its end too late. */
const LATE = 1;
/** Of the time that the most limited of guests have in all: as much may what others have left take, so that they have the rest. */
const LEFT_SHARE = 0.25;
/**
 * Of what the collection of the last guests' objects would have taken, had all been in use, it took so much; it is taken for as much as this:
 * who has left garbage for long may leave something else.
 */
const LEAST_USED = 0.25;
/** Milliseconds for which the limit of a guest counts after its end, or up to twice as long: it is likely to come again. */
const RECENT = 300_000;
/** What is still in use after so many collections V8 counts as new no longer. */
const ROUNDS = 2;

/**
 * So many bytes more of old objects than there were are collected behind a guest's end; or as many as were in use when they were last collected here,
 * if that is more: V8 begins by itself a little later, at the soonest.
 */
const OLD = 8 * MIB;
/** Where more than that is in use, V8 is better at it: it marks in small steps and beside whoever runs, and a collection at once takes 1 ms a MiB. */
const MOST_OLD = 96 * MIB;
/** Of all time, such collections take so much at most. */
const OLD_SHARE = 0.25;

/**
 * V8's part of the heap for new objects. When it is full, V8 collects it, whoever holds the thread then, and moves what is still in use: a guest
 * for which that happens at its end is stopped late by that. So it is done before, while there is time for as much as there is. Guests that are
 * not near their end, or that cannot fill it any more, never notice.
 */
export class Nursery {
	readonly #look: () => HeapUse | undefined;
	readonly #collect: () => void;
	readonly #collectAll: () => void;
	readonly #clock: () => number;
	/** What the last that made objects had left then, and how many bytes it was about to make. */
	#left = Number.NaN;
	#bytes = 0;
	/** Milliseconds that the most limited of those have in all that ended in this period, and in the one before. */
	#shortest = Infinity;
	#shortestBefore = Infinity;
	#periodEnd = -Infinity;
	/** The share of what guests have made that is in use when they have ended, by what collecting it took the last time. */
	#used = 1;
	/** The least bytes of old objects there were since they were last collected here; and how many more there are to be the next time. */
	#old = Infinity;
	#oldMore = OLD;
	/** When they may be again. */
	#oldAgain = -Infinity;

	constructor(
		look: () => HeapUse | undefined = heapUse,
		collect: () => void = collectYoung,
		clock: () => number = () => performance.now(),
		all: () => void = collectAll,
	) {
		this.#look = look;
		this.#collect = collect;
		this.#collectAll = all;
		this.#clock = clock;
	}

	/**
	 * A guest is about to make objects.
	 * @param left milliseconds until it is to be stopped
	 * @param bytes what they take; it comes again when it has made them
	 * @returns whether there was a collection
	 */
	make(left: number, bytes: number): boolean {
		if (left >= LONGEST) return false;
		// Less than nothing, or much, where another guest came in between: it is known the next time.
		const took = this.#left - left;
		const makes = took > 0 ? Math.min(Math.max((FASTER * this.#bytes) / took, MAKES_LEAST), MAKES) : MAKES_LEAST;
		this.#left = left;
		this.#bytes = bytes;
		const young = this.#look();
		if (young === undefined || young.room >= left * makes || collectionOf(young) <= left + LATE) return false;
		this.#collect();
		return true;
	}

	/** Milliseconds that it has in all, of those that have ended of late, this one among them. */
	#mostLimited(most: number): number {
		const now = this.#clock();
		if (now >= this.#periodEnd) {
			this.#shortestBefore = now < this.#periodEnd + RECENT ? this.#shortest : Infinity;
			this.#shortest = Infinity;
			this.#periodEnd = now + RECENT;
		}
		this.#shortest = Math.min(this.#shortest, most);
		return Math.min(this.#shortest, this.#shortestBefore);
	}

	/**
	 * A guest that has made objects has ended, and its instance been put back; or it was thrown away: what it has left in use is little now, and the next one, which may
	 * have no time for it, has not begun.
	 * @param most milliseconds that it had in all
	 */
	leave(most: number): void {
		const spare = Math.max(this.#mostLimited(most) * LEFT_SHARE, LATE / 2);
		if (spare >= LONGEST) return;
		let young = this.#look();
		if (young !== undefined && this.#leaveOld(young.old)) return;
		for (let i = 0; i < ROUNDS; i++) {
			const longest = young === undefined ? 0 : collectionOf(young);
			if (longest * this.#used <= spare) return;
			const from = this.#clock();
			this.#collect();
			// What is collected once more is what was in use.
			if (i === 0) this.#used = Math.min(Math.max((this.#clock() - from) / longest, LEAST_USED), 1);
			young = this.#look();
		}
	}

	/**
	 * An app has been loaded, and its first guest is about to begin: what loading has left would be collected in the time of that one, or of the next few. Others' limits
	 * make no difference: it is not done for them, and not again.
	 * @param most milliseconds that each of its guests has in all
	 */
	settle(most: number): void {
		const spare = Math.max(most * LEFT_SHARE, LATE / 2);
		if (spare >= LONGEST) return;
		const young = this.#look();
		if (young === undefined || this.#leaveOld(young.old)) return;
		if (collectionOf(young) > spare) this.#collect();
	}

	/** Left to itself, V8 collects them in the time of whoever runs then: tables that were grown, instances that were thrown away. */
	#leaveOld(old: number): boolean {
		this.#old = Math.min(this.#old, old);
		const from = this.#clock();
		if (old - this.#old < this.#oldMore || this.#old > MOST_OLD || from < this.#oldAgain) return false;
		this.#collectAll();
		const now = this.#clock();
		this.#oldAgain = now + (now - from) / OLD_SHARE;
		this.#old = this.#look()?.old ?? 0;
		this.#oldMore = Math.max(this.#old, OLD);
		return true;
	}
}

/** Milliseconds that it takes at most, when all is still in use. */
function collectionOf({ small, large }: HeapUse): number {
	return (small * MOVES + large * LOOKS) / MIB;
}

let nursery: Nursery | undefined;

/** Of this thread. */
export function threadNursery(): Nursery {
	return (nursery ??= new Nursery());
}
