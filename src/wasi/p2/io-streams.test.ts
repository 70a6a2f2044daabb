import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { CollectingSink, createBytesSource, createPipe, type Pipe, StreamFailure } from "../../sys/mod.ts";
import { createWasiContext } from "../context.ts";
import { InputStream } from "../io/input-stream.ts";
import { IoError } from "../io/io-error.ts";
import { OutputStream } from "../io/output-stream.ts";
import { ioError } from "./io-error.ts";
import { ioPoll } from "./io-poll.ts";
import { ioStreams } from "./io-streams.ts";

const context = createWasiContext({ limits: { readBytes: 1000, writeBytes: 1000, pollables: 3 } });
const CLOSED = { tag: "err", val: { tag: "closed" } };
const DONE = { tag: "ok", val: undefined };
const U64_MAX = 2n ** 64n - 1n;

/** Calls a function of `io/streams` as a guest does. */
function call(name: string, ...args: unknown[]): any {
	const found = ioStreams.functions[name];
	assert.ok(found, name);
	return found(context, ...args);
}
const input = (name: string, ...args: unknown[]): any => call(`[method]input-stream.${name}`, ...args);
const output = (name: string, ...args: unknown[]): any => call(`[method]output-stream.${name}`, ...args);

function ok(val: unknown): unknown {
	return { tag: "ok", val };
}

function assertFailed(result: any, message: string): void {
	assert.equal(result.tag, "err");
	assert.equal(result.val.tag, "last-operation-failed");
	assert.ok(result.val.val instanceof IoError);
	assert.equal(ioError.functions["[method]error.to-debug-string"]?.(context, result.val.val), message);
}

function streams(limit: number): { pipe: Pipe; reader: InputStream; writer: OutputStream } {
	const pipe = createPipe(limit);
	return { pipe, reader: new InputStream(pipe.source), writer: new OutputStream(pipe.sink) };
}

