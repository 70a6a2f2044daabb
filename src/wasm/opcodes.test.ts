/** Every row of the opcode table: against wasm-tools (codes and names), V8 (signatures) and our two decoders. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Reader, Writer } from "../bytes/mod.ts";
import { CodeReader } from "./code-reader.ts";
import { CodeWriter } from "./code-writer.ts";
import { decodeModule, encodeModule } from "./codec.ts";
import { decodeConstExpr } from "./const-expr.ts";
import { decodeInstruction, encodeInstruction } from "./instruction.ts";
import type { Module } from "./module.ts";
import type { Atom } from "./opcode-row.ts";
import { OPCODES } from "./opcodes.ts";
import { encodeOperator, OP, type OpName, operatorOf, SPACES } from "./operators.ts";
import { emptyCode } from "./section/code.ts";
import type { ValueTypeSyntax } from "./syntax.ts";
import { V8 } from "./v8.fixture.ts";

/** Immediates as text, in the order of the text format. */
const TEXT: Readonly<Record<Atom, string>> = {
	func: "0",
	type: "0",
	table: "0",
	memory: "0",
	global: "0",
	tag: "0",
	data: "0",
	elem: "0",
	local: "300",
	label: "0",
	field: "1",
	length: "3",
	block: "",
	heap: "func",
	types: "(result i32)",
	memarg: "offset=1000",
	labels: "0 0 0",
	catches: "(catch 0 0) (catch_ref 1 0) (catch_all 0) (catch_all_ref 0)",
	cast: "",
	s32: "-123456",
	s64: "-1234567890123",
	f32: "1.5",
	f64: "nan:0x123",
	v128: "i32x4 1 2 3 4",
	lane: "1",
	lanes: "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31",
	zero: "",
};

/** Where the text of an instruction is not its name and immediates. */
const SPELLED: Readonly<Partial<Record<OpName, string>>> = {
	block: "block (result i32) end",
	loop: "loop (type 1) end",
	if: "if end",
	else: "if else end",
	try: "try catch_all end",
	catch: "try catch 0 end",
	catch_all: "try catch_all end",
	delegate: "try delegate 0",
	end: "block end",
	try_table: "try_table (catch 0 0) (catch_ref 1 0) (catch_all 0) (catch_all_ref 0) end",
	call_indirect: "call_indirect 1 (type 1)",
	return_call_indirect: "return_call_indirect 1 (type 1)",
	"select t": "select (result i32)",
	"ref.test": "ref.test (ref i31)",
	"ref.test null": "ref.test (ref null 1)",
	"ref.cast": "ref.cast (ref 300)",
	"ref.cast null": "ref.cast (ref null i31)",
	br_on_cast: "br_on_cast 0 anyref (ref i31)",
	br_on_cast_fail: "br_on_cast_fail 0 (ref null 1) (ref 0)",
	"memory.init": "memory.init 0",
	"table.init": "table.init 1 0",
};

const names = OPCODES.map(([, name]) => name);

function textOf(name: OpName): string {
	const atoms = operatorOf(OP[name])?.atoms ?? [];
	return SPELLED[name] ?? [name, ...atoms.map((atom) => TEXT[atom])].join(" ");
}

/** For each opcode the bytes that wasm-tools makes of it, found in the body by our walker. */
const encoded = new Map<OpName, Uint8Array>();

before(async () => {
	const functions = names.map((name) => `(func ${textOf(name)})`).join("\n");
	const types = `(type (func)) (type (func (result i32)))`;
	const { code } = decodeModule(await parse(`(module ${types} ${functions})`));
	assert.equal(code.starts.length, names.length);
	const reader = new CodeReader(code);
	names.forEach((name, i) => {
		reader.enter(i);
		while (reader.next()) {
			if (reader.op === OP[name]) encoded.set(name, code.bytes.slice(reader.start, reader.end));
		}
	});
});

test("the table has no code and no name twice", () => {
	assert.equal(new Set(OPCODES.map(([code]) => code)).size, OPCODES.length);
	assert.equal(new Set(names).size, OPCODES.length);
	assert.equal(new Set(Object.values(OP)).size, OPCODES.length);
	assert.ok(OPCODES.length > 550);
});

test("every opcode is the one that wasm-tools writes for its name", () => {
	assert.deepEqual(
		names.filter((name) => !encoded.has(name)),
		[],
	);
});

test("every instruction decodes and encodes to the same bytes", () => {
	for (const [name, bytes] of encoded) {
		const reader = new Reader(bytes, 100);
		const instruction = decodeInstruction(reader);
		assert.equal(instruction.op, OP[name], name);
		assert.ok(reader.done, name);
		const writer = new Writer();
		encodeInstruction(writer, instruction);
		assert.deepEqual(writer.finish(), bytes, name);
	}
});

