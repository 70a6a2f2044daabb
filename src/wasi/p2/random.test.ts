import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeededRandom } from "../../sys/mod.ts";
import { createWasiContext } from "../context.ts";
import { randomInsecureSeed } from "./random-insecure-seed.ts";
import { randomInsecure } from "./random-insecure.ts";
import { randomRandom } from "./random-random.ts";

for (const [host, bytesName, numberName] of [
	[randomRandom, "get-random-bytes", "get-random-u64"],
	[randomInsecure, "get-insecure-random-bytes", "get-insecure-random-u64"],
] as const) {
	test(`${host.name} gives exactly what was asked for, up to its limit`, () => {
		const context = createWasiContext({ limits: { randomBytes: 70_000 } });
		for (const length of [0n, 1n, 70_000n]) {
			const bytes = host.functions[bytesName]?.(context, length) as Uint8Array;
			assert.equal(bytes.length, Number(length));
		}
		for (const length of [70_001n, 2n ** 64n - 1n]) {
			assert.throws(() => host.functions[bytesName]?.(context, length), {
				code: "guest/killed",
				message: /randomBytes/,
			});
		}
		assert.equal(typeof host.functions[numberName]?.(context), "bigint");
	});

	test(`${host.name} differs from sandbox to sandbox`, () => {
		const [one, other] = [createWasiContext(), createWasiContext()].map((context) =>
			host.functions[bytesName]?.(context, 32n),
		);
		assert.notDeepEqual(one, other);
	});
}

test("each interface draws from its own source", () => {
	const context = createWasiContext({
		random: createSeededRandom([1n, 1n]),
		insecureRandom: createSeededRandom([2n, 2n]),
		insecureSeed: [3n, 4n],
	});
	// The context draws nothing itself when all is given.
	assert.deepEqual(
		[
			randomRandom.functions["get-random-u64"]?.(context),
			randomInsecure.functions["get-insecure-random-u64"]?.(context),
			randomInsecureSeed.functions["insecure-seed"]?.(context),
			randomInsecureSeed.functions["insecure-seed"]?.(context),
		],
		[createSeededRandom([1n, 1n]).u64(), createSeededRandom([2n, 2n]).u64(), [3n, 4n], [3n, 4n]],
	);
});