suite("input-stream", { timeout: 120_000 }, () => {
	test("read takes what is there, nothing when there is nothing, and closes at the end", () => {
		const { pipe, reader } = streams(100);
		assert.deepEqual(input("read", reader, 10n), ok(new Uint8Array(0)));
		pipe.sink.write(Uint8Array.of(1, 2, 3));
		assert.deepEqual(input("read", reader, 2n), ok(Uint8Array.of(1, 2)));
		assert.deepEqual(input("read", reader, 0n), ok(new Uint8Array(0)));
		pipe.sink.close();
		assert.deepEqual(input("read", reader, U64_MAX), ok(Uint8Array.of(3)));
		assert.deepEqual(input("read", reader, 0n), CLOSED);
		assert.deepEqual(input("read", reader, 1n), CLOSED);
		assert.deepEqual(input("skip", reader, 1n), CLOSED);
		assert.deepEqual(input("blocking-read", reader, 1n), CLOSED);
	});

	test("a read is bounded by the limit, whatever the guest asks for", () => {
		const reader = new InputStream(createBytesSource(new Uint8Array(2500)));
		const sizes: number[] = [];
		for (let result = input("read", reader, U64_MAX); result.tag === "ok"; result = input("read", reader, U64_MAX)) {
			sizes.push(result.val.length);
		}
		assert.deepEqual(sizes, [1000, 1000, 500]);
	});

	test("skip counts what it passes over", async () => {
		const { pipe, reader } = streams(100);
		pipe.sink.write(Uint8Array.of(1, 2, 3, 4, 5));
		assert.deepEqual(input("skip", reader, 2n), ok(2n));
		assert.deepEqual(input("blocking-skip", reader, U64_MAX), ok(3n));
		assert.deepEqual(input("skip", reader, 1n), ok(0n));
		const skipped = input("blocking-skip", reader, 10n);
		pipe.sink.write(Uint8Array.of(6));
		assert.deepEqual(await skipped, ok(1n));
	});

	test("blocking-read returns plainly when it can, else waits for a byte or the end", async () => {
		const { pipe, reader } = streams(100);
		pipe.sink.write(Uint8Array.of(1));
		assert.deepEqual(input("blocking-read", reader, 10n), ok(Uint8Array.of(1)));
		const bytes = input("blocking-read", reader, 10n);
		const none = input("blocking-read", reader, 0n);
		assert.ok(bytes instanceof Promise && none instanceof Promise);
		pipe.sink.write(Uint8Array.of(2));
		assert.deepEqual(await bytes, ok(Uint8Array.of(2)));
		const end = input("blocking-read", reader, 10n);
		pipe.sink.close();
		assert.deepEqual(await end, CLOSED);
		assert.deepEqual(await none, CLOSED);
	});

	test("a failure is told once with its error, then the stream is closed", async () => {
		const { pipe, reader } = streams(100);
		const waiting = input("blocking-read", reader, 10n);
		pipe.fail(new StreamFailure("the peer vanished"));
		assertFailed(await waiting, "the peer vanished");
		assert.deepEqual(input("read", reader, 10n), CLOSED);
		assert.equal(input("subscribe", reader).ready(), true);
	});

	test("subscribe is ready when a read has something to say, and poll waits on several", async () => {
		const [a, b] = [streams(100), streams(100)];
		const pollables = [input("subscribe", a.reader), input("subscribe", b.reader), output("subscribe", a.writer)];
		assert.deepEqual(
			pollables.map((pollable) => pollable.ready()),
			[false, false, true],
		);
		const polled = ioPoll.functions["poll"]?.(context, pollables.slice(0, 2));
		b.pipe.sink.close();
		assert.deepEqual(await polled, [1]);
	});

	test("drop closes the source, or does what its owner asked for", () => {
		const { pipe, reader } = streams(100);
		ioStreams.resources["input-stream"]?.drop?.(context, reader);
		assert.equal(pipe.sink.capacity(), null);
		assert.deepEqual(input("read", reader, 1n), CLOSED);

		const shared = streams(100);
		let dropped = 0;
		new InputStream(shared.pipe.source, () => dropped++).drop();
		assert.deepEqual([dropped, shared.pipe.sink.capacity()], [1, 100]);
	});
});

