import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { SkerryError, Trap } from "../../fault/mod.ts";
import { Gate } from "../border/gate.ts";
import { guest } from "../guest.fixture.ts";
import { TRAPS } from "./trap-table.ts";
import { hostFault, toTrap } from "./traps.ts";

/** Real traps: V8's message, the body of a function that makes it, what else the module needs. */
const MADE: readonly (readonly [v8: string, body: string, fields?: string])[] = [
	["unreachable", "unreachable"],
	["memory access out of bounds", "(drop (i32.load (i32.const -1)))", "(memory 1)"],
	["memory access out of bounds", "(memory.fill (i32.const -1) (i32.const 0) (i32.const 9))", "(memory 1)"],
	["memory access out of bounds", "(i64.store offset=4294967295 (i32.const 8) (i64.const 1))", "(memory 1)"],
	[
		"data segment out of bounds",
		"(drop (array.new_data $a $d (i32.const 0) (i32.const 50)))",
		'(type $a (array i32)) (data $d "abc")',
	],
	["table index is out of bounds", "(call_indirect (i32.const 7))", "(table 1 funcref)"],
	["table index is out of bounds", "(drop (table.get (i32.const 1)))", "(table 1 funcref)"],
	["table index is out of bounds", "(table.copy (i32.const 0) (i32.const 0) (i32.const 8))", "(table 1 funcref)"],
	[
		"element segment out of bounds",
		"(table.init $e (i32.const 0) (i32.const 0) (i32.const 8))",
		"(table 9 funcref) (elem $e func)",
	],
	["function signature mismatch", "(call_indirect (i32.const 0))", "(table 1 funcref)"],
	[
		"function signature mismatch",
		"(call_indirect (param i32) (i32.const 7) (i32.const 0))",
		"(table 1 funcref) (elem (i32.const 0) $other) (func $other)",
	],
	["divide by zero", "(drop (i32.div_s (i32.const 1) (i32.const 0)))"],
	["remainder by zero", "(drop (i64.rem_u (i64.const 1) (i64.const 0)))"],
	["divide result unrepresentable", "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))"],
	["float unrepresentable in integer range", "(drop (i32.trunc_f32_s (f32.const nan)))"],
	["float unrepresentable in integer range", "(drop (i64.trunc_f64_u (f64.const -1)))"],
	["dereferencing a null pointer", "(drop (ref.as_non_null (ref.null func)))"],
	["dereferencing a null pointer", "(drop (struct.get $s 0 (ref.null $s)))", "(type $s (struct (field i32)))"],
	["rethrowing null value", "(throw_ref (ref.null exn))"],
	["illegal cast", "(drop (ref.cast (ref i31) (struct.new_default $s)))", "(type $s (struct (field i32)))"],
	[
		"array element access out of bounds",
		"(drop (array.get $a (array.new_default $a (i32.const 2)) (i32.const 2)))",
		"(type $a (array i32))",
	],
	["requested new array is too large", "(drop (array.new_default $a (i32.const 0x7fffffff)))", "(type $a (array i32))"],
	["operation does not support unaligned accesses", "(drop (i32.atomic.load (i32.const 1)))", "(memory 1 1 shared)"],
	[
		"Atomics.wait cannot be called in this context",
		"(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)))",
		"(memory 1)",
	],
	["Maximum call stack size exceeded", "(call $self)"],
];

/** Rows whose trap is made in another test. */
const ELSEWHERE = ["trying to suspend"];

/** Texts that are not the core suite's. */
const NOT_OF_THE_SUITE = new Set([
	"cannot block a synchronous task before returning", // the Component Model's
	"out of bounds array allocation", // no test makes it
	"expected shared memory", // the proposal for threads
]);

async function trapOf(body: string, fields = ""): Promise<Trap> {
	const gate = new Gate();
	const { exports } = await guest(gate, `(module ${fields} (func $self (export "f") ${body}))`);
	try {
		await gate.wrapExport(exports["f"], false)();
	} catch (error) {
		assert.ok(error instanceof Trap, String(error));
		return error;
	}
	return assert.fail(`${body} returned`);
}

for (const [v8, body, fields] of MADE) {
	test(`${v8}: ${body}`, async () => {
		const trap = await trapOf(body, fields);
		assert.equal((trap.cause as Error).message, v8);
		const row = TRAPS.find((known) => known.v8 === v8);
		assert.deepEqual([trap.message, trap.kind, trap.explanation], [row?.specification, row?.kind, row?.guest]);
	});
}

