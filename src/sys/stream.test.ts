import assert from "node:assert/strict";
import { PassThrough, Readable, Writable } from "node:stream";
import { suite, test } from "node:test";
import { CollectingSink, createBytesSource } from "./memory-stream.ts";
import { createPipe } from "./pipe.ts";
import { createReadableSource } from "./readable-source.ts";
import type { ByteSink, ByteSource } from "./stream.ts";
import { createWritableSink } from "./writable-sink.ts";

const CONTENT = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);

/** Every implementation of `ByteSource`, holding `CONTENT`. */
const SOURCES: Record<string, () => ByteSource> = {
	memory: () => createBytesSource(CONTENT),
	pipe: () => {
		const { source, sink } = createPipe(10_000);
		for (let at = 0; at < CONTENT.length; at += 700) sink.write(CONTENT.slice(at, at + 700));
		sink.close();
		return source;
	},
	readable: () =>
		createReadableSource(
			() => Readable.from([CONTENT.slice(0, 1), CONTENT.slice(1, 3000), CONTENT.slice(3000)], { objectMode: false }),
			{ destroy: true },
		),
	"readable of an ended stream's rest": () => {
		const stream = new PassThrough();
		stream.end(CONTENT);
		return createReadableSource(() => stream, { destroy: false });
	},
};

async function readAll(source: ByteSource, max: number): Promise<Uint8Array> {
	const all: number[] = [];
	for (;;) {
		const bytes = source.read(max);
		if (bytes === null) return Uint8Array.from(all);
		assert.ok(bytes.length <= max);
		all.push(...bytes);
		if (bytes.length === 0 && !source.ready()) await source.wait();
	}
}

for (const [name, create] of Object.entries(SOURCES)) {
	suite(`source: ${name}`, { timeout: 120_000 }, () => {
		for (const max of [1, 7, 1000, 100_000]) {
			test(`gives all bytes in order, ${max} at most at once`, async () => {
				const source = create();
				assert.deepEqual(await readAll(source, max), CONTENT);
				assert.equal(source.ready(), true);
				assert.equal(source.read(1), null);
				assert.equal(source.read(0), null);
				source.close();
			});
		}

		test("is open before its end for a read of no bytes", async () => {
			const source = create();
			if (!source.ready()) await source.wait();
			assert.deepEqual(source.read(0), new Uint8Array(0));
			source.close();
		});

		test("is at its end once closed, and twice closed", () => {
			const source = create();
			source.close();
			source.close();
			assert.equal(source.ready(), true);
			assert.equal(source.read(10), null);
		});
	});
}

/** Every implementation of `ByteSink`, with what it has delivered. */
const SINKS: Record<string, () => { sink: ByteSink; delivered: () => Promise<Uint8Array> }> = {
	collecting: () => {
		const sink = new CollectingSink(10_000);
		const delivered = async (): Promise<Uint8Array> => {
			while (!sink.closed) await new Promise(setImmediate);
			return sink.bytes();
		};
		return { sink, delivered };
	},
	pipe: () => {
		const { source, sink } = createPipe(500);
		return { sink, delivered: () => readAll(source, 400) };
	},
	"slow writable": () => {
		const chunks: Buffer[] = [];
		const { promise, resolve } = Promise.withResolvers<Uint8Array>();
		const stream = new Writable({
			highWaterMark: 500,
			write(chunk: Buffer, _encoding, done) {
				chunks.push(chunk);
				setTimeout(done, 1);
			},
			final(done) {
				resolve(new Uint8Array(Buffer.concat(chunks)));
				done();
			},
		});
		return { sink: createWritableSink(stream, { end: true }), delivered: () => promise };
	},
};

async function writeAll(sink: ByteSink, bytes: Uint8Array): Promise<void> {
	let rest = bytes;
	while (rest.length > 0) {
		const capacity = sink.capacity();
		assert.notEqual(capacity, null);
		if (capacity === 0) {
			assert.equal(sink.ready(), false);
			await sink.wait();
			continue;
		}
		sink.write(rest.slice(0, capacity ?? 0));
		rest = rest.subarray(capacity ?? 0);
	}
}

for (const [name, create] of Object.entries(SINKS)) {
	suite(`sink: ${name}`, { timeout: 120_000 }, () => {
		test("delivers all bytes in order, and what was written before it is closed", async () => {
			const { sink, delivered } = create();
			const result = delivered();
			await writeAll(sink, CONTENT);
			sink.close();
			sink.close();
			assert.deepEqual(await result, CONTENT);
			assert.equal(sink.capacity(), null);
			assert.equal(sink.ready(), true);
		});

		test("is not ready while it flushes, and flushed after", async () => {
			const { sink, delivered } = create();
			const result = delivered();
			await writeAll(sink, CONTENT.slice(0, 300));
			sink.flush();
			while (!sink.flushed()) {
				assert.equal(sink.ready(), false);
				assert.equal(sink.capacity(), 0);
				await sink.wait();
			}
			assert.equal(sink.ready(), true);
			assert.ok((sink.capacity() ?? 0) > 0);
			sink.close();
			assert.deepEqual(await result, CONTENT.slice(0, 300));
		});
	});
}
