/** Whatever a guest passes, it gets an errno, or is ended: nothing of the host fails, and nothing beside its folder is touched. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import {
	assert as checkAll,
	type Arbitrary,
	array,
	asyncProperty,
	bigInt,
	constant,
	constantFrom,
	infiniteStream,
	integer,
	oneof,
	record,
	tuple,
} from "fast-check";

import { WASI_P1 } from "./interface.ts";
import { P1Guest, TestFolder } from "./p1.fixture.ts";

// It would end the test's guest; and what waits for a clock may wait for long.
const NAMES = Object.keys(WASI_P1.functions).filter((name) => name !== "proc_exit" && name !== "poll_oneoff");

const PATHS = ["file", "a", "a/b", "..", "../secret", "/", ".", "new", "a/../..", "", "link"];

/** Small numbers are descriptors and flags, larger ones pointers: to texts and vectors, to the ends of the memory, and beyond. */
const i32 = oneof(
	integer({ min: 0, max: 8 }),
	constantFrom(4096, 4104, 4112, 8192, 65_528, 65_535, 65_536, -1, -8, 0x7fff_ffff),
	integer(),
);
const i64 = oneof(bigInt({ min: 0n, max: 64n }), constantFrom(-1n, 2n ** 63n - 1n, -(2n ** 63n), 0x1fff_ffffn));

const calls = array(
	constantFrom(...NAMES).chain((name) => {
		const params = WASI_P1.functions[name]?.type?.params ?? [];
		return record({
			name: constant(name),
			args: tuple(...params.map((type): Arbitrary<number | bigint> => (type === "i64" ? i64 : i32))),
		});
	}),
	{ maxLength: 40 },
);

test("sequences of calls with whatever arguments", async () => {
	await checkAll(
		asyncProperty(calls, infiniteStream(constantFrom(...PATHS)), async (sequence, texts) => {
			using folder = new TestFolder({ file: "text", "a/b": "inner" });
			using guest = new P1Guest({ args: ["x"], limits: { descriptors: 12 }, ...folder.grant() });
			for (const { name, args } of sequence) {
				// Where the arguments point to: a path, then vectors.
				const text = texts.next().value as string;
				guest.memory.write(4096, new TextEncoder().encode(text.padEnd(16, "\0")));
				guest.memory.setU64(8192, 0x10_0000_1000n);
				const given = args.map((arg, i) => (args[i - 1] === 4096 && typeof arg === "number" ? text.length : arg));
				const errno = await guest.call(name, ...given);
				assert.ok(
					Number.isInteger(errno) && (errno as number) >= 0 && (errno as number) <= 76,
					`${name}: ${String(errno)}`,
				);
			}
			assert.deepEqual(readdirSync(folder.outside).sort(), ["granted", "secret", "secrets"]);
			assert.equal(readFileSync(path.join(folder.outside, "secret"), "utf8"), "secret");
			assert.deepEqual(readdirSync(path.join(folder.outside, "secrets")), []);
		}),
		{ numRuns: 400 },
	);
});
