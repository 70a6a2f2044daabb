/** Which exports need a stack of their own: exactly those whose code can come to something that waits, or to the host's code. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import type { Features } from "./features.ts";
import { createPlan } from "./inline.ts";
import { loadComponent } from "../link.ts";

/** The exports that need one. */
async function stackful(wat: string, features: Features = {}): Promise<string[]> {
	const { component, type } = loadComponent(new Uint8Array(await parse(wat)));
	const { plan } = createPlan(component, type, features);
	return [...plan.exports].flatMap(([name, item]) =>
		item.kind === "func" && item.ref.kind === "lift" && plan.stackful[item.ref.index] === true ? [name] : [],
	);
}

/** A component with one core module, whose functions `names` are exported; `later` waits, and `fields` are the module's. */
function guest(names: readonly string[], fields: string): string {
	return `(component
	(import "later" (func $later async))
	(core func $later (canon lower (func $later)))
	(core func $return (canon task.return))
	(core func $yield (canon thread.yield))
	(core func $poll-set (canon waitable-set.new))
	(core module $m
		(import "" "later" (func $later))
		(import "" "return" (func $return))
		(import "" "yield" (func $yield (result i32)))
		(import "" "set" (func $set (result i32)))
		${fields}
		(func (export "callback") (param i32 i32 i32) (result i32) (i32.const 0)))
	(core instance $i (instantiate $m (with "" (instance
		(export "later" (func $later)) (export "return" (func $return)) (export "yield" (func $yield))
		(export "set" (func $poll-set))))))
	${names
		.map(
			(name) =>
				`(func (export "${name}") async (canon lift (core func $i "${name}") async (callback (core func $i "callback"))))`,
		)
		.join("\n")})`;
}

suite("what a core function comes to", () => {
	for (const [what, fields, expected] of [
		["nothing", `(func (export "a") (result i32) (call $return) (i32.const 0))`, []],
		["built-ins that never wait", `(func (export "a") (result i32) (call $set))`, []],
		["a function of the host", `(func (export "a") (result i32) (call $later) (i32.const 0))`, ["a"]],
		["a built-in that waits", `(func (export "a") (result i32) (call $yield))`, ["a"]],
		[
			"calls of calls, and a circle of them",
			`(func $x (call $y)) (func $y (call $x) (call $later)) (func $z (call $z))
			(func (export "a") (result i32) (call $x) (i32.const 0)) (func (export "b") (result i32) (call $z) (i32.const 0))`,
			["a"],
		],
		[
			"a tail call",
			`(func $x (result i32) (return_call $yield)) (func (export "a") (result i32) (return_call $x))`,
			["a"],
		],
		[
			"a table: functions of the type that is called",
			`(table funcref (elem $later $p)) (func $p (param i32))
			(func (export "a") (result i32) (call_indirect (i32.const 0)) (i32.const 0))
			(func (export "b") (result i32) (call_indirect (param i32) (i32.const 0) (i32.const 1)) (i32.const 0))`,
			["a"],
		],
		[
			"a reference",
			`(type $f (func)) (func $p (call $later)) (elem declare func $p)
			(func (export "a") (result i32) (call_ref $f (ref.func $p)) (i32.const 0))`,
			["a"],
		],
		[
			"a reference out of a global",
			`(type $f (func)) (func $p (call $later)) (global $g (ref $f) (ref.func $p))
			(func (export "a") (result i32) (call_ref $f (global.get $g)) (i32.const 0))`,
			["a"],
		],
		[
			"a type that has a subtype",
			`(type $t (sub (func (param (ref null any))))) (type $s (sub $t (func (param (ref null any)))))
			(func $p (type $s) (call $later)) (table funcref (elem $p))
			(func (export "a") (result i32) (call_indirect (type $t) (ref.null any) (i32.const 0)) (i32.const 0))`,
			["a"],
		],
	] as const) {
		test(what, async () => {
			const names = fields.includes('"b"') ? ["a", "b"] : ["a"];
			assert.deepEqual(await stackful(guest(names, fields)), expected);
		});
	}

	test("too much code to look at may wait", async () => {
		const body = "(drop (i32.const 1))".repeat(90_000);
		const fields = `(func (export "a") (result i32) ${body} (i32.const 0)) (func (export "b") (result i32) (i32.const 0))`;
		assert.deepEqual(await stackful(guest(["a", "b"], fields)), ["a"]);
	});

	test("where nothing waits, code does not matter", async () => {
		const wat = `(component
			(core func $return (canon task.return))
			(core module $m
				(import "" "return" (func $return))
				(func (export "a") (result i32) ${"(drop (i32.const 1))".repeat(90_000)} (i32.const 0))
				(func (export "callback") (param i32 i32 i32) (result i32) (i32.const 0)))
			(core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
			(func (export "a") async (canon lift (core func $i "a") async (callback (core func $i "callback")))))`;
		assert.deepEqual(await stackful(wat), []);
	});
});

