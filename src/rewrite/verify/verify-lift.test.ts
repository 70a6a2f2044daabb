import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule, encodeModule, type Module, OP } from "../../wasm/mod.ts";
import { rewriteModule } from "../rewrite.ts";
import { type LiftClaims, verifyLift } from "./verify-lift.ts";

/** Something of all that is lifted. */
const PROGRAM = `(module $program
	(import "env" "log" (func $log (param i32))) (import "env" "m" (memory $other 1))
	(memory $own (export "own") 1 4) (memory $wide i64 1)
	(global $g (mut i32) (i32.const 5)) (global $h (mut i64) (i64.const 0)) (global i32 (i32.const 3))
	(table $t 2 4 funcref) (elem $e func $run $run)
	(data (memory $own) (i32.const 8) "abc") (data $p "hello") (data (memory $own) (i32.const 9) "z")
	(func $start (global.set $g (i32.const 1))) (start $start)
	(func $run (export "run") (param i32 i32 i32)
		(call $log (memory.size $own)) (drop (memory.grow $wide (i64.const 1))) (drop (memory.size $other))
		(memory.fill $own (local.get 0) (local.get 1) (local.get 2))
		(memory.copy $own $wide (local.get 0) (i64.const 0) (local.get 2))
		(memory.init $own $p (local.get 0) (local.get 1) (local.get 2)) (data.drop $p)
		(table.init $t $e (local.get 0) (local.get 1) (local.get 2)) (elem.drop $e)
		(drop (table.grow $t (ref.null func) (local.get 0)))
		(drop (i32.atomic.rmw.add $wide offset=4 (i64.const 0) (local.get 0)))))`;

/** All that changes tables; a segment that is more than a piece, and one that is dropped besides. */
const TABLES = `(module
	(table $t 2 4 funcref) (table $w i64 2 4 (ref null func)) (table $x 3 externref) (func $run)
	(elem $long func ${"$run ".repeat(300)}) (elem $gone func ${"$run ".repeat(257)}) (elem $short func ${"$run ".repeat(256)})
	(func (param i32 i64 externref)
		(table.set $t (local.get 0) (ref.func $run)) (table.set $x (local.get 0) (local.get 2))
		(table.fill $x (local.get 0) (local.get 2) (local.get 0)) (table.fill $w (local.get 1) (ref.null func) (local.get 1))
		(table.copy $t $t (local.get 0) (local.get 0) (local.get 0)) (table.copy $w $w (local.get 1) (local.get 1) (local.get 1))
		(table.copy $t $w (local.get 0) (local.get 1) (local.get 0)) (table.copy $w $t (local.get 1) (local.get 0) (local.get 0))
		(table.init $t $long (local.get 0) (local.get 0) (local.get 0)) (table.init $w $gone (local.get 1) (local.get 0) (local.get 0))
		(table.init $t $short (local.get 0) (local.get 0) (local.get 0)) (elem.drop $gone)
		(drop (table.grow $x (local.get 2) (local.get 0))) (drop (table.grow $w (ref.null func) (local.get 1)))))`;

/** All that makes something in V8's heap. */
const OBJECTS = `(module (type $b (array i8)) (type $s (sub (array (mut i16))))
	(type $t (struct (field i8) (field v128) (field (ref null $b)))) (type $f (array funcref)) (tag $e (param i32))
	(elem $el funcref (item (ref.null func))) (data $d "abcdef")
	(func (param i32)
		(drop (array.new $b (i32.const 1) (local.get 0))) (drop (array.new_default $s (local.get 0)))
		(drop (struct.new_default $t)) (drop (struct.new $t (i32.const 1) (v128.const i64x2 1 2) (ref.null $b)))
		(drop (array.new_data $s $d (i32.const 0) (local.get 0))) (drop (array.new_elem $f $el (i32.const 0) (local.get 0)))
		(drop (array.new_fixed $b 2 (i32.const 1) (i32.const 1))) (throw $e (i32.const 0))))`;

interface Lifted {
	readonly original: Uint8Array;
	readonly bytes: Uint8Array;
	readonly claims: LiftClaims;
}

async function lift(text: string = PROGRAM): Promise<Lifted> {
	const original = await parse(text);
	const { bytes, ...claims } = rewriteModule(original, 0, { metering: "off", verify: true });
	return { original, bytes, claims };
}

const refused = { code: "engine/verification" };