test("every instruction that is cut short is refused by both decoders", () => {
	for (const [name, bytes] of encoded) {
		for (let length = 1; length < bytes.length; length++) {
			const cut = bytes.slice(0, length);
			assert.throws(() => decodeInstruction(new Reader(cut)), { code: "binary/truncated" }, `${name} at ${length}`);
			const walk = new CodeReader({
				bytes: Uint8Array.from([0, ...cut]),
				offset: 0,
				starts: Uint32Array.of(0),
				ends: Uint32Array.of(1 + length),
			});
			walk.enter(0);
			assert.throws(() => walk.next(), { code: "binary/truncated" }, `${name} at ${length}, walked`);
		}
	}
});

test("a number that is no opcode is refused by both decoders", () => {
	const known = new Set<number>(Object.values(OP));
	let refused = 0;
	for (let op = 0; op < SPACES.length; op++) {
		if (known.has(op) || [0xfb, 0xfc, 0xfd, 0xfe].includes(op)) continue;
		const writer = new Writer().u8(0);
		encodeOperator(writer, op);
		const bytes = writer.u32(0).u32(0).finish();
		assert.throws(() => decodeInstruction(new Reader(bytes.subarray(1))), { code: "binary/malformed" });
		const walk = new CodeReader({ bytes, offset: 0, starts: Uint32Array.of(0), ends: Uint32Array.of(bytes.length) });
		walk.enter(0);
		assert.throws(() => walk.next(), { code: "binary/malformed", message: /^illegal opcode 0x/ });
		refused++;
	}
	assert.equal(refused, SPACES.length - OPCODES.length - 4);
});

function typeOf(name: string): ValueTypeSyntax {
	if (!name.endsWith("ref")) return { kind: "number", name: name === "addr" ? "i32" : name };
	return { kind: "ref", nullable: true, heap: name.slice(0, -3) };
}

/** A module whose function takes and returns these types and holds one instruction between. */
function moduleOf(params: readonly string[], results: readonly string[], instruction: Uint8Array): Uint8Array {
	const writer = new CodeWriter(emptyCode());
	writer.begin(0).locals([]);
	params.forEach((_, i) => writer.op(OP["local.get"]).out.u32(i));
	writer.out.raw(instruction);
	writer.op(OP.end).finishBody(0);
	const limits = { minimum: 1n, shared: false, index: "i32" } as const;
	const funcref = { kind: "ref", nullable: true, heap: "func" } as const;
	const table = { type: { kind: "table", element: funcref, limits }, init: null } as const;
	const func = { kind: "func", params: params.map(typeOf), results: results.map(typeOf) } as const;
	const module: Module = {
		types: [[{ final: true, supertypes: [], composite: func }]],
		imports: [],
		functions: [0],
		tables: [table, table],
		memories: [{ kind: "memory", limits }],
		tags: [],
		globals: [],
		exports: [],
		start: null,
		elements: [{ mode: { kind: "passive" }, items: { kind: "functions", indices: [0] } }],
		dataCount: true,
		code: writer.finish(),
		data: [{ target: null, bytes: Uint8Array.of(1) }],
		customs: [],
		source: new Map(),
	};
	return encodeModule(module);
}

test("every fixed signature is the one that V8 validates", () => {
	let checked = 0;
	const other = (type: string): string => (type === "f64" ? "f32" : "f64");
	for (const [name, bytes] of encoded) {
		const signature = operatorOf(OP[name])?.signature;
		if (signature == null) continue;
		const { params, results } = signature;
		checked++;
		assert.ok(V8.validate(moduleOf(params, results, bytes)), `${name} as the table has it`);
		params.forEach((type, i) => {
			const wrong = moduleOf(params.with(i, other(type)), results, bytes);
			assert.ok(!V8.validate(wrong), `${name} with parameter ${i} of another type`);
		});
		results.forEach((type, i) => {
			const wrong = moduleOf(params, results.with(i, other(type)), bytes);
			assert.ok(!V8.validate(wrong), `${name} with result ${i} of another type`);
		});
		assert.ok(!V8.validate(moduleOf(params, [...results, "i32"], bytes)), `${name} returns more`);
	}
	assert.ok(checked > 480, `${checked} signatures`);
});

test("constant expressions hold what the table marks, and nothing else", () => {
	for (const [name, bytes] of encoded) {
		if (name === "end") continue;
		const decode = (): unknown => decodeConstExpr(new Reader(Uint8Array.from([...bytes, OP.end])));
		if (operatorOf(OP[name])?.constant === true) assert.doesNotThrow(decode, name);
		else assert.throws(decode, { code: "binary/malformed", message: /is not allowed in a constant expression/ }, name);
	}
});