test("the callback counts, and so does a function that is lifted without one", async () => {
	const wat = `(component
		(core func $yield (canon thread.yield))
		(core module $m
			(import "" "yield" (func $yield (result i32)))
			(func (export "f") (result i32) (i32.const 0))
			(func (export "g"))
			(func (export "waits") (param i32 i32 i32) (result i32) (call $yield))
			(func (export "not") (param i32 i32 i32) (result i32) (i32.const 0)))
		(core instance $i (instantiate $m (with "" (instance (export "yield" (func $yield))))))
		(func (export "a") async (canon lift (core func $i "f") async (callback (core func $i "waits"))))
		(func (export "b") async (canon lift (core func $i "f") async (callback (core func $i "not"))))
		(func (export "c") async (canon lift (core func $i "g") async))
		(func (export "d") async (canon lift (core func $i "g"))))`;
	assert.deepEqual(await stackful(wat, { stackful: true }), ["a", "c"]);
});

/** One component calls `f` of another, which does `inner`; `lower` says how. */
const nested = (inner: string, async: string, lower: string): string => `(component
	(component $callee
		(core func $yield (canon thread.yield))
		(core func $return (canon task.return))
		(core module $m
			(import "" "yield" (func $yield (result i32)))
			(import "" "return" (func $return))
			(func (export "f") ${inner})
			(func (export "g") (result i32) (call $return) (i32.const 0))
			(func (export "callback") (param i32 i32 i32) (result i32) (i32.const 0)))
		(core instance $i (instantiate $m (with "" (instance (export "yield" (func $yield)) (export "return" (func $return))))))
		(func (export "f") ${async}))
	(component $caller
		(import "f" (func $f ${async.startsWith("async") ? "async" : ""}))
		(core func $f (canon lower (func $f) ${lower}))
		(core module $m
			(import "" "f" (func $f ${lower === "async" ? "(result i32)" : ""}))
			(func (export "calls") ${lower === "async" ? "(drop (call $f))" : "(call $f)"})
			(func (export "does-not")))
		(core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
		(func (export "calls") (canon lift (core func $i "calls")))
		(func (export "does-not") (canon lift (core func $i "does-not"))))
	(instance $callee (instantiate $callee))
	(instance $caller (instantiate $caller (with "f" (func $callee "f"))))
	(export "calls" (func $caller "calls"))
	(export "does-not" (func $caller "does-not"))
	(export "f" (func $callee "f")))`;

