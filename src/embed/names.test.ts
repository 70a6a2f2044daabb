/** Names of WIT that mean something in JavaScript already. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { componentEmbed, componentNew, parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import { SkerryError } from "../fault/mod.ts";
import { Engine, type ImportedInterface, type Imports } from "./mod.ts";

const engine = new Engine({ cache: false });

async function assemble(witSource: string, wat: string): Promise<Uint8Array> {
	const binary = await parse(wat);
	return new Uint8Array(await componentNew(await componentEmbed({ witSource, binary })));
}

const STATICS = ["name", "length", "call", "caller"];
const METHODS = ["type", "rep", "owner", "borrowed", "spent", "to-string", "value-of"];
const member = (kind: string, names: readonly string[], from: number): string =>
	names
		.map((name, i) => {
			const params = kind === "method" ? "(param i32)" : "";
			return `(func (export "a:b/names#[${kind}]r.${name}") ${params} (result i32) (i32.const ${from + i}))`;
		})
		.join("\n");

test("a guest's resource has the members that WIT says, whatever all objects and classes have under these names", async () => {
	const component = await engine.load(
		await assemble(
			`package a:b;
			interface names {
				resource r {
					constructor();
					${STATICS.map((name) => `%${name}: static func() -> u32;`).join("\n")}
					prototype: static func() -> u32;
					${METHODS.map((name) => `%${name}: func() -> u32;`).join("\n")}
					then: func() -> u32;
				}
			}
			world w { export names; }`,
			`(module
				(import "[export]a:b/names" "[resource-new]r" (func $new (param i32) (result i32)))
				(func (export "a:b/names#[constructor]r") (result i32) (call $new (i32.const 1)))
				${member("static", [...STATICS, "prototype"], 100)}
				${member("method", [...METHODS, "then"], 200)})`,
		),
	);
	using sandbox = component.instantiate();
	const names = sandbox.exports["a:b/names"];
	const { R } = names;
	const r = await new R();
	for (const [i, name] of ["name", "length", "call", "caller"].entries()) assert.equal(await R[name](), 100 + i, name);
	const keys = ["type", "rep", "owner", "borrowed", "spent", "toString", "valueOf"];
	for (const [i, name] of keys.entries()) assert.equal(await r[name](), 200 + i, name);
	assert.ok(r instanceof R);
	// What would make a promise of the resource, and what is no property of the class to be had, have their binary names
	assert.equal(await names["[static]r.prototype"](), 104);
	assert.equal(await names["[method]r.then"](r), 207);
});

test("labels that are one word in JavaScript are told apart by their own names", async () => {
	const seen: number[] = [];
	const text = `(component
		(import "b1" (func $b1)) (import "b-1" (func $b-1))
		(core func $b1' (canon lower (func $b1))) (core func $b-1' (canon lower (func $b-1)))
		(core module $m (import "" "1" (func $1)) (import "" "2" (func $2))
			(func (export "1") (call $1)) (func (export "2") (call $2)))
		(core instance $i (instantiate $m (with "" (instance (export "1" (func $b1')) (export "2" (func $b-1'))))))
		(func (export "a-1") (canon lift (core func $i "2")))
		(func (export "a1") (canon lift (core func $i "1"))))`;
	const imports = { b1: () => void seen.push(1), "b-1": () => void seen.push(2) };
	const component = await engine.load(new Uint8Array(await parse(text)), { imports });
	await component.exports["a1"]();
	await component.exports["a-1"]();
	assert.deepEqual(seen, [1, 2]);
});

const WANTS = `package a:b;
	interface h {
		to-string: func() -> u32;
		resource q { bind: static func() -> u32; value-of: func() -> u32; }
		make: func() -> q;
	}
	world w { import h; import has-own-property: func() -> u32; export run: func() -> u32; }`;

const CALLS = `(module
	(import "a:b/h" "to-string" (func $string (result i32)))
	(import "a:b/h" "[static]q.bind" (func $bind (result i32)))
	(import "a:b/h" "[method]q.value-of" (func $value (param i32) (result i32)))
	(import "a:b/h" "make" (func $make (result i32)))
	(import "$root" "has-own-property" (func $own (result i32)))
	(func (export "run") (result i32) (i32.add (i32.add (call $string) (call $bind))
		(i32.add (call $value (call $make)) (call $own)))))`;

test("functions that all objects and classes have are not what a component imports", async () => {
	const bytes = await assemble(WANTS, CALLS);
	const Q = class {
		other(): void {}
	};
	const error = await engine.load(bytes, { imports: { "a:b/h": { Q, make: () => new Q() } } }).then(
		() => assert.fail("it was loaded"),
		(reason: unknown) => reason,
	);
	assert.ok(error instanceof SkerryError);
	assert.equal(error.code, "link/missing-imports");
	for (const name of ["to-string", "[static]q.bind", "[method]q.value-of", "has-own-property"]) {
		assert.ok(error.message.includes(name), `${name} in: ${error.message}`);
	}
});

const RIGHT = class {
	static bind(): number {
		return 2;
	}
	valueOf(): number {
		return 3;
	}
};

const H: ImportedInterface = { Q: RIGHT, make: () => new RIGHT(), toString: () => 1 };
const GIVEN: Imports = { "a:b/h": H, hasOwnProperty: () => 4 };

test("and are where they are given", async () => {
	const component = await engine.load(await assemble(WANTS, CALLS), { imports: GIVEN });
	assert.equal(await component.exports["run"](), 10);
});

test("what is given for a resource and lacks the method is named", async () => {
	const bytes = await assemble(WANTS, CALLS);
	const imports: Imports = { ...GIVEN, "a:b/h": { ...H, make: () => Object.create(null) } };
	const component = await engine.load(bytes, { imports });
	await assert.rejects(component.exports["run"](), {
		code: "call/bad-value",
		message: "Cannot call [method]q.value-of: the object given for q has no valueOf",
	});
	const none = await engine.load(bytes, { imports: { ...imports, "a:b/h": { ...H, make: () => null } } });
	await assert.rejects(none.exports["run"](), { code: "call/bad-value" });
});
