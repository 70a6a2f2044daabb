import assert from "node:assert/strict";
import { test } from "node:test";
import { createSecureRandom, createSeededRandom, type RandomSource } from "./random.ts";

const SOURCES: Record<string, RandomSource> = {
	secure: createSecureRandom(),
	seeded: createSeededRandom([1n, 2n]),
};

for (const [name, random] of Object.entries(SOURCES)) {
	for (const length of [0, 1, 3, 8, 65_535, 65_536, 65_537, 200_000]) {
		test(`${name}: ${length} bytes, to the last one`, () => {
			const bytes = random.bytes(length);
			assert.equal(bytes.length, length);
			if (length < 1000) return;
			// A chunk that was left out would be zeros: a run of 32 has a chance of 2^-256.
			for (let at = 0; at + 32 <= length; at += 32) assert.ok(bytes.subarray(at, at + 32).some((byte) => byte !== 0));
			assert.ok(bytes.subarray(-32).some((byte) => byte !== 0));
		});
	}

	test(`${name}: 64-bit numbers use all their bits`, () => {
		let and = 2n ** 64n - 1n;
		let or = 0n;
		for (let i = 0; i < 200; i++) {
			const value = random.u64();
			and &= value;
			or |= value;
		}
		assert.deepEqual([and, or], [0n, 2n ** 64n - 1n]);
	});
}

test("a seed gives the same sequence again, another seed another one", () => {
	const take = (seed: [bigint, bigint]): bigint[] => {
		const random = createSeededRandom(seed);
		return Array.from({ length: 4 }, () => random.u64());
	};
	assert.deepEqual(take([5n, 6n]), take([5n, 6n]));
	const seeds: [bigint, bigint][] = [
		[5n, 6n],
		[6n, 5n],
		[5n + 2n ** 40n, 6n],
		[0n, 0n],
		[2n ** 64n - 1n, 2n ** 64n - 1n],
	];
	assert.equal(new Set(seeds.map((seed) => take(seed).join())).size, seeds.length);
});

test("bytes are spread evenly", () => {
	const counts = new Uint32Array(256);
	for (const byte of createSeededRandom([7n, 8n]).bytes(256 * 1000)) counts[byte] = (counts[byte] ?? 0) + 1;
	// Mean 1000, standard deviation 31.6: six of them.
	assert.ok(counts.every((count) => count > 810 && count < 1190));
});
