import assert from "node:assert/strict";
import { test } from "node:test";
import { CollectingSink, createBytesSource, createNullSink } from "./memory-stream.ts";

test("the collecting sink keeps no more than its limit", () => {
	const sink = new CollectingSink(5);
	assert.equal(sink.capacity(), 5);
	sink.write(Uint8Array.of(104, 105));
	assert.equal(sink.capacity(), 3);
	assert.throws(() => sink.write(new Uint8Array(4)), {
		name: "StreamFailure",
		message: "no more than 5 bytes are kept",
	});
	sink.write(Uint8Array.of(33, 33, 33));
	assert.throws(() => sink.capacity(), { name: "StreamFailure" });
	assert.equal(sink.text(), "hi!!!");
	sink.close();
	assert.deepEqual([sink.capacity(), sink.closed], [null, true]);
});

test("a source of bytes gives copies: its reader cannot change what it was made of", () => {
	const bytes = Uint8Array.of(1, 2, 3);
	createBytesSource(bytes).read(2)?.fill(9);
	assert.deepEqual(bytes, Uint8Array.of(1, 2, 3));
	assert.equal(createBytesSource().read(1), null);
});

test("the null sink is always ready until it is closed", () => {
	const sink = createNullSink();
	assert.ok((sink.capacity() ?? 0) > 1e9);
	sink.write(new Uint8Array(10));
	assert.deepEqual([sink.ready(), sink.flushed()], [true, true]);
	sink.close();
	assert.equal(sink.capacity(), null);
});
