import assert from "node:assert/strict";
import { test } from "node:test";
import { type CoreFunction, type Passing, passingOf } from "../../abi/mod.ts";
import type { FunctionType, ValueType } from "../../component/mod.ts";
import { passFirst } from "./pass-calls.ts";
import { adoptMemory, type SlotMemory } from "../memory/slot-memory.ts";
import { webAssembly } from "../v8/v8.ts";

const PAGE = 65_536;

function passing(params: readonly ValueType[], result: ValueType | null): Passing | null {
	const type: FunctionType = {
		kind: "func",
		async: false,
		params: params.map((each, i) => ({ name: `p${i}`, type: each })),
		result,
	} as unknown as FunctionType;
	return passingOf(type);
}

const memory = (more: object = {}): SlotMemory =>
	adoptMemory(new (webAssembly().Memory)({ initial: 1, maximum: 2, ...more }));
const U32: ValueType = { kind: "u32" };
const TEXT: ValueType = { kind: "string" };
const WORDS = { kind: "list", element: { kind: "u32" } } as ValueType;

/** A call of a function that takes text, a number and a list, of which everything is written down. */
function sides({ from = memory(), to = memory(), enter = 0, pointers = [16, 1024] } = {}) {
	const log: string[] = [];
	const next = [...pointers];
	const note =
		(name: string, result: (...args: number[]) => number | undefined): CoreFunction =>
		(...args) => {
			log.push(`${name} ${args.join(" ")}`);
			return result(...(args as number[]));
		};
	const parts = {
		passing: passing([TEXT, U32, WORDS], U32)!,
		from,
		to,
		realloc: note("realloc", () => next.shift()) as never,
		core: note("core", (...args) => args.length),
		postReturn: note("post-return", () => undefined),
	};
	const slow = note("slow", () => -1);
	const run = passFirst(parts, slow, {
		enter: () => {
			log.push("enter");
			return enter;
		},
		refuse: (pointer, alignment) => log.push(`refuse ${pointer} ${alignment}`),
		fail: (again) => {
			try {
				again();
			} catch (error) {
				log.push(`fail ${(error as Error).message}`);
			}
		},
	});
	return { log, run: run as (...args: number[]) => number, slow, parts };
}

test("what is in order is passed and called, one step after the other", () => {
	const { log, run, parts } = sides();
	new Uint8Array(parts.from.buffer).set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], PAGE - 12);
	assert.equal(run(PAGE - 12, 3, 7, PAGE - 8, 2), 5);
	assert.deepEqual(log, ["enter", "realloc 0 0 1 3", "realloc 0 0 4 8", "core 16 3 7 1024 2", "post-return 5"]);
	const bytes = new Uint8Array(parts.to.buffer);
	assert.deepEqual([...bytes.subarray(15, 20)], [0, 1, 2, 3, 0]);
	assert.deepEqual([...bytes.subarray(1023, 1033)], [0, 5, 6, 7, 8, 9, 10, 11, 12, 0]);
});

for (const [what, args] of [
	["text beyond the end", [PAGE - 2, 3, 7, 0, 2]],
	["a list beyond the end", [0, 3, 7, PAGE - 4, 2]],
	["a list that is not aligned", [0, 3, 7, 2, 2]],
	["a length that overflows", [0, 3, 7, 4, 0x4000_0001]],
	["a pointer that overflows", [0xffff_ffff, 3, 7, 0, 2]],
	["text that is long", [0, 0x20_0000, 7, 0, 2]],
	["text that is not ASCII", [200, 3, 7, 0, 2]],
] as const) {
	test(`${what}: the way through the host, before anything was done`, () => {
		const { log, run, parts } = sides();
		new Uint8Array(parts.from.buffer)[202] = 0xc3;
		assert.equal(run(...args), -1);
		assert.deepEqual(log, [`slow ${args.map((arg) => arg | 0).join(" ")}`]);
	});
}

test("the host is asked first", () => {
	const { log, run } = sides({ enter: 1 });
	assert.equal(run(0, 1, 7, 0, 2), -1);
	assert.deepEqual(log, ["enter", "slow 0 1 7 0 2"]);
});

for (const [pointers, refused] of [
	[[PAGE - 2, 0], `refuse ${PAGE - 2} 1`],
	[[-1, 0], "refuse 4294967295 1"],
	[[0, 2], "refuse 2 4"],
	[[0, PAGE], `refuse ${PAGE} 4`],
] as const) {
	test(`an answer of realloc that is wrong: ${refused}`, () => {
		const { log, run } = sides({ pointers: [...pointers] });
		assert.throws(() => run(0, 3, 7, 0, 2), /unreachable/);
		assert.equal(log.at(-1), refused);
		assert.ok(!log.some((line) => line.startsWith("core")));
	});
}

test("memories that grow are as large as they are", () => {
	const { run, parts } = sides({ pointers: [PAGE, PAGE + 4, PAGE, PAGE + 4] });
	assert.equal(run(PAGE, 1, 7, PAGE + 4, 1), -1);
	assert.ok(parts.from.grow(1n) && parts.to.grow(1n));
	assert.equal(run(PAGE, 1, 7, PAGE + 4, 1), 5);
});

test("what the callee throws is told, and thrown on to nobody", () => {
	const { log, run, parts, slow } = sides();
	const core = (): never => {
		throw new Error("thrown");
	};
	const told: unknown[] = [];
	const throwing = passFirst({ ...parts, core }, slow, {
		enter: () => 0,
		refuse: () => {},
		fail: (again) => assert.throws(again, (error) => told.push((error as Error).message) > 0),
	}) as typeof run;
	assert.throws(() => throwing(0, 1, 7, 0, 1), /unreachable/);
	assert.deepEqual(told, ["thrown"]);
	assert.ok(!log.some((line) => line.startsWith("post-return")));
});

test("there is only the way through the host for memories that are shared or have 64 bits, and for types of more", () => {
	for (const more of [{ shared: true }, { initial: 1n, maximum: 2n, address: "i64" }]) {
		const { run, slow } = sides({ from: memory(more) });
		assert.equal(run, slow);
	}
	for (const param of [
		{ kind: "char" },
		{ kind: "list", element: { kind: "f32" } },
		{ kind: "list", element: TEXT },
		{ kind: "list", element: { kind: "u8" }, length: 4 },
	] as ValueType[]) {
		assert.equal(passing([param], null), null);
	}
	assert.equal(passing([], TEXT), null);
	assert.equal(
		passing(
			Array.from({ length: 9 }, () => TEXT),
			null,
		),
		null,
	);
});