suite("output-stream", { timeout: 120_000 }, () => {
	test("check-write permits what there is room for, at most the limit", () => {
		assert.deepEqual(output("check-write", streams(10).writer), ok(10n));
		assert.deepEqual(output("check-write", streams(5000).writer), ok(1000n));
		const { pipe, writer } = streams(10);
		pipe.sink.write(new Uint8Array(10));
		assert.deepEqual(output("check-write", writer), ok(0n));
	});

	test("write uses the permit up, and traps beyond it", () => {
		const { pipe, writer } = streams(10);
		assert.throws(() => output("write", writer, new Uint8Array(1)), { code: "guest/trap" });
		output("check-write", writer);
		assert.deepEqual(output("write", writer, new Uint8Array(6)), DONE);
		assert.deepEqual(output("write", writer, new Uint8Array(0)), DONE);
		assert.throws(() => output("write", writer, new Uint8Array(5)), { code: "guest/trap" });
		assert.deepEqual(output("write-zeroes", writer, 4n), DONE);
		assert.throws(() => output("write-zeroes", writer, U64_MAX), { code: "guest/trap" });
		assert.equal(pipe.buffered(), 10);
	});

	test("nothing may be written between flush and its end", async () => {
		const { pipe, writer } = streams(10);
		output("check-write", writer);
		output("write", writer, Uint8Array.of(1, 2));
		assert.deepEqual(output("flush", writer), DONE);
		assert.throws(() => output("write", writer, Uint8Array.of(3)), { code: "guest/trap" });
		assert.deepEqual(output("check-write", writer), ok(0n));
		const pollable = output("subscribe", writer);
		assert.equal(pollable.ready(), false);
		const ready = pollable.block();
		pipe.source.read(10);
		await ready;
		assert.deepEqual(output("check-write", writer), ok(10n));
	});

	test("blocking-flush returns plainly when nothing is left, else waits", async () => {
		const { pipe, writer } = streams(10);
		assert.deepEqual(output("blocking-flush", writer), DONE);
		output("check-write", writer);
		output("write", writer, Uint8Array.of(1));
		const flushed = output("blocking-flush", writer);
		assert.ok(flushed instanceof Promise);
		pipe.source.read(1);
		assert.deepEqual(await flushed, DONE);
	});

	test("blocking-write-and-flush of more than there is room for goes through in turns", async () => {
		const { pipe, writer } = streams(7);
		const bytes = Uint8Array.from({ length: 4096 }, (_, i) => i % 251);
		const written = output("blocking-write-and-flush", writer, bytes);
		assert.ok(written instanceof Promise);
		let settled = false;
		void written.then(() => (settled = true));
		const read: number[] = [];
		while (read.length < bytes.length) {
			assert.equal(settled, false, "not before the last byte was taken");
			if (!pipe.source.ready()) await pipe.source.wait();
			read.push(...(pipe.source.read(100) ?? []));
		}
		assert.deepEqual(await written, DONE);
		assert.deepEqual(Uint8Array.from(read), bytes);
	});

	test("blocking writes are plain where the sink takes all, and trap above 4096 bytes", () => {
		const sink = new CollectingSink(10_000);
		const writer = new OutputStream(sink);
		assert.deepEqual(output("blocking-write-and-flush", writer, new Uint8Array(4096).fill(1)), DONE);
		assert.deepEqual(output("blocking-write-zeroes-and-flush", writer, 4096n), DONE);
		assert.deepEqual(output("blocking-write-and-flush", writer, new Uint8Array(0)), DONE);
		assert.throws(() => output("blocking-write-and-flush", writer, new Uint8Array(4097)), { code: "guest/trap" });
		assert.throws(() => output("blocking-write-zeroes-and-flush", writer, 4097n), { code: "guest/trap" });
		assert.throws(() => output("blocking-write-zeroes-and-flush", writer, U64_MAX), { code: "guest/trap" });
		const expected = new Uint8Array(8192);
		expected.fill(1, 0, 4096);
		assert.deepEqual(sink.bytes(), expected);
	});

	const afterPermit: Record<string, (writer: OutputStream) => any> = {
		"check-write": (writer) => output("check-write", writer),
		write: (writer) => output("write", writer, Uint8Array.of(1)),
		"write of nothing": (writer) => output("write", writer, new Uint8Array(0)),
		"write-zeroes": (writer) => output("write-zeroes", writer, 1n),
		flush: (writer) => output("flush", writer),
		"blocking-flush": (writer) => output("blocking-flush", writer),
		"blocking-write-and-flush": (writer) => output("blocking-write-and-flush", writer, Uint8Array.of(1)),
		splice: (writer) => output("splice", writer, new InputStream(createBytesSource(Uint8Array.of(1))), 1n),
	};
	for (const [name, attempt] of Object.entries(afterPermit)) {
		test(`${name}: closed when the reader has gone, the error once when the stream broke`, () => {
			const gone = streams(10);
			output("check-write", gone.writer);
			gone.pipe.source.close();
			assert.deepEqual(attempt(gone.writer), CLOSED);

			const broken = streams(10);
			output("check-write", broken.writer);
			broken.pipe.fail(new StreamFailure("no space left"));
			assertFailed(attempt(broken.writer), "no space left");
			assert.deepEqual(output("check-write", broken.writer), CLOSED);
			assert.equal(output("subscribe", broken.writer).ready(), true);
		});
	}

	test("a wait for room ends when the reader goes or the stream breaks", async () => {
		const gone = streams(1);
		const first = output("blocking-write-and-flush", gone.writer, new Uint8Array(5));
		gone.pipe.source.close();
		assert.deepEqual(await first, CLOSED);

		const broken = streams(1);
		const second = output("blocking-write-and-flush", broken.writer, new Uint8Array(5));
		broken.pipe.fail(new StreamFailure("cut"));
		assertFailed(await second, "cut");

		const flushing = streams(10);
		output("check-write", flushing.writer);
		output("write", flushing.writer, new Uint8Array(5));
		const third = output("blocking-flush", flushing.writer);
		flushing.pipe.fail(new StreamFailure("torn"));
		assertFailed(await third, "torn");
	});

	test("a flush is done when the reader took all and then went, closed when it took less", async () => {
		for (const [taken, expected] of [
			[5, DONE],
			[4, CLOSED],
		] as const) {
			const { pipe, writer } = streams(10);
			const written = output("blocking-write-and-flush", writer, new Uint8Array(5));
			pipe.source.read(taken);
			pipe.source.close();
			assert.deepEqual(await written, expected);
		}
	});

	test("drop closes the sink, what was written is still delivered", () => {
		const { pipe, writer } = streams(10);
		output("check-write", writer);
		output("write", writer, Uint8Array.of(1));
		ioStreams.resources["output-stream"]?.drop?.(context, writer);
		assert.deepEqual(pipe.source.read(5), Uint8Array.of(1));
		assert.equal(pipe.source.read(5), null);
	});
});

