import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeComponent } from "./decode.ts";
import { matchExternType, ResourceBindings } from "./match.ts";
import type { ComponentType, ExternType, InstanceType, ResourceType } from "./types.ts";
import { validateComponent } from "./validate.ts";

// The rules themselves are tested by the conformance suite (`test/validity.test.ts`); here is what it does not see:
// the types that come out, features that are refused by name, and bounds.

async function typeOf(text: string): Promise<ComponentType> {
	return validateComponent(decodeComponent(await parse(`(component ${text})`)));
}

function instanceOf(type: ExternType | undefined): InstanceType {
	assert.ok(type?.kind === "instance");
	return type.type;
}

function resourceOf(type: ExternType | undefined): ResourceType {
	assert.ok(type?.kind === "type" && type.type.kind === "resource");
	return type.type.resource;
}

test("the type of a component has no indices left", async () => {
	const type = await typeOf(`
		(import "a:b/types" (instance $i
			(export "r" (type $r (sub resource)))
			(type $rec' (record (field "name-of" string) (field "owner" (own $r))))
			(export "rec" (type $rec (eq $rec')))
			(export "f" (func async (param "x" (borrow $r)) (result (list $rec))))))
		(alias export $i "f" (func $f))
		(export "run" (func $f))`);
	const imported = instanceOf(type.imports.get("a:b/types"));
	const resource = resourceOf(imported.exports.get("r"));
	assert.equal(resource.name, "a:b/types#r");
	assert.deepEqual(type.importedResources, [resource]);
	assert.deepEqual(type.createdResources, []);
	const record = {
		kind: "record",
		fields: [
			{ name: "name-of", key: "nameOf", type: { kind: "string" } },
			{ name: "owner", key: "owner", type: { kind: "own", resource } },
		],
	};
	const func = {
		kind: "func",
		async: true,
		params: [{ name: "x", type: { kind: "borrow", resource } }],
		result: { kind: "list", element: record },
	};
	assert.deepEqual(imported.exports.get("rec"), { kind: "type", type: { kind: "value", type: record } });
	assert.deepEqual(imported.exports.get("f"), { kind: "func", type: func });
	assert.deepEqual([...type.exports], [["run", { kind: "func", type: func }]]);
});

test("each instantiation makes resources of its own, and exports name them", async () => {
	const type = await typeOf(`
		(component $C (type $R (resource (rep i32))) (export "r" (type $R)))
		(instance $c1 (instantiate $C))
		(instance $c2 (instantiate $C))
		(export "a:b/one" (instance $c1))
		(export "a:b/two" (instance $c2))`);
	const one = resourceOf(instanceOf(type.exports.get("a:b/one")).exports.get("r"));
	const two = resourceOf(instanceOf(type.exports.get("a:b/two")).exports.get("r"));
	assert.notEqual(one, two);
	assert.deepEqual([one.name, two.name], ["a:b/one#r", "a:b/two#r"]);
	assert.deepEqual(type.createdResources, [one, two]);
});

test("resources that are not exported belong to nobody outside", async () => {
	const type = await typeOf(`(type (resource (rep i32)))`);
	assert.deepEqual(type.createdResources, []);
});

test("a host's instance is matched with its resources bound", async () => {
	const imports = await typeOf(`
		(import "h" (instance (export "r" (type $r (sub resource))) (export "f" (func (result (own $r))))))`);
	const host = await typeOf(`
		(import "h" (instance (export "r" (type $r (sub resource))) (export "s" (type $s (sub resource)))
			(export "f" (func (result (own $r)))) (export "g" (func))))`);
	const wrong = await typeOf(`
		(import "h" (instance (export "r" (type $r (sub resource))) (export "s" (type $s (sub resource)))
			(export "f" (func (result (own $s))))))`);
	const expected = imports.imports.get("h");
	const offered = host.imports.get("h");
	const mistyped = wrong.imports.get("h");
	assert.ok(expected !== undefined && offered !== undefined && mistyped !== undefined);
	const bindings = new ResourceBindings(imports.importedResources);
	assert.equal(matchExternType(offered, expected, bindings), null);
	assert.deepEqual(
		[...bindings.bound],
		[[resourceOf(instanceOf(expected).exports.get("r")), resourceOf(instanceOf(offered).exports.get("r"))]],
	);
	assert.equal(
		matchExternType(mistyped, expected, new ResourceBindings(imports.importedResources)),
		"type mismatch in instance export `f`: type mismatch with result type: resource types are not the same",
	);
	assert.equal(
		matchExternType(expected, offered, new ResourceBindings(host.importedResources)),
		"missing expected export `s`",
	);
});