test("each row of the table is made by a real trap", () => {
	const made = new Set([...MADE.map(([v8]) => v8), ...ELSEWHERE]);
	for (const { v8: text } of TRAPS)
		assert.ok(
			[...made].some((v8) => v8.startsWith(text)),
			`nothing makes "${text}"`,
		);
	assert.equal(made.size, TRAPS.length);
	assert.equal(new Set(TRAPS.map(({ kind }) => kind)).size, TRAPS.length, "a kind names one row");
});

const SUITE = path.resolve(import.meta.dirname, "../../../../shared/suites/core");
const absent = existsSync(SUITE) ? false : `core: ${TRAPS.length} wordings cannot be compared, no ${SUITE}`;
test("the texts are those of the core suite", { skip: absent }, () => {
	const texts = new Set<string>();
	for (const file of globSync("**/*.wast", { cwd: SUITE })) {
		const script = readFileSync(path.join(SUITE, file), "utf8");
		for (const [, text = ""] of script.matchAll(/"([^"\n]*)"\s*\)/g)) texts.add(text);
	}
	for (const { specification } of TRAPS) {
		for (const text of specification.split(", or ")) {
			assert.ok(texts.has(text) || NOT_OF_THE_SUITE.has(text), `the suite does not say "${text}"`);
		}
	}
});

for (const [fields, message] of [
	['(memory 1) (data (i32.const 65536) "x")', "out of bounds memory access"],
	["(table 1 funcref) (elem (i32.const 1) $self)", "out of bounds table access"],
] as const) {
	test(`at instantiation: ${fields}`, async () => {
		await assert.rejects(guest(new Gate(), `(module ${fields} (func $self))`), (error) => {
			assert.ok(error instanceof Trap, String(error));
			assert.ok(error.message.split(", or ").includes(message), error.message);
			return true;
		});
	});
}

test("rule 25: a core exception that nothing caught is a trap", async () => {
	const trap = await trapOf("(throw $e (i32.const 7))", "(tag $e (param i32))");
	assert.equal(trap.message, "uncaught exception");
});

test("the guest's frames carry names and offsets, innermost first; the host's own are left out", async () => {
	const fields = "(func $inner unreachable) (func $outer (call $inner))";
	const { frames } = await trapOf("(call $outer)", fields);
	assert.deepEqual(
		frames.map(({ name, index, moduleOffset }) => [name, index, moduleOffset]),
		[
			["inner", 0, 0],
			["outer", 1, 0],
			["self", 2, 0],
		],
	);
	assert.equal(new Set(frames.map(({ offset }) => offset)).size, 3);
	const [unnamed, named] = (await trapOf("(call 0)", "(func unreachable)")).frames;
	assert.deepEqual([unnamed?.name, named?.name], [undefined, "self"]);
});

test("a function without a name is known by its export", async () => {
	const gate = new Gate();
	const { exports } = await guest(gate, '(module (func (export "go") unreachable))');
	await assert.rejects(Promise.try(gate.wrapExport(exports["go"], false)), (error) => {
		assert.deepEqual(
			(error as Trap).frames.map(({ name, index }) => [name, index]),
			[["go", 0]],
		);
		return true;
	});
});

test("who formats stacks themselves goes on to do so", async () => {
	const own = (): string => "formatted";
	Error.prepareStackTrace = own;
	try {
		assert.equal((await trapOf("unreachable")).frames.length, 1);
		assert.equal(Object.getOwnPropertyDescriptor(Error, "prepareStackTrace")?.value, own);
	} finally {
		Reflect.deleteProperty(Error, "prepareStackTrace");
	}
	const { cause } = await trapOf("unreachable");
	assert.match((cause as Error).stack ?? "", /^RuntimeError: unreachable\n {4}at .*wasm-function\[0\]:0x/);
});

test("errors that are no trap are passed through as they are", () => {
	for (const error of [
		new SkerryError("cli/usage", "text"),
		new Trap("text"),
		new RangeError("Invalid array length"),
		new TypeError("unreachable"),
		"unreachable",
		undefined,
	]) {
		assert.equal(toTrap(error), error);
		assert.equal(hostFault(error), error);
	}
});
