import assert from "node:assert/strict";
import { test } from "node:test";
import { createPipe } from "./pipe.ts";
import { StreamFailure } from "./stream.ts";

test("holds no more than its limit and wakes the writer when there is room", async () => {
	const { source, sink, buffered } = createPipe(8);
	assert.equal(sink.capacity(), 8);
	sink.write(new Uint8Array(8));
	assert.deepEqual([sink.capacity(), sink.ready(), buffered()], [0, false, 8]);
	const room = sink.wait();
	assert.equal(source.read(3)?.length, 3);
	await room;
	assert.deepEqual([sink.capacity(), sink.ready(), buffered()], [3, true, 5]);
});

test("wakes the reader for bytes and for the end", async () => {
	const { source, sink } = createPipe(8);
	assert.equal(source.ready(), false);
	const bytes = source.wait();
	sink.write(Uint8Array.of(1));
	await bytes;
	assert.deepEqual(source.read(8), Uint8Array.of(1));
	const end = source.wait();
	sink.close();
	await end;
	assert.equal(source.read(8), null);
});

test("tells the writer that the reader has gone, and forgets what nobody will read", async () => {
	const { source, sink, buffered } = createPipe(8);
	sink.write(new Uint8Array(8));
	sink.flush();
	const gone = sink.wait();
	source.close();
	await gone;
	assert.deepEqual([sink.capacity(), sink.ready(), sink.flushed(), buffered()], [null, true, false, 0]);
	sink.write(Uint8Array.of(1));
	assert.equal(buffered(), 0);
});

test("a flush ends when all is read, not before", async () => {
	const { source, sink } = createPipe(8);
	sink.write(new Uint8Array(4));
	sink.flush();
	let woken = false;
	const flushed = sink.wait().then(() => (woken = true));
	source.read(3);
	await Promise.resolve();
	assert.deepEqual([woken, sink.flushed(), sink.capacity()], [false, false, 0]);
	source.read(3);
	await flushed;
	assert.deepEqual([sink.flushed(), sink.capacity()], [true, 8]);
});

test("a failure breaks both ends and stays the first", async () => {
	const pipe = createPipe(8);
	pipe.sink.write(new Uint8Array(8));
	const writer = pipe.sink.wait();
	pipe.fail(new StreamFailure("first"));
	pipe.fail(new StreamFailure("second"));
	await writer;
	assert.throws(() => pipe.source.read(1), { name: "StreamFailure", message: "first" });
	assert.throws(() => pipe.sink.capacity(), { name: "StreamFailure", message: "first" });
	assert.deepEqual([pipe.source.ready(), pipe.sink.ready(), pipe.buffered()], [true, true, 0]);
});

test("a failure after the writer has closed reaches the reader; after both have closed, nobody", () => {
	const pipe = createPipe(8);
	pipe.sink.close();
	pipe.fail(new StreamFailure("cut off"));
	assert.throws(() => pipe.source.read(1), { message: "cut off" });
	assert.equal(pipe.sink.capacity(), null);

	const done = createPipe(8);
	done.sink.close();
	done.source.close();
	done.fail(new StreamFailure("late"));
	assert.equal(done.source.read(1), null);
	assert.equal(done.sink.capacity(), null);
});