suite("what one component calls of another", () => {
	const lifted = `async (canon lift (core func $i "f") async (callback (core func $i "callback")))`;
	const returns = "(result i32) (call $return) (i32.const 0)";
	for (const [what, inner, async, lower, expected] of [
		["an async call of what does not wait", returns, lifted, "async", []],
		["an async call of what waits", "(result i32) (drop (call $yield)) (i32.const 0)", lifted, "async", ["calls", "f"]],
		["a call that is awaited", returns, lifted, "", ["calls"]],
		["a call of what is not async", "(drop (i32.const 1))", `(canon lift (core func $i "f"))`, "", []],
		["the same of what would wait", "(drop (call $yield))", `(canon lift (core func $i "f"))`, "", ["calls", "f"]],
	] as const) {
		test(what, async () => {
			assert.deepEqual(await stackful(nested(inner, async, lower)), expected);
		});
	}
});

test("a table that one module fills for another", async () => {
	const wat = `(component
		(import "later" (func $later async))
		(core func $later (canon lower (func $later)))
		(core module $shim (table (export "t") 1 funcref)
			(func (export "later") (call_indirect (i32.const 0))))
		(core instance $shim (instantiate $shim))
		(core module $m
			(import "" "later" (func $later))
			(func (export "a") (call $later))
			(func (export "b")))
		(core instance $m (instantiate $m (with "" (instance $shim))))
		(core module $fix (import "" "t" (table 1 funcref)) (import "" "later" (func $later)) (elem (i32.const 0) func $later))
		(core instance (instantiate $fix (with "" (instance
			(export "t" (table $shim "t")) (export "later" (func $later))))))
		(func (export "a") async (canon lift (core func $m "a")))
		(func (export "b") async (canon lift (core func $m "b"))))`;
	assert.deepEqual(await stackful(wat), ["a"]);
});

test("a resource that is dropped comes to its destructor", async () => {
	const wat = (destructor: string): string => `(component
		(core func $yield (canon thread.yield))
		(core module $d (import "" "yield" (func $yield (result i32))) (func (export "d") (param i32) ${destructor}))
		(core instance $d (instantiate $d (with "" (instance (export "yield" (func $yield))))))
		(type $r (resource (rep i32) (dtor (core func $d "d"))))
		(core func $new (canon resource.new $r))
		(core func $drop (canon resource.drop $r))
		(core module $m
			(import "" "new" (func $new (param i32) (result i32)))
			(import "" "drop" (func $drop (param i32)))
			(func (export "a") (call $drop (call $new (i32.const 1)))))
		(core instance $m (instantiate $m (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
		(func (export "a") (canon lift (core func $m "a"))))`;
	assert.deepEqual(await stackful(wat("")), []);
	assert.deepEqual(await stackful(wat("(drop (call $yield))")), ["a"]);
});

/** A component without tasks, with the import `ask`. */
function asking(types: readonly (readonly [name: string, type: string])[], fields: string): string {
	return `(component
		(import "res" (type $res (sub resource)))
		(import "ask" (func $ask (param "n" u32) (result u32)))
		(core func $ask' (canon lower (func $ask)))
		(core func $drop (canon resource.drop $res))
		(core module $m
			(import "" "ask" (func $ask (param i32) (result i32)))
			(import "" "drop" (func $drop (param i32)))
			${fields})
		(core instance $i (instantiate $m (with "" (instance (export "ask" (func $ask')) (export "drop" (func $drop))))))
		${types.map(([name, type]) => `(func (export "${name}") ${type} (canon lift (core func $i "${name}")))`).join("\n")})`;
}

