import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ChunkQueue } from "./chunk-queue.ts";

test("is a queue of bytes, whatever the sizes of writes and reads", () => {
	const step = fc.oneof(
		fc.record({ push: fc.oneof(fc.nat(40), fc.integer({ min: 900, max: 5000 })) }),
		fc.record({ shift: fc.oneof(fc.nat(40), fc.nat(6000)) }),
	);
	fc.assert(
		fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
			const queue = new ChunkQueue();
			let expected: number[] = [];
			const given: { bytes: Uint8Array; copy: number[] }[] = [];
			let next = 0;
			for (const one of steps) {
				if ("push" in one) {
					const bytes = Uint8Array.from({ length: one.push }, () => next++);
					queue.push(bytes);
					expected.push(...bytes);
				} else {
					const bytes = queue.shift(one.shift);
					assert.ok(bytes.length <= one.shift);
					assert.equal(bytes.length === 0, one.shift === 0 || expected.length === 0);
					assert.deepEqual([...bytes], expected.slice(0, bytes.length));
					expected = expected.slice(bytes.length);
					given.push({ bytes, copy: [...bytes] });
				}
				assert.equal(queue.length, expected.length);
			}
			// What was given away does not change under its owner's hands.
			for (const { bytes, copy } of given) assert.deepEqual([...bytes], copy);
		}),
		{ numRuns: 150 },
	);
});
