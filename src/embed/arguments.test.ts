/** Arguments that look like what they are not: what has to fit is what the guest gets, or nothing reaches it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Engine } from "./mod.ts";

const engine = new Engine({ cache: false });

/** `bits` gives back what it was given as its core arguments, `f` and `r` in one. */
const LABELS = `(component
	(type $f' (flags "constructor" "to-string" "plain"))
	(export $f "f" (type $f'))
	(type $r' (record (field "has-own-property" (option u8)) (field "value-of" $f)))
	(export $r "r" (type $r'))
	(core module $m (memory (export "memory") 1)
		(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
		(func (export "flags") (param i32) (result i32) (local.get 0))
		(func (export "record") (param i32 i32 i32) (result i32)
			(i32.add (i32.mul (local.get 0) (i32.const 1000)) (i32.add (i32.mul (local.get 1) (i32.const 10)) (local.get 2))))
		(func (export "list") (param i32 i32) (result i32)
			(i32.add (i32.mul (local.get 1) (i32.const 100)) (i32.load8_u offset=2 (local.get 0)))))
	(core instance $m (instantiate $m))
	(func (export "flags") (param "f" $f) (result u32) (canon lift (core func $m "flags")))
	(func (export "record") (param "r" $r) (result u32) (canon lift (core func $m "record")))
	(func (export "list") (param "l" (list $r)) (result u32)
		(canon lift (core func $m "list") (memory (core memory $m "memory")) (realloc (core func $m "realloc")))))`;

test("labels of the names that every object inherits something under can be left out", async () => {
	const { exports } = await engine.load(new Uint8Array(await parse(LABELS)));
	class Getters {
		get toString(): true {
			return true;
		}
	}
	for (const [value, bits] of [
		[{}, 0],
		[{ plain: true }, 4],
		[{ constructor: true, toString: undefined }, 1],
		[{ toString: true, plain: false }, 2],
		[Object.create(null), 0],
		[Object.assign(new Getters(), { constructor: false }), 2],
	] as const) {
		assert.equal(await exports["flags"](value), bits);
		assert.equal(await exports["record"]({ valueOf: value }), bits);
		assert.equal(await exports["record"]({ hasOwnProperty: 7, valueOf: value }), 1070 + bits);
		assert.equal(await exports["list"]([{ valueOf: value }]), 100 + bits);
	}
	await assert.rejects(exports["flags"]({ toString: () => "" }), {
		code: "call/bad-value",
		message: "flags → f → toString: expected bool, got a function",
	});
	await assert.rejects(
		exports["record"]({}),
		/r → valueOf: expected flags \{constructor, toString, plain\}, got undefined$/,
	);
});

const LISTS = ["u8", "u32", "f64", "u64"] as const;
const NUMBERS = `(component
	(core module $m (memory (export "memory") 1)
		(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
		(func (export "f") (param i32 i32) (result i32) (local.get 1)))
	(core instance $m (instantiate $m))
	${LISTS.map(
		(type) => `(func (export "${type}") (param "l" (list ${type})) (result u32)
			(canon lift (core func $m "f") (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))`,
	).join(" ")})`;

test("a typed array whose buffer was given away is refused, and nothing else is the matter", async () => {
	const component = await engine.load(new Uint8Array(await parse(NUMBERS)));
	using sandbox = component.instantiate();
	const { exports, sync } = sandbox;
	const arrays = {
		u8: new Uint8Array(2),
		u32: new Uint32Array(2),
		f64: new Float64Array(2),
		u64: new BigUint64Array(2),
	};
	for (const type of LISTS) {
		const array = arrays[type];
		assert.equal(await exports[type](array), 2);
		structuredClone(array, { transfer: [array.buffer] });
		const refusal = {
			code: "call/bad-value",
			message: `${type} → l: expected list<${type}>, got a typed array whose buffer was transferred or made smaller`,
		};
		await assert.rejects(exports[type](array), refusal);
		assert.throws(() => sync[type](array), refusal);
		assert.equal(await exports[type](type === "u64" ? [1n] : [1]), 1);
	}
});