const ASYNC = `(core module $m (func (export "f") (result i32) unreachable) (func (export "cb") (param i32 i32 i32) (result i32) unreachable))
	(core instance $i (instantiate $m))`;

test("rules that the suite does not test, found by comparison with wasm-tools", async () => {
	const table: readonly (readonly [text: string, rule: string])[] = [
		[`(type $r (resource (rep i32))) (import "a" (type (eq $r)))`, "local resource type found in imports"],
		[
			`(type $r (resource (rep i32)))
				(type $t (instance (alias outer 1 $r (type $o)) (export "o" (type (eq $o))))) (import "i" (instance (type $t)))`,
			"local resource type found in imports",
		],
		[
			`${ASYNC} (func async (result string) (canon lift (core func $i "f") async (callback (core func $i "cb"))))`,
			"canonical option `memory` is required",
		],
		[
			`${ASYNC} (func async (result (tuple ${"u8 ".repeat(17)})) (canon lift (core func $i "f") async (callback (core func $i "cb"))))`,
			"canonical option `memory` is required",
		],
		[
			`(type (record (field "a-1" u8) (field "a1" u8)))`,
			"record field name `a1` conflicts with previous field name `a-1`",
		],
		[`(type (flags "ab1-c" "ab-1-C"))`, "flag name `ab-1-C` conflicts with previous flag name `ab1-c`"],
	];
	for (const [text, message] of table) {
		await assert.rejects(typeOf(text), { code: "component/invalid", message }, text);
	}
	await typeOf(
		`${ASYNC} (func async (result (tuple ${"u8 ".repeat(16)})) (canon lift (core func $i "f") async (callback (core func $i "cb"))))`,
	);
});

test("gated features are refused by name", async () => {
	const table: readonly (readonly [string, RegExp])[] = [
		[`(type error-context)`, /error contexts/],
		[`(type (list error-context))`, /error contexts/],
		[`(core func (canon error-context.drop))`, /error contexts/],
		[`(core func (canon task.return (result error-context)))`, /error contexts/],
		[
			`(import "f" (func $f (param "x" string))) (core module $m (memory (export "m") i64 1)) (core instance $i (instantiate $m))
				(core func (canon lower (func $f) (memory (core memory $i "m"))))`,
			/64-bit memories/,
		],
	];
	for (const [text, message] of table) {
		await assert.rejects(typeOf(text), { code: "binary/unsupported", message }, text);
	}
});

test("gated features that the text tools write otherwise, or not at all", () => {
	const preamble = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
	const table: readonly (readonly [string, readonly number[], RegExp])[] = [
		["an import of a value", [10, 7, 1, 0, 1, 0x76, 2, 1, 0x73], /component values/],
		["a value section", [12, 4, 1, 0x7f, 1, 1], /component values/],
		["a start function", [9, 3, 0, 0, 0], /start functions/],
		["thread.spawn-ref", [8, 4, 1, 0x40, 0, 0], /threads that run in parallel/],
		["a version suffix", [7, 3, 1, 0x42, 0, 10, 10, 1, 2, 1, 0x61, 1, 1, 1, 0x31, 5, 0], /version suffix/],
		["an i64 representation", [7, 4, 1, 0x3f, 0x7e, 0], /64-bit/],
		[
			"lifting to core GC types",
			[7, 5, 1, 0x40, 0, 1, 0, 10, 6, 1, 0, 1, 0x66, 1, 0, 8, 6, 1, 1, 0, 0, 1, 9],
			/garbage/,
		],
	];
	for (const [what, sections, message] of table) {
		const bytes = Uint8Array.from([...preamble, ...sections]);
		assert.throws(() => validateComponent(decodeComponent(bytes)), { code: "binary/unsupported", message }, what);
	}
});

