import assert from "node:assert/strict";
import { test } from "node:test";
import type { SkerryError } from "../fault/mod.ts";
import { headOf, textOf } from "./sexpr.ts";
import { type Command, parseScript } from "./script.ts";

/** A command without the source of its unit, which has a test of its own. */
function shapeOf(command: Command): unknown {
	if (!("unit" in command)) return { ...command, line: undefined };
	const { sort, id, definition, source } = command.unit;
	const message = "message" in command ? command.message : undefined;
	return [command.kind, sort, id, definition, source.kind, message];
}

test("what is no script is refused with its line", () => {
	const cases: readonly [string, RegExp][] = [
		["(module", /unfinished list/],
		['\n(module "', /unfinished string/],
		["(; (; ;)", /unfinished comment/],
		[")", /unexpected \)/],
		['(module quote "\\u{41")', /no character has this escape/],
		['(module quote "\\u41}")', /no character has this escape/],
		['(module quote "\\u{110000}")', /no character has this escape/],
		['(module quote "\\u{}")', /no character has this escape/],
		['(module quote "\\u', /no character has this escape/],
		['(module quote "\\4")', /unknown escape/],
		['(module quote "\\zz")', /unknown escape/],
		["(".repeat(300_000), /more than 1000 lists within each other/],
	];
	for (const [script, message] of cases) {
		assert.throws(
			() => parseScript(script),
			(error: SkerryError) =>
				error.code === "wast/malformed" && message.test(error.message) && error.place !== undefined,
			script.slice(0, 40),
		);
	}
	assert.equal(parseScript(`${"(".repeat(1000)}${")".repeat(1000)}`).length, 1);
	assert.deepEqual(parseScript('(module quote "\\u{1_0FFFF}")').length, 1);
});

test("each form of command", () => {
	const script = `
		;; a comment (; not a block
		(; a block (; in a block ;) ;)
		(component $A (import "x" (func)))
		(component definition $B binary "\\00asm" "\\0d\\00\\01\\00")
		(component instance $b $B)
		(assert_invalid (component quote "(import \\"a\\")" "(x)") "why \\u{e9}")
		(assert_malformed (component binary "\\00") "")
		(assert_unlinkable (component $C) "no")
		(assert_trap (component) "boom")
		(module $M)
		(register "n" $M)
		(invoke $b "f" (u32.const 1) (list.const))
		(assert_return (invoke "f") (str.const "a;b"))
		(assert_trap (invoke "g") "trap")
		(assert_return (get $M "x"))
		(thread $T)`;
	const action = { kind: "invoke", instance: null, name: "f", args: [], line: 14 };
	const commands = parseScript(script);
	assert.deepEqual(commands.slice(0, 9).map(shapeOf), [
		["unit", "component", "$A", false, "text", undefined],
		["unit", "component", "$B", true, "binary", undefined],
		{ kind: "instance", id: "$b", definition: "$B", line: undefined },
		["assert_invalid", "component", null, false, "quote", "why é"],
		["assert_malformed", "component", null, false, "binary", ""],
		["assert_unlinkable", "component", "$C", false, "text", "no"],
		["assert_uninstantiable", "component", null, false, "text", "boom"],
		["unit", "module", "$M", false, "text", undefined],
		{ kind: "register", name: "n", instance: "$M", line: undefined },
	]);
	const [invoke, assertReturn, assertTrap, get, unknown] = commands.slice(9);
	assert.ok(invoke?.kind === "action" && invoke.action.kind === "invoke");
	assert.deepEqual(
		[invoke.action.instance, invoke.action.name, invoke.action.args.map(headOf)],
		["$b", "f", ["u32.const", "list.const"]],
	);
	assert.ok(assertReturn?.kind === "assert_return");
	assert.deepEqual(assertReturn.action, action);
	const [result] = assertReturn.results;
	assert.ok(result?.kind === "list");
	assert.equal(textOf(result.items[1]), "a;b");
	assert.ok(assertTrap?.kind === "assert_trap");
	assert.equal(assertTrap.message, "trap");
	assert.ok(get?.kind === "assert_return");
	assert.equal(get.action.kind, "get");
	assert.deepEqual(unknown, { kind: "unknown", name: "thread", line: 17 });
});

test("the sources of units", () => {
	const sources = parseScript(`(component definition $A (core module))
		(component binary "\\00a" "\\ff\\n")
		(component quote "(a \\"b\\")" " (c)")`).map((command) => ("unit" in command ? command.unit.source : undefined));
	assert.deepEqual(sources, [
		{ kind: "text", text: "(component $A (core module))" },
		{ kind: "binary", bytes: Uint8Array.of(0, 0x61, 0xff, 10) },
		{ kind: "quote", text: `(component (a "b") (c))` },
	]);
});

test("core scripts: definitions and instances, annotations, quoted modules, a module without its parentheses", () => {
	const commands = parseScript(`((@a) module (@b c) definition $M (func (@d)))
		(module instance $I $M)
		(@e)
		(module quote "(module (func))")
		(assert_exception (invoke "f"))
		(assert_malformed_custom (module quote "x") "why")`);
	assert.deepEqual(commands.map(shapeOf), [
		["unit", "module", "$M", true, "text", undefined],
		{ kind: "instance", id: "$I", definition: "$M", line: undefined },
		["unit", "module", null, false, "quote", undefined],
		{
			kind: "assert_exception",
			action: { kind: "invoke", instance: null, name: "f", args: [], line: 5 },
			message: "",
			line: undefined,
		},
		["assert_malformed_custom", "module", null, false, "quote", "why"],
	]);
	const quoted = commands[2];
	assert.deepEqual(quoted?.kind === "unit" && quoted.unit.source, { kind: "quote", text: "(module (func))" });
	const [inline, ...none] = parseScript("(memory 1)\n(func)");
	assert.deepEqual(none, []);
	assert.deepEqual(inline?.kind === "unit" && inline.unit.source, {
		kind: "text",
		text: "(module (memory 1)\n(func))",
	});
});

test("an unfinished script says where", () => {
	for (const text of ["(a\n(b)", '("a', "(; a", ")"]) {
		assert.throws(() => parseScript(text), { code: "wast/malformed" }, text);
	}
});