/** The code with some bytes in the place of others, in the first body where they are. */
function patch(module: Module, from: readonly number[], to: readonly number[]): Partial<Module> {
	const bodies = bodiesOf(module);
	const at = (body: readonly number[]): number =>
		body.findIndex((_, i) => from.every((byte, j) => body[i + j] === byte));
	const body = bodies.find((each) => at(each) >= 0);
	assert.ok(body !== undefined, "the bytes are there");
	body.splice(at(body), from.length, ...to);
	return { code: codeOf(bodies) };
}

function codeOf(bodies: readonly (readonly number[])[]): Module["code"] {
	const ends: number[] = [];
	for (const body of bodies) ends.push((ends.at(-1) ?? 0) + body.length);
	return {
		bytes: Uint8Array.from(bodies.flat()),
		offset: 0,
		starts: Uint32Array.from([0, ...ends.slice(0, -1)]),
		ends: Uint32Array.from(ends),
	};
}

function bodiesOf({ code }: Module): number[][] {
	return Array.from(code.starts, (start, i) => Array.from(code.bytes.subarray(start, code.ends[i])));
}

const zero = (op: number): Module["globals"][number]["init"] => [{ op, immediates: [op === OP["i64.const"] ? 0n : 0] }];

/** Changes of the module that the verifier has to find. */
const EDITS: readonly (readonly [what: string, edit: (module: Module) => Partial<Module>])[] = [
	[
		"exports a function of the guest's",
		({ exports }) => ({ exports: [...exports, { name: "x", kind: "func", index: 1 }] }),
	],
	[
		"exports the host's table twice",
		({ exports }) => ({ exports: [...exports, { name: "x", kind: "table", index: 1 }] }),
	],
	["exports another's memory", ({ exports }) => ({ exports: [...exports, { name: "x", kind: "memory", index: 0 }] })],
	["lacks an export", ({ exports }) => ({ exports: exports.slice(0, -1) })],
	["lacks an export of the guest's", ({ exports }) => ({ exports: exports.slice(1) })],
	["starts by itself", () => ({ start: 1 })],
	["has a memory less", ({ imports }) => ({ imports: imports.slice(0, -1) })],
	["has a memory more", ({ imports }) => ({ imports: [...imports, imports.at(-1)!] })],
	["has its memories in another order", ({ imports: [a, b, c, d] }) => ({ imports: [a!, b!, d!, c!] })],
	[
		"has a memory with another minimum",
		({ imports }) => ({
			imports: imports.map((item) =>
				item.name === "memory:0" && item.type.kind === "memory"
					? { ...item, type: { kind: "memory", limits: { ...item.type.limits, minimum: 2n } } }
					: item,
			),
		}),
	],
	["has another table", ({ tables }) => ({ tables: [...tables, tables[0]!] })],
	[
		"has a larger host table",
		({ tables: [a, b] }) => ({ tables: [a!, { ...b!, type: { ...b!.type, limits: a!.type.limits } }] }),
	],
	["has a global more", ({ globals }) => ({ globals: [...globals, globals.at(-1)!] })],
	[
		"has a size that does not begin as 0",
		({ globals }) => ({
			globals: [...globals.slice(0, -1), { ...globals.at(-1)!, init: [{ op: OP["i32.const"], immediates: [1] }] }],
		}),
	],
	[
		"has another constant",
		({ globals }) => ({
			globals: globals.map((global, i) => (i === 2 ? { ...global, init: zero(OP["i32.const"]) } : global)),
		}),
	],
	[
		"has lost the value of a global",
		({ globals }) => ({
			globals: globals.map((global, i) =>
				i === 0 ? { ...global, init: [{ op: OP["i32.const"], immediates: [1] }] } : global,
			),
		}),
	],
	["has other elements", ({ elements }) => ({ elements: [...elements, elements[0]!] })],
	[
		"has other data",
		({ data }) => ({ data: data.map((item) => ({ ...item, bytes: Uint8Array.from(item.bytes, (byte) => byte ^ 1) })) }),
	],
	["has data more", ({ data }) => ({ data: [...data, data[0]!] })],
	["does not count its data", () => ({ dataCount: false })],
	["has lost its names", () => ({ customs: [] })],
	[
		"has a function more",
		(module) => ({ functions: [...module.functions, 0], code: codeOf([...bodiesOf(module), [0, 0x0b]]) }),
	],
	[
		"has a function less",
		(module) => ({ functions: module.functions.slice(0, -1), code: codeOf(bodiesOf(module).slice(0, -1)) }),
	],
	["has an added function of another type", ({ functions }) => ({ functions: [...functions.slice(0, -1), 0] })],
	["writes to a size", (module) => patch(module, [0x23, 3], [0x24, 3])],
	["asks for the size of V8's memory", (module) => patch(module, [0x23, 3], [0x3f, 1])],
	["lets a chunk be larger", (module) => patch(module, [0x41, 0x80, 0x80, 0x04], [0x41, 0x80, 0x80, 0x05])],
	[
		"goes on where it is to trap",
		(module) => patch(module, [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x0b], [0xff, 0xff, 0xff, 0xff, 0x0f, 0x1a, 0x0b]),
	],
	["compares in another way", (module) => patch(module, [0x56, 0x72, 0x04, 0x40], [0x58, 0x72, 0x04, 0x40])],
	["asks another function of the host's", (module) => patch(module, [0x41, 0x02, 0x11], [0x41, 0x03, 0x11])],
	["grows a table unasked", (module) => patch(module, [0x41, 0x03, 0x11], [0x41, 0x02, 0x11])],
	["does not remember what was dropped", (module) => patch(module, [0x41, 0x01, 0x24], [0x41, 0x00, 0x24])],
];

