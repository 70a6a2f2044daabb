/**
 * V8's heap, which guests share with each other and with the host, and whose end is the end of the process. Where it cannot be looked
 * into (outside of Node), there is room.
 */

import { builtin, nodeV8, type NodeV8 } from "./builtin.ts";

/** The little of `node:vm` that is needed. */
interface Vm {
	runInNewContext(code: string): unknown;
}

/** How much of the heap may be in use when a guest wants more of it. The rest is the host's, for what it does in the meantime. */
const GUESTS_SHARE = 0.7;
/** What V8 counts to its limit, though old objects do not get it: three times its space for new ones. */
const YOUNG_BYTES = 96 * 1024 * 1024;
/** Bytes that guests are granted between two looks. */
const LOOK_AFTER = 1024 * 1024;
/** Milliseconds between two collections that guests bring about, or more: of all the time they take a tenth at most. */
const COLLECT_AFTER = 250;
const COLLECT_SHARE = 0.1;

let v8: NodeV8 | undefined;
let unseen = 0;
let nextCollection = -Infinity;
/** Milliseconds that the last one took. */
let lastTook = 0;
let collect: ((options?: { readonly type: "minor" }) => void) | undefined;

function statistics(): ReturnType<NodeV8["getHeapStatistics"]> | undefined {
	v8 ??= nodeV8();
	return v8?.getHeapStatistics();
}

/**
 * Whether there is room for so many bytes more of guests'.
 * @param affords whether the guest that asks has so many milliseconds left, for a collection; it is ended where it has not
 * @returns `undefined` where it was
 */
export function heapHasRoom(bytes: number, affords: (time: number) => boolean): boolean | undefined {
	unseen += bytes;
	if (unseen < LOOK_AFTER) return true;
	unseen = 0;
	const seen = statistics();
	if (seen === undefined) return true;
	const most = Math.max(seen.heap_size_limit - YOUNG_BYTES, 0) * GUESTS_SHARE - bytes;
	if (seen.used_heap_size <= most) return true;
	return affords(collectionTakes()) ? collectHeap() <= most : undefined;
}

/** Has garbage collected, unless that was done just now. The bytes in use then, of everyone's; Infinity where that is not known. */
export function collectHeap(): number {
	const now = performance.now();
	if (now >= nextCollection) {
		collectAll();
		const end = performance.now();
		lastTook = end - now;
		nextCollection = end + Math.max(COLLECT_AFTER, lastTook / COLLECT_SHARE);
	}
	return statistics()?.used_heap_size ?? Infinity;
}

/** Milliseconds that `collectHeap` may take, by what it took the last time; 0 where it does nothing. */
export function collectionTakes(): number {
	return performance.now() < nextCollection ? 0 : lastTook;
}

/** V8's heap, in bytes. */
export interface HeapUse {
	/** Of its part for new objects: of those that a collection moves, if they are still in use. */
	readonly small: number;
	/** Of those that it leaves where they are. */
	readonly large: number;
	/** What can be made before V8 collects that part. */
	readonly room: number;
	/** Of all other objects. */
	readonly old: number;
}

/** Some 4 µs to read. `undefined` where that is not known. */
export function heapUse(): HeapUse | undefined {
	v8 ??= nodeV8();
	const spaces = v8?.getHeapSpaceStatistics();
	const small = spaces?.find((space) => space.space_name === "new_space");
	const large = spaces?.find((space) => space.space_name === "new_large_object_space");
	if (spaces === undefined || small === undefined || large === undefined) return undefined;
	const used = spaces.reduce((sum, space) => sum + space.space_used_size, 0);
	return {
		small: small.space_used_size,
		large: large.space_used_size,
		room: Math.min(small.space_available_size, large.space_available_size),
		old: used - small.space_used_size - large.space_used_size,
	};
}

/** Has V8 collect its part for new objects: what is in use there is moved to the others. */
export function collectYoung(): void {
	collector()({ type: "minor" });
}

/** Has V8 collect all of its heap. */
export function collectAll(): void {
	collector()();
}

function collector(): NonNullable<typeof collect> {
	if (collect === undefined) {
		v8 ??= nodeV8();
		v8?.setFlagsFromString("--expose-gc");
		collect = ((builtin("node:vm") as Vm | undefined)?.runInNewContext("gc") ?? (() => {})) as NonNullable<
			typeof collect
		>;
		v8?.setFlagsFromString("--no-expose-gc");
	}
	return collect;
}
