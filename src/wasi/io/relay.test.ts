import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { createPipe } from "../../sys/mod.ts";
import { InputStream } from "./input-stream.ts";
import { OutputStream } from "./output-stream.ts";
import { pollAll } from "./pollable.ts";

/** How a guest passes bytes on: the ways in which the interfaces let it, each waiting as it should. */
type Style = "blocking" | "poll";

async function writeAll(writer: OutputStream, bytes: Uint8Array, style: Style, step: number): Promise<void> {
	for (let at = 0; at < bytes.length;) {
		if (style === "blocking") {
			const chunk = bytes.slice(at, at + step);
			assert.equal((await writer.blockingWriteAndFlush(chunk)).tag, "ok");
			at += chunk.length;
			continue;
		}
		const permit = writer.checkWrite(step);
		assert.equal(permit.tag, "ok");
		if (permit.tag === "ok" && permit.val > 0) {
			assert.equal(writer.write(bytes.slice(at, at + permit.val)).tag, "ok");
			at += permit.val;
		} else await pollAll([writer.subscribe()]);
	}
	assert.equal((await writer.blockingFlush()).tag, "ok");
	writer.drop();
}

async function readAll(reader: InputStream, style: Style, step: number): Promise<number[]> {
	const all: number[] = [];
	for (;;) {
		if (style === "poll") await pollAll([reader.subscribe()]);
		const result = style === "blocking" ? await reader.blockingRead(step) : reader.read(step);
		if (result.tag === "err") {
			assert.equal(result.val.tag, "closed");
			return all;
		}
		assert.ok(result.val.length > 0 && result.val.length <= step);
		all.push(...result.val);
	}
}

async function spliceAll(to: OutputStream, from: InputStream, step: number): Promise<void> {
	for (;;) {
		const result = await to.blockingSplice(from, step);
		if (result.tag === "err") break;
	}
	to.drop();
}

test(
	"bytes pass through two pipes and a splice unchanged, whatever the bounds and the order",
	{ timeout: 120_000 },
	async () => {
		const style = fc.constantFrom<Style>("blocking", "poll");
		const step = fc.integer({ min: 1, max: 4096 });
		const bound = fc.integer({ min: 1, max: 3000 });
		await fc.assert(
			fc.asyncProperty(
				fc.nat(6000),
				fc.tuple(style, style),
				fc.tuple(step, step, step),
				fc.tuple(bound, bound),
				async (length, [writing, reading], [w, s, r], [first, second]) => {
					// At most some hundred turns: single bytes through a pipe of one are slow and show nothing more.
					const total = Math.min(length, 200 * Math.min(w, s, r, first, second));
					const bytes = Uint8Array.from({ length: total }, (_, i) => (i * 7) % 256);
					const [a, b] = [createPipe(first), createPipe(second)];
					const [, , read] = await Promise.all([
						writeAll(new OutputStream(a.sink), bytes, writing, w),
						spliceAll(new OutputStream(b.sink), new InputStream(a.source), s),
						readAll(new InputStream(b.source), reading, r),
					]);
					assert.deepEqual(Uint8Array.from(read), bytes);
				},
			),
			{ numRuns: 100 },
		);
	},
);
