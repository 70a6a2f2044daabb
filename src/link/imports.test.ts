import assert from "node:assert/strict";
import { test } from "node:test";

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import type { InstanceType } from "../component/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { call, link, start } from "./guest.fixture.ts";
import type { HostInterface } from "./host.ts";
import type { HostImports } from "./imports.ts";
import { loadComponent } from "./link.ts";

/** The type of the only instance that a component imports. */
async function instanceType(wat: string): Promise<InstanceType> {
	const { type } = loadComponent(new Uint8Array(await parse(`(component (import "x" ${wat}))`)));
	const imported = type.imports.get("x");
	assert.ok(imported?.kind === "instance");
	return imported.type;
}

async function problems(wat: string, host: Partial<HostImports>): Promise<string[]> {
	try {
		await link(wat, host);
	} catch (error) {
		assert.ok(error instanceof SkerryError, String(error));
		assert.equal(error.code, "link/missing-imports");
		const [first, ...rest] = error.message.split("\n  - ");
		const what = rest.length === 1 ? "one import is" : `${rest.length} imports are`;
		assert.equal(first, `Cannot link the component: ${what} missing or mistyped`);
		return rest;
	}
	return [];
}

function named(name: string, functions: HostInterface<any>["functions"] = {}): HostInterface<any> {
	return { name, functions, resources: {} };
}

test("everything that is missing is listed at once, each with the nearest name", async () => {
	const wat = `(component
		(import "greet" (func))
		(import "far-away" (func))
		(import "thing" (type (sub resource)))
		(import "a:b/stor@1.0.0" (instance (export "get" (func))))
		(import "a:b/log@1.0.0" (instance
			(export "file" (type (sub resource))) (export "writ" (func)) (export "flush" (func)) (export "nothing-like-it" (func))))
		(import "b:c/explained@9.0.0" (instance (export "f" (func)))))`;
	const host: HostImports = {
		functions: { great: () => {} },
		resources: { things: {} },
		interfaces: [
			named("a:b/store@1.0.0"),
			{ name: "a:b/log@1.0.0", functions: { write: () => {}, flush: () => {} }, resources: { files: {} } },
		],
		explain: (name) => (name.startsWith("b:c/") ? "it is of the future" : undefined),
	};
	assert.deepEqual(await problems(wat, host), [
		"greet: nothing provides it; the nearest is great",
		"far-away: nothing provides it",
		"thing: nothing provides it; the nearest is things",
		"a:b/stor@1.0.0: nothing provides it; the nearest is a:b/store@1.0.0",
		"a:b/log@1.0.0#file: a:b/log@1.0.0 has no such resource; the nearest is files",
		"a:b/log@1.0.0#writ: a:b/log@1.0.0 has no such function; the nearest is write",
		"a:b/log@1.0.0#nothing-like-it: a:b/log@1.0.0 has no such function",
		"b:c/explained@9.0.0: it is of the future",
	]);
	assert.deepEqual(await problems(`(component (import "f" (func)))`, {}), ["f: nothing provides it"]);
});

test("an interface of nothing but types asks for nothing", async () => {
	const wat = `(component (import "a:b/types" (instance
		(type $r (record (field "x" u8))) (export "r" (type (eq $r))))))`;
	assert.deepEqual(await problems(wat, {}), []);
});

