/** The rules of streams and futures (`design/component-model.md`), one by one, with guests of JavaScript. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { ValueType } from "../../component/mod.ts";
import { Trap } from "../../fault/mod.ts";
import { hostFunction } from "../host-function.ts";
import { canonCancelCopy, canonCopy, canonDropEnd, canonNew } from "./copy-builtins.ts";
import { asyncFunc, future, STRING, stream, type TestGuest, U32, U8, World } from "./guest.fixture.ts";
import { canonJoin, canonSetNew, canonSetPoll, canonSubtaskCancel, canonTaskCancel } from "./task-builtins.ts";

const [COMPLETED, DROPPED, CANCELLED, BLOCKED] = [0, 1, 2, -1];
const [STREAM_READ, STREAM_WRITE] = [2, 3];

function traps(run: () => unknown, message: string): void {
	assert.throws(run, (error) => error instanceof Trap && error.message === message);
}

/** One guest with both ends of a stream or future, and all that can be done with them without waiting. */
async function withEnds(
	type: ValueType & { readonly kind: "stream" | "future" },
	body: (ends: Ends, guest: TestGuest) => unknown,
): Promise<void> {
	const guest = new World().guest();
	await guest.run(async () => await body(new Ends(guest, type), guest));
}

class Ends {
	readonly reader: number;
	readonly writer: number;
	readonly #guest: TestGuest;
	readonly #type: ValueType & { readonly kind: "stream" | "future" };

	constructor(guest: TestGuest, type: ValueType & { readonly kind: "stream" | "future" }) {
		this.#guest = guest;
		this.#type = type;
		const both = canonNew(guest.instance, type)();
		this.reader = Number(both & 0xffff_ffffn);
		this.writer = Number(both >> 32n);
	}