/** The same of what stands for the changes of tables: broken pieces above all. */
const TABLE_EDITS: readonly (readonly [what: string, from: readonly number[], to: readonly number[]])[] = [
	["does not say that it sets an element", [0x41, 1, 0x24, 0, 0x26], [0x41, 0, 0x24, 0, 0x26]],
	["says it of another table's element", [0x26, 2], [0x26, 0]],
	["does not say that it fills", [0x41, 1, 0x24, 0, 0x10], [0x41, 0, 0x24, 0, 0x10]],
	["fills in larger pieces than it counts", [0x41, 0x80, 2, 0xfc, 17, 2], [0x41, 0x80, 4, 0xfc, 17, 2]],
	["fills in smaller pieces", [0x41, 0x80, 2, 0xfc, 17, 2], [0x41, 0x80, 1, 0xfc, 17, 2]],
	["fills another table", [0xfc, 17, 2], [0xfc, 17, 0]],
	["goes back where it is to go on", [0x41, 0x80, 2, 0x6a, 0x21, 0], [0x41, 0x80, 2, 0x6b, 0x21, 0]],
	["counts up where it is to count down", [0x41, 0x80, 2, 0x6b, 0x21, 2], [0x41, 0x80, 2, 0x6a, 0x21, 2]],
	["begins what is out of bounds", [0x45, 0x04, 0x40], [0x1a, 0x04, 0x40]],
	["compares with the size of another table", [0xfc, 16, 2], [0xfc, 16, 0]],
	["goes on at the end of the table only", [0x56, 0x45, 0x04, 0x40], [0x58, 0x45, 0x04, 0x40]],
	["copies from the wrong end", [0x58, 0x04, 0x40], [0x56, 0x04, 0x40]],
	["copies out of another table", [0xfc, 14, 0, 1], [0xfc, 14, 0, 0]],
	["ends a piece too early", [0x41, 0x80, 2, 0x4b, 0x0d, 0], [0x41, 0x80, 4, 0x4b, 0x0d, 0]],
	["takes a segment to be longer", [0x42, 0xac, 2, 0x56], [0x42, 0xad, 2, 0x56]],
	["takes out of another segment", [0xfc, 12, 0, 0], [0xfc, 12, 2, 0]],
	["takes all of a long segment at once", [0xfc, 12, 2, 0], [0xfc, 12, 0, 0]],
	["grows unasked", [0x45, 0x04, 0x40, 0x41, 0x7f, 0x0f], [0x1a, 0x41, 0, 0x04, 0x40, 0x41, 0x7f, 0x0f]],
	["grows another table", [0xfc, 15, 2], [0xfc, 15, 0]],
	["gives nothing back", [0x41, 0x7d, 0x20, 1], [0x41, 2, 0x20, 1]],
	["gives back another's", [0x41, 0x7d, 0x20, 1], [0x41, 0x7e, 0x20, 1]],
	["does not fill what it grew by", [0x20, 0, 0xd1, 0x45], [0x20, 0, 0xd1]],
	["fills from the wrong place", [0x22, 2, 0x22, 3], [0x22, 2, 0x20, 3]],
	["leaves the place where it filled", [0x0b, 0x20, 2, 0x0b], [0x0b, 0x20, 3, 0x0b]],
];