suite("splice", { timeout: 120_000 }, () => {
	test("moves what is there and what there is room for", () => {
		const [from, to] = [streams(100), streams(10)];
		assert.deepEqual(output("splice", to.writer, from.reader, 50n), ok(0n));
		from.pipe.sink.write(Uint8Array.from({ length: 15 }, (_, i) => i));
		assert.deepEqual(output("splice", to.writer, from.reader, 4n), ok(4n));
		assert.deepEqual(output("splice", to.writer, from.reader, U64_MAX), ok(6n));
		assert.deepEqual(output("splice", to.writer, from.reader, 50n), ok(0n));
		assert.deepEqual(
			to.pipe.source.read(100),
			Uint8Array.from({ length: 10 }, (_, i) => i),
		);
		assert.equal(from.pipe.buffered(), 5);
	});

	test("reports the end and the failure of its source", () => {
		const [from, to] = [streams(10), streams(10)];
		from.pipe.sink.close();
		assert.deepEqual(output("splice", to.writer, from.reader, 1n), CLOSED);
		const broken = streams(10);
		broken.pipe.fail(new StreamFailure("bad sector"));
		assertFailed(output("splice", to.writer, broken.reader, 1n), "bad sector");
		assert.deepEqual(output("check-write", to.writer), ok(10n), "the sink is none the worse");
	});

	test("blocking-splice waits for both", async () => {
		const [from, to] = [streams(100), streams(4)];
		to.pipe.sink.write(new Uint8Array(4));
		const moved = output("blocking-splice", to.writer, from.reader, 50n);
		let settled = false;
		void moved.then(() => (settled = true));
		from.pipe.sink.write(Uint8Array.of(1, 2, 3));
		await new Promise(setImmediate);
		assert.equal(settled, false, "there is no room yet");
		to.pipe.source.read(2);
		assert.deepEqual(await moved, ok(2n));
		to.pipe.source.read(4);
		assert.deepEqual(output("blocking-splice", to.writer, from.reader, 50n), ok(1n));
	});
});

test("poll traps on an empty list and stops a guest that polls too many", () => {
	const poll = ioPoll.functions["poll"];
	assert.throws(() => poll?.(context, []), { code: "guest/trap" });
	const pollable = output("subscribe", streams(10).writer);
	assert.deepEqual(poll?.(context, [pollable, pollable, pollable]), [0, 1, 2]);
	assert.throws(() => poll?.(context, [pollable, pollable, pollable, pollable]), { code: "guest/killed" });
});