	read(pointer: number, length: number, async = true): unknown {
		const options = { ...this.#guest.options, async };
		return canonCopy(this.#guest.instance, this.#type, true, options)(this.reader, pointer, length);
	}

	write(pointer: number, length: number, async = true): unknown {
		const options = { ...this.#guest.options, async };
		return canonCopy(this.#guest.instance, this.#type, false, options)(this.writer, pointer, length);
	}

	cancel(readable: boolean, async = true): unknown {
		const cancel = canonCancelCopy(this.#guest.instance, this.#type, readable, async, false);
		return cancel(readable ? this.reader : this.writer);
	}

	drop(readable: boolean): unknown {
		return canonDropEnd(this.#guest.instance, this.#type, readable)(readable ? this.reader : this.writer);
	}

	/** The event of one end: its code, and what came of it. `[0, 0]` where there is none. */
	event(index: number): number[] {
		const { instance, options, words } = this.#guest;
		const set = canonSetNew(instance)();
		void canonJoin(instance)(index, set);
		const code = canonSetPoll(instance, options, false)(set, 0);
		void canonJoin(instance)(index, 0);
		if (code !== 0) assert.equal(words[0], index);
		return [code, code === 0 ? 0 : (words[1] as number)];
	}
}

test("rule 3: a stream's copy gives its result and how much was copied, a future's its result, BLOCKED is −1", async () => {
	await withEnds(stream(U8), (ends, { bytes }) => {
		bytes.set([1, 2, 3], 100);
		assert.equal(ends.write(100, 3), BLOCKED);
		assert.equal(ends.read(200, 5), COMPLETED | (3 << 4));
		assert.deepEqual(ends.event(ends.writer), [STREAM_WRITE, COMPLETED | (3 << 4)]);
		assert.deepEqual([...bytes.subarray(200, 205)], [1, 2, 3, 0, 0]);
	});
	await withEnds(future(U32), (ends, { words }) => {
		words[25] = 7;
		assert.equal(ends.read(200, 1), BLOCKED);
		assert.equal(ends.write(100, 1), COMPLETED);
		assert.deepEqual(ends.event(ends.reader), [4, COMPLETED]);
		assert.equal(words[50], 7);
	});
});

test("rule 15: of a read and a write of nothing the write completes and the read waits on, whichever came first", async () => {
	await withEnds(stream(U8), (ends) => {
		assert.equal(ends.read(0, 0), BLOCKED);
		assert.equal(ends.write(0, 0), COMPLETED);
		assert.deepEqual(ends.event(ends.reader), [0, 0]);
		// Until there is something.
		assert.equal(ends.write(0, 1), BLOCKED);
		assert.deepEqual(ends.event(ends.reader), [STREAM_READ, COMPLETED]);
	});
	await withEnds(stream(U8), (ends) => {
		assert.equal(ends.write(0, 0), BLOCKED);
		assert.equal(ends.read(0, 0), BLOCKED);
		assert.deepEqual(ends.event(ends.writer), [STREAM_WRITE, COMPLETED]);
		assert.deepEqual(ends.event(ends.reader), [0, 0]);
	});
});

test("rule 16: partial copies add up until the event is taken, which gives the buffer back", async () => {
	await withEnds(stream(U8), (ends, { bytes }) => {
		bytes.set([1, 2, 3, 4, 5, 6], 100);
		assert.equal(ends.read(200, 10), BLOCKED);
		assert.equal(ends.write(100, 2), COMPLETED | (2 << 4));
		assert.equal(ends.write(102, 3), COMPLETED | (3 << 4));
		assert.deepEqual(ends.event(ends.reader), [STREAM_READ, COMPLETED | (5 << 4)]);
		assert.equal(ends.write(105, 1), BLOCKED);
		assert.deepEqual([...bytes.subarray(200, 210)], [1, 2, 3, 4, 5, 0, 0, 0, 0, 0]);
	});
});

test("streams dropped or cancelled mid-copy: what was copied is told, with how it ended", async () => {
	await withEnds(stream(U8), (ends) => {
		assert.equal(ends.read(200, 10), BLOCKED);
		assert.equal(ends.write(100, 4), COMPLETED | (4 << 4));
		ends.drop(false);
		assert.deepEqual(ends.event(ends.reader), [STREAM_READ, DROPPED | (4 << 4)]);
	});
	await withEnds(stream(U8), (ends) => {
		assert.equal(ends.write(100, 10), BLOCKED);
		assert.equal(ends.read(200, 4), COMPLETED | (4 << 4));
		assert.equal(ends.cancel(false), CANCELLED | (4 << 4));
		assert.deepEqual(ends.event(ends.writer), [0, 0]);
		// It was given back: it can be written again.
		assert.equal(ends.write(100, 1), BLOCKED);
	});
});

test("rule 17: an end that was told that the other was dropped is done: no more copies, but it may be dropped", async () => {
	await withEnds(stream(U8), (ends) => {
		ends.drop(false);
		assert.equal(ends.read(0, 1), DROPPED);
		traps(() => ends.read(0, 1), "cannot read from stream after being notified that the writable end dropped");
		ends.drop(true);
	});
	await withEnds(stream(U8), (ends) => {
		ends.drop(true);
		assert.equal(ends.write(0, 1), DROPPED);
		traps(() => ends.write(0, 1), "cannot write to stream after being notified that the readable end dropped");
		ends.drop(false);
	});
});

test("rule 17: a future's writable end is not dropped unwritten, so that a read never sees it dropped", async () => {
	const UNWRITTEN = "cannot drop future write end without first writing a value";
	await withEnds(future(U8), (ends) => {
		assert.equal(ends.read(0, 1), BLOCKED);
		traps(() => ends.drop(false), UNWRITTEN);
		assert.deepEqual(ends.event(ends.reader), [0, 0]);
		assert.equal(ends.write(8, 1), COMPLETED);
		ends.drop(false);
	});
	await withEnds(future(U8), (ends) => {
		ends.drop(true);
		traps(() => ends.drop(false), UNWRITTEN);
		// The writer learns that nobody reads, and is done with that.
		assert.equal(ends.write(8, 1), DROPPED);
		ends.drop(false);
	});
	await withEnds(future(U8), (ends) => {
		assert.equal(ends.write(8, 1), BLOCKED);
		traps(() => ends.drop(false), "cannot drop busy stream");
	});
});

for (const [element, copies] of [
	[null, true],
	[U8, true],
	[{ kind: "f64" }, true],
	[STRING, false],
	[{ kind: "list", element: U8 }, false],
	[{ kind: "option", element: U8 }, false],
] as const) {
	for (const kind of ["stream", "future"] as const) {
		const what = element === null ? "nothing" : element.kind;
		test(`rule 18: a ${kind} of ${what} ${copies ? "passes" : "does not pass"} within one instance`, async () => {
			await withEnds({ kind, element }, (ends) => {
				assert.equal(ends.read(0, 1), BLOCKED);
				if (copies) assert.equal(ends.write(64, 1), kind === "stream" ? COMPLETED | (1 << 4) : COMPLETED);
				else traps(() => ends.write(64, 1), `cannot read from and write to intra-component ${kind}`);
			});
		});
	}
}

const IN_SET = "waitable cannot be used synchronously while added to a waitable set";

test("rule 19: an end in a waitable set is neither given away, nor copied or cancelled synchronously", async () => {
	const type = stream(U8);
	await withEnds(type, (ends, guest) => {
		const { instance } = guest;
		void canonJoin(instance)(ends.reader, canonSetNew(instance)());
		const take = hostFunction(asyncFunc([type]), () => undefined);
		traps(() => guest.lower(take, true)(ends.reader), "cannot lift stream while it's in a waitable set");
		traps(() => ends.read(0, 1, false), IN_SET);
		assert.equal(ends.read(0, 1), BLOCKED);
		traps(() => ends.cancel(true, false), `${IN_SET} (the option lenientCancel allows it)`);
		assert.equal(ends.cancel(true), CANCELLED);
	});
});

test("rule 19: a subtask in a waitable set is not cancelled synchronously", async () => {
	const guest = new World().guest();
	const { instance } = guest;
	const hang = hostFunction(asyncFunc(), () => new Promise(() => {}));
	await guest.run(async () => {
		const subtask = Number(await guest.lower(hang, true)()) >>> 4;
		void canonJoin(instance)(subtask, canonSetNew(instance)());
		traps(() => canonSubtaskCancel(instance, false)(subtask), IN_SET);
		assert.equal(await canonSubtaskCancel(instance, true)(subtask), 4);
		traps(() => canonTaskCancel(instance)(), "`task.cancel` called by task which has not been cancelled");
	});
});

const OUTSIDE = "read/write pointer out of bounds of memory";

for (const [what, pointer, length, message] of [
	["beyond the memory", 65_533, 1, "unaligned pointer 0xfffd"],
	["that ends beyond the memory", 65_528, 3, OUTSIDE],
	["at the last address", 0xffff_fffc, 1, OUTSIDE],
	["of more than 2^28 − 1 elements", 0, 2 ** 28, "stream read/write count too large"],
	["of a length near 2^32", 0, 2 ** 32 - 1, "stream read/write count too large"],
] as const) {
	test(`a buffer ${what} traps, before anything is copied`, async () => {
		await withEnds(stream(U32), (ends) => {
			traps(() => ends.read(pointer, length), message);
			traps(() => ends.write(pointer | 0, length), message);
			assert.deepEqual(ends.event(ends.reader), [0, 0]);
			assert.equal(ends.read(65_536, 0), BLOCKED, "a buffer of nothing may be anywhere");
		});
	});
}

test("two copies of one end at once trap; so does an end of another kind, direction or type", async () => {
	await withEnds(stream(U8), (ends, guest) => {
		assert.equal(ends.read(0, 1), BLOCKED);
		traps(() => ends.read(0, 1), "cannot have concurrent operations active on a future/stream");
		const copies = { ...guest.options, async: true };
		const { reader, writer } = ends;
		for (const [type, readable, index, message] of [
			[stream(U8), true, writer, `handle index ${writer} is not the readable end of a stream`],
			[future(U8), true, reader, `handle index ${reader} is not the readable end of a future`],
			[stream(U32), true, reader, `handle index ${reader} used with the wrong stream type`],
			[stream(U8), true, 77, "unknown handle index 77"],
			[stream(U8), true, -1, "unknown handle index 4294967295"],
		] as const) {
			traps(() => canonCopy(guest.instance, type, readable, copies)(index, 0, 1), message);
		}
	});
});

test("numbers go from one guest's memory to the other's as they are, also where they overlap; NaN comes out canonical", async () => {
	for (const [kind, size] of [
		["u8", 1],
		["s16", 2],
		["u32", 4],
		["s64", 8],
	] as const) {
		await withEnds(stream({ kind }), (ends, { bytes }) => {
			for (let i = 0; i < 64; i++) bytes[1024 + i] = 200 + i;
			const given = bytes.slice(1024, 1024 + 6 * size);
			assert.equal(ends.write(1024, 6), BLOCKED);
			assert.equal(ends.read(1024 + size, 4), COMPLETED | (4 << 4), kind);
			assert.deepEqual(bytes.subarray(1024 + size, 1024 + 5 * size), given.subarray(0, 4 * size));
			// The rest is what stands there by now: a guest does not write to what it gives.
			const rest = bytes.slice(1024 + 4 * size, 1024 + 6 * size);
			assert.equal(ends.read(2048, 9), COMPLETED | (2 << 4));
			assert.deepEqual(bytes.subarray(2048, 2048 + 2 * size), rest);
			assert.equal(bytes[2048 + 2 * size], 0);
		});
	}
	await withEnds(stream({ kind: "f64" }), (ends, { bytes }) => {
		bytes.set([1, 2, 3, 0, 0, 0, 0xf8, 0xff, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f], 1024);
		assert.equal(ends.read(2048, 2), BLOCKED);
		assert.equal(ends.write(1024, 2), COMPLETED | (2 << 4));
		assert.deepEqual([...bytes.subarray(2048, 2064)], [0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
	});
});