/** Claims by which the engine would do something else than the original. */
const CLAIMS: readonly (readonly [what: string, edit: (claims: LiftClaims) => Partial<LiftClaims>])[] = [
	["no start function", ({ exports: { start: _, ...exports } }) => ({ exports })],
	["another start function", ({ exports }) => ({ exports: { ...exports, start: "run" } })],
	["no host table", ({ exports: { host: _, ...exports } }) => ({ exports })],
	["a size less", ({ exports }) => ({ exports: { ...exports, pages: exports.pages.slice(1) } })],
	[
		"sizes of other memories",
		({ exports }) => ({
			exports: { ...exports, pages: exports.pages.map(({ memory, name }) => ({ memory: 1 - memory, name })) },
		}),
	],
	[
		"one global for two sizes",
		({ exports: { pages, ...exports } }) => ({
			exports: { ...exports, pages: pages.map(({ memory }) => ({ memory, name: pages[0]!.name })) },
		}),
	],
	["no data", ({ initial }) => ({ initial: { ...initial, data: [] } })],
	[
		"other data",
		({ initial }) => ({
			initial: {
				...initial,
				data: initial.data.map((item) => ({ ...item, bytes: item.bytes.map((byte) => byte ^ 1) })),
			},
		}),
	],
	[
		"data elsewhere",
		({ initial }) => ({
			initial: { ...initial, data: initial.data.map((item) => ({ ...item, offset: item.offset + 1 })) },
		}),
	],
	[
		"data of another memory",
		({ initial }) => ({ initial: { ...initial, data: initial.data.map((item) => ({ ...item, memory: 0 })) } }),
	],
	["data in another order", ({ initial }) => ({ initial: { ...initial, data: initial.data.toReversed() } })],
	["data more", ({ initial }) => ({ initial: { ...initial, data: [...initial.data, initial.data[0]!] } })],
	[
		"another value of a global",
		({ initial }) => ({ initial: { ...initial, globals: initial.globals.map(({ name }) => ({ name, value: 6 })) } }),
	],
	["no value of a global", ({ initial }) => ({ initial: { ...initial, globals: [] } })],
	[
		"a value for a size",
		({ initial, exports }) => ({
			initial: { ...initial, globals: [...initial.globals, { name: exports.pages[0]!.name, value: 1 }] },
		}),
	],
	[
		"memories by other names",
		({ imports }) => ({ imports: { module: imports!.module, memories: imports!.memories.toReversed() } }),
	],
	["no imports", () => ({ imports: undefined })],
	...(["memories", "globals", "tables"] as const).map((key): (typeof CLAIMS)[number] => [
		`state without ${key}`,
		({ state }) => ({ state: typeof state === "string" ? state : { ...state, [key]: state[key].slice(1) } }),
	]),
];