test("what the host's interface has another type for is refused; what fits is not", async () => {
	const type = await instanceType(`(instance
		(type $e (enum "low" "high")) (export "level" (type $l (eq $e)))
		(export "r" (type $r (sub resource)))
		(export "f" (func (param "s" string) (result u32)))
		(export "g" (func (param "l" $l)))
		(export "h" (func (param "r" (borrow $r)))))`);
	const functions = { f: () => 1, g: () => {}, h: () => {} };
	const host = { interfaces: [{ name: "a:b/typed", functions, resources: { r: {} }, type }] };
	const importing = (members: string): string => `(component (import "a:b/typed" (instance ${members})))`;

	const right = `(type $e (enum "low" "high")) (export "level" (type $l (eq $e)))
		(export "r" (type $r (sub resource))) (export "f" (func (param "s" string) (result u32)))
		(export "g" (func (param "l" $l))) (export "h" (func (param "r" (borrow $r))))`;
	assert.deepEqual(await problems(importing(right), host), []);

	const wrong = `(type $e (enum "low" "middle")) (export "level" (type $l (eq $e)))
		(export "f" (func (param "s" u32) (result u32)))
		(export "g" (func (param "l" $l)))`;
	const found = await problems(importing(wrong), host);
	assert.equal(found.length, 2);
	assert.match(found[0]!, /^a:b\/typed#f: of another type than in a:b\/typed: ./);
	assert.match(found[1]!, /^a:b\/typed#g: of another type than in a:b\/typed: ./);
});

const CALLER = (name: string): string => `(component
	(import "${name}" (instance $i (export "f" (func (result u32)))))
	(core func $f (canon lower (func $i "f")))
	(core module $m (import "" "f" (func $f (result i32))) (func (export "f") (result i32) (call $f)))
	(core instance $c (instantiate $m (with "" (instance (export "f" (func $f))))))
	(func (export "f") (result u32) (canon lift (core func $c "f"))))`;

test("an interface is found by its name, by a compatible version, or without one", async () => {
	const versions = ["1.2.0", "1.3.5", "2.0.0", "0.2.3", "0.3.0", "0.0.1"];
	const interfaces = versions.map((version, i) => named(`a:b/c@${version}`, { f: () => i }));
	const find = async (version: string): Promise<unknown> => {
		const name = `a:b/c@${version}`;
		const missing = await problems(CALLER(name), { interfaces });
		return missing.length > 0
			? missing.length
			: versions[Number(await call(await start(CALLER(name), { interfaces }), "f"))];
	};
	for (const version of versions) assert.equal(await find(version), version, "the very version");
	for (const [version, found] of [
		["1.2.9", "1.2.0"],
		["1.9.0", "1.2.0"],
		["0.2.0", "0.2.3"],
		["0.2.12", "0.2.3"],
		["0.3.9", "0.3.0"],
		["3.0.0", 1],
		["0.4.0", 1],
		["0.0.2", 1],
	] as const) {
		assert.equal(await find(version), found, version);
	}
	const unversioned = { interfaces: [named("a:b/c", { f: () => 77 })] };
	for (const name of ["a:b/c", "a:b/c@0.0.9", "a:b/c@5.1.0"]) {
		assert.equal(await call(await start(CALLER(name), unversioned), "f"), 77);
	}
});

test("functions and resources of the world itself", async () => {
	const log: unknown[] = [];
	const instance = await start(
		`(component
			(import "r" (type $r (sub resource)))
			(import "[constructor]r" (func $make (param "n" u32) (result (own $r))))
			(import "[method]r.get" (func $get (param "self" (borrow $r)) (result u32)))
			(core func $make (canon lower (func $make)))
			(core func $get (canon lower (func $get)))
			(core func $drop (canon resource.drop $r))
			(core module $m
				(import "" "make" (func $make (param i32) (result i32))) (import "" "get" (func $get (param i32) (result i32)))
				(import "" "drop" (func $drop (param i32)))
				(func (export "f") (param i32) (result i32) (local $r i32)
					(call $get (local.tee $r (call $make (local.get 0)))) (call $drop (local.get $r))))
			(core instance $i (instantiate $m (with "" (instance
				(export "make" (func $make)) (export "get" (func $get)) (export "drop" (func $drop))))))
			(func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f"))))`,
		{
			functions: {
				"[constructor]r": (_: unknown, n: number) => ({ n }),
				"[method]r.get": (_: unknown, self: { n: number }) => self.n + 1,
			},
			resources: { r: { drop: (context, rep) => void log.push([context, rep]) } },
		},
	);
	assert.equal(await call(instance, "f", 41), 42);
	assert.deepEqual(log, [["the context", { n: 41 }]]);
	assert.equal(instance.store.handles, 0);
});
