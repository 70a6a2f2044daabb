import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { PassThrough, Writable } from "node:stream";
import { test } from "node:test";
import { createWritableSink } from "./writable-sink.ts";

test("a stream that is not ours to end stays open and keeps no listeners", async () => {
	const stream = new PassThrough();
	const before = stream.eventNames().map((name) => [name, stream.listenerCount(name)]);
	const sink = createWritableSink(stream, { end: false });
	sink.write(Uint8Array.of(1, 2));
	sink.flush();
	if (!sink.flushed()) await sink.wait();
	sink.close();
	// The write's callback is still due.
	await new Promise(setImmediate);
	assert.deepEqual(
		stream.eventNames().map((name) => [name, stream.listenerCount(name)]),
		before,
	);
	assert.deepEqual([stream.writableEnded, stream.destroyed], [false, false]);
	assert.deepEqual(new Uint8Array(stream.read()), Uint8Array.of(1, 2));
});

test("a peer that has gone is a closed stream, other errors are failures", async () => {
	for (const [code, closed] of [
		["EPIPE", true],
		["ENOSPC", false],
	] as const) {
		const stream = new Writable({
			write: (_chunk, _encoding, done) => setImmediate(done, Object.assign(new Error(code), { code })),
		});
		const sink = createWritableSink(stream, { end: false });
		sink.write(Uint8Array.of(1));
		sink.flush();
		assert.equal(sink.flushed(), false);
		await sink.wait();
		assert.equal(sink.ready(), true);
		if (closed) assert.equal(sink.capacity(), null);
		else assert.throws(() => sink.capacity(), { name: "StreamFailure", message: "ENOSPC" });
		sink.close();
		// The stream's own error event comes after the write's callback; nobody else listens.
		await new Promise(setImmediate);
	}
});

test("an error after the sink was closed does not end the process", async () => {
	for (const end of [true, false]) {
		const stream = new Writable({ write: (_chunk, _encoding, done) => setImmediate(done, new Error("late")) });
		const sink = createWritableSink(stream, { end });
		sink.write(Uint8Array.of(1));
		sink.close();
		await new Promise((resolve) => stream.once("close", resolve));
	}
});

test("what goes to process.stdout arrives whole before the process ends", { timeout: 120_000 }, async () => {
	const module = new URL("writable-sink.ts", import.meta.url).href;
	const child = spawn(
		process.execPath,
		[
			"--input-type=module",
			"-e",
			`import { createWritableSink } from ${JSON.stringify(module)};
			const sink = createWritableSink(process.stdout, { end: false });
			for (let sent = 0; sent < 300000; ) {
				const room = Math.min(sink.capacity(), 300000 - sent);
				if (room === 0) { await sink.wait(); continue; }
				sink.write(new Uint8Array(room).fill(120));
				sent += room;
			}
			sink.flush();
			sink.close();`,
		],
		{ stdio: ["ignore", "pipe", "inherit"], timeout: 100_000 },
	);
	let length = 0;
	child.stdout.on("data", (chunk: Buffer) => (length += chunk.length));
	const code = await new Promise((resolve) => child.on("close", resolve));
	assert.deepEqual([code, length], [0, 300_000]);
});

test("a reader that has gone is found out by the next write to process.stdout", { timeout: 120_000 }, async () => {
	const module = new URL("writable-sink.ts", import.meta.url).href;
	const child = spawn(
		process.execPath,
		[
			"--input-type=module",
			"-e",
			`import { createWritableSink } from ${JSON.stringify(module)};
			const sink = createWritableSink(process.stdout, { end: false });
			process.stdin.once("end", () => {
				for (let i = 0; i < 3 && sink.capacity() !== null; i++) sink.write(Uint8Array.of(120));
				process.exitCode = sink.capacity() === null ? 3 : 4;
			}).resume();`,
		],
		{ stdio: ["pipe", "pipe", "inherit"], timeout: 100_000 },
	);
	child.stdout.destroy();
	child.stdin.end();
	assert.equal(await new Promise((resolve) => child.on("exit", resolve)), 3);
});