suite("verifyLift", () => {
	test("accepts what is lifted", async () => {
		const { original, bytes, claims } = await lift();
		verifyLift(original, bytes, claims);
		const module = decodeModule(bytes);
		assert.equal(module.functions.length - decodeModule(original).functions.length, 7, "functions that were added");
	});

	for (const [what, text] of Object.entries({ "all that is lifted": PROGRAM, "changes of tables": TABLES }))
		test(`refuses every change of a byte but in the names of what is added: ${what}`, async () => {
			const { original, bytes, claims } = await lift(text);
			const names = decodeModule(bytes).customs.find(({ name }) => name === "name")!.bytes;
			const first = Buffer.from(bytes.buffer, names.byteOffset, names.length).indexOf("skerry.");
			const accepted: number[] = [];
			for (let at = 0; at < bytes.length; at++) {
				const changed = bytes.slice();
				changed[at] = (changed[at] ?? 0) ^ 0x01;
				try {
					verifyLift(original, changed, claims);
					accepted.push(at);
				} catch (error) {
					assert.equal((error as { code?: string }).code, "engine/verification", `byte ${at}: ${String(error)}`);
				}
			}
			const from = names.byteOffset + first - bytes.byteOffset - 2;
			assert.deepEqual(
				accepted.filter((at) => at < from || at >= names.byteOffset - bytes.byteOffset + names.length),
				[],
			);
			assert.ok(accepted.length > 0);
		});

	test("accepts types that are not in their shortest form", () => {
		const section = (id: number, ...content: readonly number[]): number[] => [id, content.length, ...content];
		const preamble = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
		const fill = [0x41, 0, 0xd0, 0x70, 0x41, 2, 0xfc, 17, 0];
		const grow = [0xd0, 0x70, 0x41, 1, 0xfc, 15, 0, 0x1a];
		const array = [0x41, 3, 0xfb, 7, 1, 0x1a];
		const code = [...fill, ...grow, ...array];
		const original = Uint8Array.from([
			...preamble,
			// (sub final (func)), and an array of (ref null extern) as a group of one
			...section(1, 2, 0x4f, 0, 0x60, 0, 0, 0x4e, 1, 0x5e, 0x63, 0x6f, 1),
			...section(3, 1, 0),
			...section(4, 1, 0x63, 0x70, 0, 2),
			...section(6, 1, 0x63, 0x6f, 1, 0xd0, 0x6f, 0x0b),
			...section(10, 1, code.length + 2, 0, ...code, 0x0b),
		]);
		const { bytes } = rewriteModule(original, 0, { metering: "off", verify: true });
		assert.ok((globalThis as any).WebAssembly.validate(bytes));
		assert.ok(bytes.length > original.length + 100);
	});

	for (const [what, edit] of EDITS) {
		test(`refuses a module that ${what}`, async () => {
			const { original, bytes, claims } = await lift();
			const module = decodeModule(bytes);
			const changed = encodeModule({ ...module, ...edit(module) });
			assert.notDeepEqual(changed, bytes);
			assert.throws(() => verifyLift(original, changed, claims), refused);
		});
	}

	for (const [what, from, to] of TABLE_EDITS) {
		test(`refuses a module with tables that ${what}`, async () => {
			const { original, bytes, claims } = await lift(TABLES);
			const module = decodeModule(bytes);
			const changed = encodeModule({ ...module, ...patch(module, from, to) });
			assert.throws(() => verifyLift(original, changed, claims), refused);
		});
	}

	for (const [what, from, to] of [
		["unbounded", [0x10, 2, 0xfb, 6, 0], [0x01, 0x01, 0xfb, 6, 0]],
		["bounded as those of another type", [0x10, 2, 0xfb, 6, 0], [0x10, 3, 0xfb, 6, 0]],
		["longer than they may be", [0x41, 0x80, 0x80, 0x80, 8, 0x4b], [0x41, 0x80, 0x80, 0x80, 9, 0x4b]],
		["of a length that is always right", [8, 0x4b, 4, 0x40], [8, 0x49, 4, 0x40]],
		["counted as narrower ones", [0x42, 2, 0x7e], [0x42, 1, 0x7e]],
		["not counted", [0x42, 24, 0x7c, 0x10, 1], [0x42, 24, 0x7c, 0x1a, 1]],
		["counted by another function", [0x42, 24, 0x7c, 0x10, 1], [0x42, 24, 0x7c, 0x10, 7]],
		["taken out of data as if it were longer", [0x41, 3, 0x4d], [0x41, 4, 0x4d]],
		["taken out of elements and not counted", [0x10, 5, 0xfb, 10, 3, 0], [0x01, 0x01, 0xfb, 10, 3, 0]],
		["fixed, and counted as shorter ones", [0x42, 26, 0x10, 1], [0x42, 25, 0x10, 1]],
		["beside structures that are counted as smaller ones", [0x42, 48, 0x10, 1], [0x42, 40, 0x10, 1]],
		["beside exceptions that are not counted", [0x42, 0xc0, 1, 0x10, 1], [0x42, 0xc0, 1, 0x1a, 1]],
		["counted, but never too many", [0x42, 0, 0x53, 4, 0x40], [0x42, 0, 0x55, 4, 0x40]],
		["counted and go on when there is no more", [0x50, 4, 0x40, 0], [0x50, 4, 0x40, 1]],
	] as const) {
		test(`refuses a module whose arrays are ${what}`, async () => {
			const { original, bytes, claims } = await lift(OBJECTS);
			verifyLift(original, bytes, claims);
			const module = decodeModule(bytes);
			const changed = encodeModule({ ...module, ...patch(module, from, to) });
			assert.throws(() => verifyLift(original, changed, claims), refused);
		});
	}

	test("refuses claims of another place in which objects are counted", async () => {
		const { original, bytes, claims } = await lift(OBJECTS);
		const { heap: _, ...exports } = claims.exports;
		for (const changed of [exports, { ...exports, heap: "skerry:none" }])
			assert.throws(() => verifyLift(original, bytes, { ...claims, exports: changed }), refused);
		assert.ok(typeof claims.state === "object");
		const state = { ...claims.state, globals: [] };
		assert.throws(() => verifyLift(original, bytes, { ...claims, state }), refused);
		const plain = await lift("(module (func))");
		assert.throws(() => verifyLift(plain.original, plain.bytes, { ...plain.claims, exports: claims.exports }), refused);
	});

	for (const claim of [undefined, "skerry:dropped:elem:1", "skerry:none"]) {
		test(`refuses the claim that changes of tables are noted in ${claim}`, async () => {
			const { original, bytes, claims } = await lift(TABLES);
			assert.ok(typeof claims.state === "object");
			const { tablesChanged: _, ...state } = claims.state;
			verifyLift(original, bytes, { ...claims, state: { ...state, tablesChanged: "skerry:tables" } });
			const other = claim === undefined ? state : { ...state, tablesChanged: claim };
			assert.throws(() => verifyLift(original, bytes, { ...claims, state: other }), refused);
		});
	}

	for (const [what, edit] of CLAIMS) {
		test(`refuses the claim of ${what}`, async () => {
			const { original, bytes, claims } = await lift();
			assert.throws(() => verifyLift(original, bytes, { ...claims, ...edit(claims) }), refused);
		});
	}

	/** What such a module would have to export, and name as its state. */
	const STATES: readonly (readonly [what: string, text: string, exports?: Module["exports"]])[] = [
		["a structure in a global", "(global (ref $s) (struct.new $s (i32.const 1)))"],
		["what may lead to one", "(global anyref (ref.null any))"],
		["a structure that hides", "(global externref (extern.convert_any (struct.new_default $s)))"],
		["an array in a constant", "(table 1 externref (extern.convert_any (array.new $a (i32.const 1) (i32.const 2))))"],
		["a structure in a segment", "(elem externref (item (extern.convert_any (array.new_fixed $a 1 (i32.const 1)))))"],
		["a table of structures", "(table 1 (ref null $s))"],
		["a table of exceptions", "(table 1 exnref)"],
		["a vector", "(global (mut v128) (v128.const i64x2 0 0))", [{ name: "x", kind: "global", index: 0 }]],
		["a reference", "(global (mut funcref) (ref.null func))", [{ name: "x", kind: "global", index: 0 }]],
		["a shared memory", "(memory 1 1 shared)", [{ name: "x", kind: "memory", index: 0 }]],
		[
			"changes of another's table of structures",
			`(import "a" "t" (table 1 eqref)) (func (table.set 0 (i32.const 0) (ref.null eq)))`,
			[
				{ name: "x", kind: "table", index: 0 },
				{ name: "changed", kind: "global", index: 0 },
			],
		],
	];
	for (const [what, text, added = []] of STATES) {
		test(`refuses the claim that it can be put back: ${what}`, async () => {
			const own = "(type $s (sub (struct (field (mut i32))))) (type $a (array (mut i32)))";
			const imports = text.startsWith("(import") ? [text, own] : [own, text];
			const original = await parse(`(module ${imports.join(" ")})`);
			const { bytes, ...claims } = rewriteModule(original, 0, { metering: "off", verify: true });
			assert.equal(typeof claims.state, "string");
			const module = decodeModule(bytes);
			const exports = [...module.exports, ...added];
			const lifted = encodeModule({ ...module, exports });
			const named = (kind: string): string[] => added.filter((item) => item.kind === kind).map(({ name }) => name);
			const globals = named("global");
			const isChanged = globals.includes("changed");
			const state = {
				memories: named("memory"),
				globals: isChanged ? [] : globals,
				tables: named("table"),
				...(isChanged ? { tablesChanged: "changed" } : {}),
			};
			assert.throws(() => verifyLift(original, lifted, { ...claims, state }), {
				...refused,
				message: /its state holds what no one can put back/,
			});
		});
	}

	for (const [what, ...make] of [
		["a structure of an array's type", 0xfb, 1, 1],
		["an array of a structure's type", 0x41, 0, 0x41, 3, 0xfb, 6, 0],
		["a fixed array of a structure's type", 0xfb, 8, 0, 0],
	] as const) {
		test(`leaves constants to V8 that are not valid: ${what}`, () => {
			const types = [1, 8, 2, 0x5f, 1, 0x7f, 1, 0x5e, 0x7f, 1];
			const global = [6, make.length + 4, 1, 0x6e, 0, ...make, 0x0b];
			const original = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...types, ...global]);
			const { bytes } = rewriteModule(original, 0, { metering: "off", verify: true });
			assert.equal((globalThis as any).WebAssembly.validate(bytes), false);
		});
	}

	for (const [what, text, edit] of [
		["that V8 writes no data", `(module (import "" "m" (memory 1)) (data (i32.const 0) "a"))`, { writesData: false }],
		["that V8 writes data", `(module (memory 1) (data (i32.const 0) "a"))`, { writesData: true }],
		[
			"fewer elements",
			`(module (import "" "t" (table 7 funcref)) (table 2 funcref) (table i64 3 externref))`,
			{ tableElements: 4 },
		],
		["no objects", "(module (type $s (struct)) (global (ref $s) (struct.new $s)))", { heapBytes: 0 }],
		[
			"fewer objects",
			`(module (type $a (array i16)) (table 1 (ref null $a) (array.new $a (i32.const 1) (i32.const 100)))
				(elem (ref $a) (item (array.new_default $a (i32.const 50))) (item (array.new_fixed $a 1 (i32.const 1)))))`,
			{ heapBytes: 224 + 124 },
		],
	] as const) {
		test(`refuses the claim of ${what}`, async () => {
			const { original, bytes, claims } = await lift(text);
			const exports = { ...claims.exports, ...edit };
			assert.notDeepEqual(exports, claims.exports);
			assert.throws(() => verifyLift(original, bytes, { ...claims, exports }), refused);
		});
	}

	for (const [what, text, at, to] of [
		[
			"a size",
			`(module (memory 1) (global (mut i32) (i32.const 0)) (func (drop (memory.size)) (drop (global.get 0))))`,
			[0x23, 0, 0x1a, 0x0b],
			[0x23, 1, 0x1a, 0x0b],
		],
		[
			"an added function",
			`(module (memory 1) (func $f (drop (memory.grow (i32.const 1)))) (func (call $f)))`,
			[0x10, 0, 0x0b],
			[0x10, 2, 0x0b],
		],
		[
			"the host's table",
			`(module (memory 1) (table 1 funcref) (func (drop (memory.grow (i32.const 1))) (drop (table.get 0 (i32.const 0)))))`,
			[0x25, 0],
			[0x25, 1],
		],
	] as const) {
		test(`refuses a guest that names ${what}`, async () => {
			const { original, bytes, claims } = await lift(text);
			// As if the guest's instruction had named it from the start
			const change = (of: Uint8Array): Uint8Array => {
				const module = decodeModule(of);
				return encodeModule({ ...module, ...patch(module, at, to) });
			};
			verifyLift(original, bytes, claims);
			assert.throws(() => verifyLift(change(original), change(bytes), claims), refused);
		});
	}

	test("refuses an original whose instruction was left as it is", async () => {
		for (const code of [
			"(memory.fill (i32.const 0) (i32.const 0) (i32.const 0))",
			"(drop (memory.size))",
			"(drop (memory.grow (i32.const 0)))",
			"(drop (i32.atomic.load (i32.const 0)))",
			"(drop (table.grow 0 (ref.null func) (i32.const 0)))",
			"(table.set 0 (i32.const 0) (ref.null func))",
			"(table.fill 0 (i32.const 0) (ref.null func) (i32.const 0))",
			"(table.copy 0 0 (i32.const 0) (i32.const 0) (i32.const 0))",
			"(table.init 0 $e (i32.const 0) (i32.const 0) (i32.const 0))",
			"(elem.drop $e)",
			"(table.init 0 $e (i32.const 0) (i32.const 0) (i32.const 0)) (elem.drop $e)",
		]) {
			const original = await parse(
				`(module (import "" "m" (memory 1)) (import "" "t" (table 1 funcref)) (elem $e func) (func ${code}))`,
			);
			const claims: LiftClaims = {
				state: "left as it is",
				imports: undefined,
				exports: { pages: [], writesData: false, tableElements: 0 },
				initial: { data: [], globals: [] },
			};
			assert.throws(() => verifyLift(original, original, claims), refused, code);
		}
	});
});