test("small input cannot make large types or much work", async () => {
	const doubling = (first: string, next: (previous: string) => string, steps: number): string =>
		[first, ...Array.from({ length: steps }, (_, i) => next(`$t${i}`).replace("$t ", `$t${i + 1} `))].join("\n");
	const cases: readonly (readonly [string, string])[] = [
		["tuples", doubling(`(type $t0 (tuple u8 u8))`, (p) => `(type $t (tuple ${p} ${p}))`, 60)],
		["options", doubling(`(type $t0 (option u8))`, (p) => `(type $t (option ${p}))`, 200)],
		[
			"instances",
			doubling(
				`(type $t0 (instance))`,
				(p) => `(type $t (instance (export "a" (instance (type ${p}))) (export "b" (instance (type ${p})))))`,
				60,
			),
		],
		[
			"instantiations",
			doubling(
				`(component $t0 (type $r (resource (rep i32))) (export "r" (type $r)))`,
				(p) =>
					`(component $t (alias outer 1 ${p.slice(2)} (component $c)) (instance $a (instantiate $c)) (instance $b (instantiate $c))
						(export "a" (instance $a)) (export "b" (instance $b)))`,
				40,
			),
		],
	];
	for (const [what, text] of cases) {
		const start = process.threadCpuUsage();
		await assert.rejects(typeOf(text), { code: "binary/limit" }, what);
		const { user, system } = process.threadCpuUsage(start);
		assert.ok(user + system < 10_000_000, what);
	}
});

test("a component that passes through another still makes resources of its own", async () => {
	const use = (first: string, second: string): Promise<ComponentType> =>
		typeOf(`
			(component $K (type $R (resource (rep i32))) (export $r "r" (type $R))
				(type $rec (record (field "a" (own $r)))) (export "rec" (type $rec)))
			(component $C
				(import "k" (component $k (export "r" (type $r (sub resource)))
					(type $rec' (record (field "a" (own $r)))) (export "rec" (type (eq $rec')))))
				(export "k" (component $k)))
			(instance $c (instantiate $C (with "k" (component $K))))
			(alias export $c "k" (component $k))
			(instance $i (instantiate $k))
			(instance $j (instantiate $k))
			(component $use (import "r" (type $r (sub resource)))
				(type $rec' (record (field "a" (own $r)))) (import "rec" (type (eq $rec'))))
			(instance (instantiate $use (with "r" (type ${first} "r")) (with "rec" (type ${second} "rec"))))`);
	await use("$i", "$i");
	await use("$j", "$j");
	await assert.rejects(use("$i", "$j"), { code: "component/invalid", message: /resource types are not the same/ });
});

test("what a nested component exports mentions the types that it was given, with resources among them or not", async () => {
	// As componentize-qjs wraps its components: the outer one imports the types, and exports the inner one's instance
	for (const resource of ["", `(export "r" (type (sub resource)))`]) {
		const types = `
			(type $p' (record (field "x" u32))) (export "point" (type $p (eq $p')))
			(type $s' (variant (case "dot" $p))) (export "shape" (type $s (eq $s'))) ${resource}`;
		const type = await typeOf(`
			(import "a:b/types" (instance $outer ${types}))
			(component $inner
				(import "a:b/types" (instance $given ${types}))
				(alias export $given "point" (type $point))
				(alias export $given "shape" (type $shape))
				(component $shim
					(type $p' (record (field "x" u32))) (import "import-point" (type $p (eq $p')))
					(type $s' (variant (case "dot" $p))) (import "import-shape" (type $s (eq $s')))
					(export "shape" (type $s)))
				(instance $guest (instantiate $shim
					(with "import-point" (type $point)) (with "import-shape" (type $shape))))
				(export "a:b/guest" (instance $guest)))
			(instance $made (instantiate $inner (with "a:b/types" (instance $outer))))
			(alias export $made "a:b/guest" (instance $guest))
			(export "a:b/guest" (instance $guest))`);
		const exported = instanceOf(type.exports.get("a:b/guest")).exports.get("shape");
		const given = instanceOf(type.imports.get("a:b/types")).exports.get("point");
		assert.ok(exported?.kind === "type" && exported.type.kind === "value" && exported.type.type.kind === "variant");
		assert.ok(given?.kind === "type" && given.type.kind === "value");
		assert.equal(exported.type.type.cases[0]?.type, given.type.type);
	}
});

test("errors carry the offset of the definition at fault", async () => {
	const bytes = await parse(`(component (type $a u8) (component (type $x (own 0))))`);
	assert.throws(
		() => validateComponent(decodeComponent(bytes)),
		(error: { place: { offset: number } }) => bytes[error.place.offset] === 0x69,
	);
});

test("attributes do not matter to what a name means", async () => {
	const type = await typeOf(`(import "store" (implements "w:kv/s") (external-id "x") (instance))`);
	assert.deepEqual([...type.imports.keys()], ["store"]);
});
