/** Lists of numbers that come out of sandboxes, each with a buffer of its own or with others in one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Engine } from "./engine.ts";

const KINDS = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64"] as const;
const ARRAYS = {
	u8: Uint8Array,
	s8: Int8Array,
	u16: Uint16Array,
	s16: Int16Array,
	u32: Uint32Array,
	s32: Int32Array,
	u64: BigUint64Array,
	s64: BigInt64Array,
	f32: Float32Array,
	f64: Float64Array,
};
const DATA = Uint8Array.from({ length: 8192 }, (_, i) => (i * 31 + (i >> 8)) & 0x7f);
const options = '(memory (core memory $i "memory"))';

/** A list of each kind, and one of lists, of so many elements; and a host that is given one. */
const WAT = `(component
	(import "see" (func $see (param "list" (list u8))))
	(core module $memory (memory (export "memory") 1)
		(data (i32.const 1024) "${[...DATA].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("")}"))
	(core instance $i (instantiate $memory))
	(core func $see' (canon lower (func $see) ${options}))
	(core module $m
		(import "" "memory" (memory 1))
		(import "" "see" (func $see (param i32 i32)))
		(func (export "show") (param i32) (call $see (i32.const 1024) (local.get 0)))
		(func (export "give") (param i32) (result i32)
			(i32.store (i32.const 8) (i32.const 1024))
			(i32.store (i32.const 12) (local.get 0))
			(i32.const 8))
		(func (export "both") (param i32) (result i32)
			(drop (i32.const 0))
			(i32.store (i32.const 16) (i32.const 24))
			(i32.store (i32.const 20) (i32.const 2))
			(i32.store (i32.const 24) (i32.const 1024))
			(i32.store (i32.const 28) (local.get 0))
			(i32.store (i32.const 32) (i32.const 1025))
			(i32.store (i32.const 36) (local.get 0))
			(i32.const 16)))
	(core instance $c (instantiate $m (with "" (instance (export "memory" (memory $i "memory")) (export "see" (func $see'))))))
	${KINDS.map(
		(kind) => `(func (export "${kind}") (param "n" u32) (result (list ${kind}))
		(canon lift (core func $c "give") ${options}))`,
	).join("\n")}
	(func (export "both") (param "n" u32) (result (list (list u8))) (canon lift (core func $c "both") ${options}))
	(func (export "show") (param "n" u32) (canon lift (core func $c "show"))))`;

type Lists = Record<(typeof KINDS)[number], (n: number) => Promise<Uint8Array>> & {
	both(n: number): Promise<Uint8Array[]>;
	show(n: number): Promise<void>;
};

let shown: Uint8Array[] = [];

async function load(sharedBuffers?: boolean) {
	const see = (list: Uint8Array): void => void shown.push(list);
	const given = sharedBuffers === undefined ? {} : { sharedBuffers };
	const engine = new Engine({ cache: false });
	return await engine.load(new Uint8Array(await parse(WAT)), { imports: { see }, ...given });
}

for (const sharing of [undefined, false, true]) {
	test(`lists of each kind and size are what they are, sharedBuffers: ${sharing}`, async () => {
		const lists = (await load(sharing)).instantiate().exports as unknown as Lists;
		const made: { list: Uint8Array; expected: unknown }[] = [];
		for (const kind of KINDS) {
			const size = ARRAYS[kind].BYTES_PER_ELEMENT;
			for (const bytes of [0, 8, 64, 72, 400, 2048, 2056, 8192]) {
				const list = await lists[kind](bytes / size);
				const expected = new ARRAYS[kind](DATA.buffer.slice(0, bytes));
				made.push({ list, expected });
				if (sharing !== true) assert.equal(list.buffer.byteLength, bytes);
				if (bytes <= 64 || bytes > 2048) assert.equal(list.buffer.byteLength, bytes);
			}
		}
		for (const { list, expected } of made) assert.deepEqual(list, expected);
		const buffers = new Set(made.map(({ list }) => list.buffer));
		// Five of eight sizes have their own, whatever they are told, and so has the first of the others.
		assert.equal(buffers.size, sharing === true ? 50 + 4 : made.length);
	});
}

test("lists within lists, and those that the host is given, share buffers of one use of a sandbox and of no other", async () => {
	shown = [];
	const component = await load(true);
	const one = component.instantiate().exports as unknown as Lists;
	const [a, b] = await one.both(100);
	const c = await one.u8(100);
	await one.show(100);
	assert.deepEqual([a, b, c, shown[0]], [DATA.slice(0, 100), DATA.slice(1, 101), c, c]);
	// The first has a buffer for itself.
	assert.ok(b!.buffer === c.buffer && c.buffer === shown[0]!.buffer && a!.buffer !== b!.buffer);
	const other = component.instantiate().exports as unknown as Lists;
	const [, d] = await other.both(100);
	assert.notEqual(d!.buffer, b!.buffer);

	// Each of these calls has the sandbox, which is put back between them, to itself.
	const pooled = component.exports as unknown as Lists;
	const calls: Uint8Array[][] = [];
	for (let i = 0; i < 4; i++) calls.push(await pooled.both(100));
	const buffers = new Set(calls.flatMap((lists) => lists.map(({ buffer }) => buffer)));
	assert.equal(buffers.size, 8);
	for (const [x, y] of calls) assert.deepEqual([x, y], [a, b]);
});

test("what it is given that is no boolean is refused", () => {
	assert.throws(() => new Engine({ sharedBuffers: 1 as never }), /sharedBuffers/);
});