suite("without tasks, what comes to the host", () => {
	const ASKS = '(param "n" u32) (result u32)';
	for (const [what, types, fields, expected] of [
		[
			"itself, by another, or not at all",
			["a", "b", "c"].map((name) => [name, ASKS] as const),
			`(func (export "a") (param i32) (result i32) (call $ask (local.get 0)))
			(func $b (param i32) (result i32) (call $ask (local.get 0)))
			(func (export "b") (param i32) (result i32) (call $b (local.get 0)))
			(func (export "c") (param i32) (result i32) (local.get 0))`,
			["a", "b"],
		],
		[
			"through a table, by type",
			["a", "b"].map((name) => [name, ASKS] as const),
			`(type $t (func (param i32) (result i32))) (table funcref (elem $ask))
			(func (export "a") (param i32) (result i32) (call_indirect (type $t) (local.get 0) (i32.const 0)))
			(type $u (func (result i32)))
			(func (export "b") (param i32) (result i32) (call_indirect (type $u) (i32.const 0)))`,
			["a"],
		],
		[
			"to drop something of the host's",
			[["a", '(param "r" (borrow $res)) (result u32)']],
			`(func (export "a") (param i32) (result i32) (call $drop (local.get 0)) (i32.const 0))`,
			["a"],
		],
		[
			"as those are taken to do that answer nothing, or are given something to keep",
			[
				["a", ""],
				["b", "(result (result))"],
				["c", '(param "r" (own $res)) (result u32)'],
				["d", '(param "n" u32)'],
				["e", "(result u32)"],
			],
			`(func (export "a")) (func (export "b") (result i32) (i32.const 0))
			(func (export "c") (param i32) (result i32) (local.get 0))
			(func (export "d") (param i32)) (func (export "e") (result i32) (i32.const 0))`,
			["a", "b", "c"],
		],
		["as it is the host's own", [["a", ASKS]], '(export "a" (func $ask))', ["a"]],
	] as const) {
		test(what, async () => assert.deepEqual(await stackful(asking(types, fields)), expected));
	}
});

test("a callee is a leaf where neither it nor its realloc nor its post-return comes to an import, and a guest calls it with no more than bytes", async () => {
	const lift = (name: string, more = ""): string =>
		`(canon lift (core func $i "${name}") (memory (core memory $i "memory")) (realloc (core func $i "${more === "" ? "realloc" : "leaving"}")))`;
	const functions = [
		["leaf", "", "(drop (call $own))"],
		["through-a-call", "", "(call $leave)"],
		["through-a-table", "", "(call_indirect (i32.const 0))"],
		["through-realloc", "leaving", ""],
		["grows", "", "(drop (memory.grow (i32.const 1)))"],
		["uncalled", "", ""],
		["list-of-text", "", ""],
	] as const;
	const type = (name: string): string => `(param "v" ${name === "list-of-text" ? "(list string)" : "string"})`;
	const called = functions.filter(([name]) => name !== "uncalled");
	const wat = `(component
		(component $callee
			(type $r (resource (rep i32)))
			(core func $new (canon resource.new $r))
			(core module $m
				(import "" "new" (func $new (param i32) (result i32)))
				(memory (export "memory") 1)
				(table 1 funcref) (elem (i32.const 0) $leave)
				(func $own (result i32) (i32.const 1))
				(func $leave (drop (call $new (i32.const 1))))
				(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
				(func (export "leaving") (param i32 i32 i32 i32) (result i32) (call $leave) (i32.const 0))
				${functions.map(([name, , body]) => `(func (export "${name}") (param i32 i32) ${body})`).join("\n")})
			(core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
			${functions.map(([name, more]) => `(func (export "${name}") ${type(name)} ${lift(name, more)})`).join("\n")})
		(instance $callee (instantiate $callee))
		(component $caller
			${called.map(([name]) => `(import "${name}" (func $${name} ${type(name)}))`).join("\n")}
			(core module $memory (memory (export "memory") 1))
			(core instance $mem (instantiate $memory))
			${called.map(([name]) => `(core func (canon lower (func $${name}) (memory (core memory $mem "memory"))))`).join("\n")})
		(instance (instantiate $caller ${called.map(([name]) => `(with "${name}" (func $callee "${name}"))`).join(" ")})))`;
	const { component, type: whole } = loadComponent(new Uint8Array(await parse(wat)));
	const { plan } = createPlan(component, whole);
	assert.deepEqual(
		functions.flatMap(([name], i) => (plan.leaves[i] === true ? [name] : [])),
		["leaf", "grows"],
	);
});
