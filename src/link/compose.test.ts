import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import { CompileCache } from "../engine/mod.ts";
import { SkerryError, Trap } from "../fault/mod.ts";
import { composeComponents, linkComposed } from "./compose.ts";
import type { GraphEdge, GraphExport } from "./graph.ts";
import { call, start } from "./guest.fixture.ts";
import type { HostImports } from "./imports.ts";
import { type Instance, instantiate } from "./instance/instantiate.ts";
import type { Linked } from "./linked.ts";
import { loadComponent } from "./link.ts";

const cache = new CompileCache();

interface Graph {
	/** Component text by node. */
	readonly nodes: Readonly<Record<string, string>>;
	readonly edges: readonly GraphEdge[];
	readonly exports?: readonly GraphExport[];
	readonly host?: Partial<HostImports>;
}

async function link({ nodes, host, ...rest }: Graph): Promise<Linked> {
	const loaded = await Promise.all(
		Object.entries(nodes).map(async ([name, wat]) => [name, loadComponent(new Uint8Array(await parse(wat)))] as const),
	);
	const composed = composeComponents({ nodes: new Map(loaded), ...rest });
	return await linkComposed(composed, { interfaces: [], ...host }, cache);
}

async function compose(graph: Graph): Promise<Instance> {
	return instantiate(await link(graph), "the context");
}

async function problems(graph: Graph): Promise<readonly string[]> {
	try {
		await link(graph);
	} catch (error) {
		assert.ok(error instanceof SkerryError, String(error));
		assert.equal(error.code, "link/graph");
		const [first = "", ...rest] = error.message.replace("Cannot link the components: ", "").split("\n  - ");
		if (rest.length === 0) return [first];
		assert.equal(first, `${rest.length} problems`);
		return rest;
	}
	assert.fail("the graph was linked");
}

/** What becomes of each call in turn: its value, or its error's message. */
async function outcomes(instance: Instance, calls: readonly (readonly [string, ...unknown[]])[]): Promise<unknown[]> {
	const found: unknown[] = [];
	for (const [path, ...args] of calls) {
		found.push(
			await call(instance, path, ...args).then(
				(value) => ({ value }),
				(error: Error) => ({ error: error.message }),
			),
		);
	}
	return found;
}

const MEMORY = `(core module $libc (memory (export "memory") 16) (global $next (mut i32) (i32.const 1024))
		(func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
			(local.set $p (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
			(global.set $next (i32.add (local.get $p) (local.get 3)))
			(memory.copy (local.get $p) (local.get 0)
				(select (local.get 1) (local.get 3) (i32.lt_u (local.get 1) (local.get 3))))
			(local.get $p)))
	(core instance $libc (instantiate $libc))
	(alias core export $libc "memory" (core memory $memory))
	(alias core export $libc "realloc" (core func $realloc))`;

/** An interface of one function that turns its argument, a string, and some numbers around. */
function turner(type: string, name: string, encoding = "utf8"): string {
	return `${MEMORY}
		(core module $m (import "libc" "memory" (memory 1)) (func (export "turn") (param i32 i32) (result i32)
			(i32.store (i32.const 8) (local.get 0)) (i32.store (i32.const 12) (local.get 1)) (i32.const 8)))
		(core instance $i (instantiate $m (with "libc" (instance $libc))))
		(func $turn (param "x" ${type}) (result ${type})
			(canon lift (core func $i "turn") (memory $memory) (realloc $realloc) string-encoding=${encoding}))
		(instance $out (export "turn" (func $turn)))
		(export "${name}" (instance $out))`;
}

/** Hands what it is given to the import of the same type and back. */
function relay(type: string, name: string, encoding = "utf8"): string {
	return `(import "${name}" (instance $in (export "turn" (func (param "x" ${type}) (result ${type})))))
		${MEMORY}
		(alias export $in "turn" (func $f))
		(core func $low (canon lower (func $f) (memory $memory) (realloc $realloc) string-encoding=${encoding}))
		(core module $m (import "libc" "memory" (memory 1)) (import "" "f" (func $f (param i32 i32 i32)))
			(func (export "turn") (param i32 i32) (result i32)
				(call $f (local.get 0) (local.get 1) (i32.const 8)) (i32.const 8)))
		(core instance $i (instantiate $m (with "libc" (instance $libc)) (with "" (instance (export "f" (func $low))))))
		(func $turn (param "x" ${type}) (result ${type})
			(canon lift (core func $i "turn") (memory $memory) (realloc $realloc) string-encoding=${encoding}))
		(instance $out (export "turn" (func $turn)))
		(export "out" (instance $out))`;
}

/** A resource whose representation is its number; `dropped` is the sum of those that were destroyed. */
const STORE = `
	(core module $m (global $dropped (mut i32) (i32.const 0))
		(func (export "drop") (param i32) (global.set $dropped (i32.add (global.get $dropped) (local.get 0))))
		(func (export "dropped") (result i32) (global.get $dropped))
		(func (export "get") (param i32) (result i32) (local.get 0)))
	(core instance $i (instantiate $m))
	(alias core export $i "drop" (core func $drop))
	(type $thing' (resource (rep i32) (dtor (core func $drop))))
	(core func $new (canon resource.new $thing'))
	(component $shim
		(import "thing" (type $thing (sub resource)))
		(import "make" (func $make (param "n" u32) (result (own $thing))))
		(import "get" (func $get (param "self" (borrow $thing)) (result u32)))
		(import "dropped" (func $dropped (result u32)))
		(export $t "thing" (type $thing))
		(export "[constructor]thing" (func $make) (func (param "n" u32) (result (own $t))))
		(export "[method]thing.get" (func $get) (func (param "self" (borrow $t)) (result u32)))
		(export "dropped" (func $dropped)))
	(func $make (param "n" u32) (result (own $thing')) (canon lift (core func $new)))
	(func $get (param "self" (borrow $thing')) (result u32) (canon lift (core func $i "get")))
	(func $dropped (result u32) (canon lift (core func $i "dropped")))
	(instance $s (instantiate $shim (with "thing" (type $thing')) (with "make" (func $make))
		(with "get" (func $get)) (with "dropped" (func $dropped))))
	(export "t:t/store@1.0.0" (instance $s))`;

/** Makes a thing, reads it, drops it or gives it away. */
const USER = `
	(import "t:t/store@1.0.0" (instance $s
		(export "thing" (type $thing (sub resource)))
		(export "[constructor]thing" (func (param "n" u32) (result (own $thing))))
		(export "[method]thing.get" (func (param "self" (borrow $thing)) (result u32)))
		(export "dropped" (func (result u32)))))
	(alias export $s "thing" (type $thing))
	(alias export $s "[constructor]thing" (func $make))
	(alias export $s "[method]thing.get" (func $get))
	(alias export $s "dropped" (func $dropped))
	(core func $make (canon lower (func $make)))
	(core func $get (canon lower (func $get)))
	(core func $drop (canon resource.drop $thing))
	(core module $m
		(import "" "make" (func $make (param i32) (result i32)))
		(import "" "get" (func $get (param i32) (result i32)))
		(import "" "drop" (func $drop (param i32)))
		(func (export "use") (param i32) (result i32) (local $h i32) (local $n i32)
			(local.set $h (call $make (local.get 0)))
			(local.set $n (call $get (local.get $h)))
			(call $drop (local.get $h))
			(local.get $n))
		(func (export "keep") (param i32) (result i32) (call $make (local.get 0)))
		(func (export "twice") (param i32) (call $drop (local.get 0)) (call $drop (local.get 0))))
	(core instance $i (instantiate $m (with "" (instance
		(export "make" (func $make)) (export "get" (func $get)) (export "drop" (func $drop))))))
	(func (export "use") (param "n" u32) (result u32) (canon lift (core func $i "use")))
	(func (export "keep") (param "n" u32) (result u32) (canon lift (core func $i "keep")))
	(func (export "twice") (param "h" u32) (canon lift (core func $i "twice")))
	(export "dropped" (func $dropped))`;

const EDGE = [{ node: "app", from: "lib" }];

suite("composed components give what nested ones give", () => {
	const encodings = ["utf8", "utf16", "latin1+utf16"];
	const texts = ["", "plain", "grüße", "日本語 𝄞", "x".repeat(5000), `${"y".repeat(300)}ß`, `${"z".repeat(300)}本`];

	for (const from of encodings) {
		for (const to of encodings) {
			test(`strings, ${from} to ${to}`, async () => {
				const app = relay("string", "a:b/turn@0.1.0", from);
				const lib = turner("string", "a:b/turn@0.1.0", to);
				const nested = await start(`(component
					(component $lib ${lib}) (component $app ${app})
					(instance $l (instantiate $lib)) (alias export $l "a:b/turn@0.1.0" (instance $t))
					(instance $a (instantiate $app (with "a:b/turn@0.1.0" (instance $t))))
					(alias export $a "out" (instance $out)) (export "out" (instance $out)))`);
				const nodes = { lib: `(component ${lib})`, app: `(component ${app})` };
				const composed = await compose({ nodes, edges: EDGE });
				const calls = texts.map((text) => ["out#turn", text] as const);
				assert.deepEqual(await outcomes(composed, calls), await outcomes(nested, calls));
				assert.deepEqual(
					await outcomes(composed, calls),
					texts.map((value) => ({ value })),
				);
			});
		}
	}

	for (const [element, value] of [
		["u8", Uint8Array.from({ length: 5000 }, (_, i) => i)],
		["u32", Uint32Array.of(0, 1, 0xffff_ffff)],
		["s64", BigInt64Array.of(-1n, 1n << 62n)],
		["f64", Float64Array.of(0.5, NaN, -0)],
		[
			"(tuple u8 string)",
			[
				[1, "a"],
				[2, "ü"],
			],
		],
	] as const) {
		test(`a list of ${element}`, async () => {
			const type = `(list ${element})`;
			const lib = `(component ${turner(type, "a:b/turn")})`;
			const app = `(component ${relay(type, "a:b/turn")})`;
			const composed = await compose({ nodes: { app, lib }, edges: EDGE });
			assert.deepEqual(await call(composed, "out#turn", value), value);
			assert.deepEqual(await call(composed, "out#turn", value), value);
		});
	}

	test("resources, their destructors, and the misuse of handles", async () => {
		const nested = (): Promise<Instance> =>
			start(`(component
				(component $lib ${STORE}) (component $app ${USER})
				(instance $l (instantiate $lib)) (alias export $l "t:t/store@1.0.0" (instance $s))
				(instance $a (instantiate $app (with "t:t/store@1.0.0" (instance $s))))
				(alias export $a "use" (func $use)) (export "use" (func $use))
				(alias export $a "keep" (func $keep)) (export "keep" (func $keep))
				(alias export $a "twice" (func $twice)) (export "twice" (func $twice))
				(alias export $a "dropped" (func $dropped)) (export "dropped" (func $dropped)))`);
		const composed = (): Promise<Instance> =>
			compose({ nodes: { app: `(component ${USER})`, lib: `(component ${STORE})` }, edges: EDGE });
		const calls = [["use", 7], ["dropped"], ["use", 5], ["dropped"], ["keep", 1], ["keep", 2]] as const;
		const made = await composed();
		assert.deepEqual(
			await outcomes(made, calls),
			[7, 7, 5, 12, 1, 2].map((value) => ({ value })),
		);
		assert.equal(made.store.handles, 2);
		for (const more of [
			["twice", 1],
			["twice", 9],
		] as const) {
			const all = [...calls, more, ["use", 1], ["dropped"]] as const;
			assert.deepEqual(await outcomes(await composed(), all), await outcomes(await nested(), all));
		}
	});

	test("a trap in one poisons all of the sandbox, and no other sandbox", async () => {
		const lib = `(component (core module $m (func (export "boom") unreachable))
			(core instance $i (instantiate $m))
			(func $boom (canon lift (core func $i "boom")))
			(instance $o (export "boom" (func $boom))) (export "x:y/boom" (instance $o)))`;
		const app = `(component (import "x:y/boom" (instance $b (export "boom" (func))))
			(alias export $b "boom" (func $boom)) (core func $low (canon lower (func $boom)))
			(core module $m (import "" "boom" (func $boom)) (func (export "go") (param i32) (if (local.get 0) (then (call $boom)))))
			(core instance $i (instantiate $m (with "" (instance (export "boom" (func $low))))))
			(func (export "go") (param "x" bool) (canon lift (core func $i "go"))))`;
		const linked = await link({ nodes: { lib, app }, edges: EDGE });
		const [one, two] = [instantiate(linked, 0), instantiate(linked, 0)];
		await call(one, "go", false);
		await assert.rejects(call(one, "go", true), (error) => error instanceof Trap && error.kind === "unreachable");
		await assert.rejects(call(one, "go", false), /cannot enter component instance/);
		await call(two, "go", false);
	});
});

suite("what edges find", () => {
	const lib = (version: string): string => `(component ${turner("string", `a:b/turn${version}`)})`;
	const app = (version: string): string => `(component ${relay("string", `a:b/turn${version}`)})`;

	test("an import finds a compatible version, by itself or by name", async () => {
		for (const edge of [
			{},
			{ import: "a:b/turn" },
			{ import: "a:b/turn@0.2.1" },
			{ import: "a:b/turn@0.2.9" },
			{ import: "a:b/turn", export: "a:b/turn" },
		]) {
			const nodes = { app: app("@0.2.1"), lib: lib("@0.2.7") };
			const composed = await compose({ nodes, edges: [{ node: "app", from: "lib", ...edge }] });
			assert.equal(await call(composed, "out#turn", "x"), "x");
			assert.deepEqual([...composed.exports.keys()], ["out"]);
		}
	});

	test("an export of another name serves when it is named", async () => {
		const nodes = { app: app("@0.2.1"), lib: `(component ${turner("string", "my-turn")})` };
		const edges = [{ node: "app", import: "a:b/turn", from: "lib", export: "my-turn" }];
		assert.equal(await call(await compose({ nodes, edges }), "out#turn", "x"), "x");
	});

	test("a chain, in any order of nodes, and exports by name", async () => {
		const middle = `(component ${relay("string", "a:b/turn@0.2.0").replace('(export "out"', '(export "c:d/turn"')})`;
		const nodes = { top: `(component ${relay("string", "c:d/turn")})`, middle, bottom: lib("@0.2.0") };
		const edges = [
			{ node: "middle", from: "bottom" },
			{ node: "top", from: "middle" },
		];
		const exports = [{ node: "top" }, { node: "middle", export: "c:d/turn", as: "mid:mid/turn" }];
		const composed = await compose({ nodes, edges, exports });
		assert.equal(await call(composed, "out#turn", "grüße"), "grüße");
		assert.equal(await call(composed, "mid:mid/turn#turn", "x"), "x");
		assert.deepEqual([...composed.exports.keys()], ["out", "mid:mid/turn"]);
	});

	test("one component in two nodes is two instances, whose resources are not the same", async () => {
		const nodes = {
			app: `(component ${USER})`,
			other: `(component ${USER})`,
			a: `(component ${STORE})`,
			b: `(component ${STORE})`,
		};
		const edges = [
			{ node: "app", from: "a" },
			{ node: "other", from: "b" },
		];
		const exports = [
			{ node: "app", export: "use" },
			{ node: "app", export: "dropped", as: "dropped-a" },
			{ node: "other", export: "dropped", as: "dropped-b" },
		];
		const composed = await compose({ nodes, edges, exports });
		await call(composed, "use", 3);
		assert.deepEqual([await call(composed, "dropped-a"), await call(composed, "dropped-b")], [3, 0]);
	});
});

suite("the host's part of a composition", () => {
	/** Takes a host's resource from one interface; gives it to what it imports as `next`, or reads it itself. */
	const HOST = (version: string, extra = ""): string => `(import "h:h/res@${version}" (instance $h
			(export "r" (type $r (sub resource)))
			(export "[constructor]r" (func (result (own $r))))
			(export "[method]r.read" (func (param "self" (borrow $r)) (result u32))) ${extra}))
		(alias export $h "r" (type $r))`;
	const giver = `(component ${HOST("0.3.1")}
		(alias export $h "[constructor]r" (func $make))
		(import "next" (func $next (param "r" (own $r)) (result u32)))
		(core func $make (canon lower (func $make))) (core func $next (canon lower (func $next)))
		(core module $m (import "" "make" (func $make (result i32))) (import "" "next" (func $next (param i32) (result i32)))
			(func (export "run") (result i32) (call $next (call $make))))
		(core instance $i (instantiate $m (with "" (instance (export "make" (func $make)) (export "next" (func $next))))))
		(func (export "run") (result u32) (canon lift (core func $i "run"))))`;
	const taker = `(component ${HOST("0.3.4", '(export "more" (func (result u32)))')}
		(alias export $h "[method]r.read" (func $read)) (alias export $h "more" (func $more))
		(core func $read (canon lower (func $read))) (core func $more (canon lower (func $more)))
		(core func $drop (canon resource.drop $r))
		(core module $m (import "" "read" (func $read (param i32) (result i32))) (import "" "more" (func $more (result i32)))
			(import "" "drop" (func $drop (param i32)))
			(func (export "next") (param i32) (result i32)
				(i32.add (call $read (local.get 0)) (call $more)) (call $drop (local.get 0))))
		(core instance $i (instantiate $m (with "" (instance
			(export "read" (func $read)) (export "more" (func $more)) (export "drop" (func $drop))))))
		(func (export "next") (param "r" (own $r)) (result u32) (canon lift (core func $i "next"))))`;

	test("imports of compatible versions are one import, whose resources are passed on", async () => {
		const log: string[] = [];
		const host: Partial<HostImports> = {
			interfaces: [
				{
					name: "h:h/res",
					functions: {
						"[constructor]r": () => ({ n: 40 }),
						"[method]r.read": (_: unknown, self: { n: number }) => self.n,
						more: () => 2,
					},
					resources: { r: { drop: (_, rep: { n: number }) => log.push(`drop ${rep.n}`) } },
				},
			],
		};
		const linked = await link({ nodes: { giver, taker }, edges: [{ node: "giver", from: "taker" }], host });
		assert.deepEqual([...linked.plan.imports.keys()], ["h:h/res@0.3.4"]);
		const instance = instantiate(linked, 0);
		assert.equal(await call(instance, "run"), 42);
		assert.deepEqual(log, ["drop 40"]);
		assert.equal(instance.store.handles, 0);
	});

	test("nodes that want the host's interface with other types are told so", async () => {
		const other = `(component (import "h:h/res@0.3.0" (instance (export "more" (func (result string))))))`;
		assert.deepEqual(await problems({ nodes: { taker, other }, edges: [] }), [
			"other, import h:h/res@0.3.0 from the host: taker imports h:h/res@0.3.4#more with another type: " +
				"type mismatch with result type: expected string, found u32",
		]);
	});

	test("what is left to import is missed as ever", async () => {
		await assert.rejects(link({ nodes: { giver, taker }, edges: [{ node: "giver", from: "taker" }] }), (error) => {
			assert.ok(error instanceof SkerryError);
			assert.equal(error.code, "link/missing-imports");
			assert.match(error.message, /h:h\/res@0\.3\.4: nothing provides it/);
			return true;
		});
	});
});

suite("graphs that cannot be linked", () => {
	const f = (name: string, type: string, of: string): string =>
		`(import "${name}" (func $f ${type})) (export "${of}" (func $f))`;
	const app = `(component ${f("one", "(result u32)", "two")})`;
	const lib = `(component (core module $m (func (export "f") (result i32) (i32.const 1))) (core instance $i (instantiate $m))
		(func (export "one") (result u32) (canon lift (core func $i "f")))
		(func (export "text") (result char) (canon lift (core func $i "f"))))`;
	const relayed = `(component ${f("two", "(result u32)", "one")})`;

	const cases: readonly (readonly [string, Graph, readonly string[]])[] = [
		["without a node", { nodes: {}, edges: [] }, ["there is none"]],
		[
			"with edges that lead nowhere, all at once",
			{
				nodes: { app, lib },
				edges: [
					{ node: "ap", import: "one", from: "lib" },
					{ node: "app", import: "ones", from: "lib" },
					{ node: "app", import: "one", from: "lib", export: "tex" },
					{ node: "lib", from: "app" },
					{ node: "app", from: "lib", export: "one" },
				],
				exports: [{ node: "app", export: "too" }, { node: "lob" }, { node: "app", as: "x" }],
			},
			[
				"ap ← lib: there is no node ap (did you mean app?)",
				"app ← lib, import ones: app does not import it (did you mean one?)",
				"app ← lib, import one: lib does not export tex (did you mean text?)",
				"lib ← app: lib imports nothing that app exports",
				"app ← lib, export one: for which import is not said",
				"the export too of app: app does not export too (did you mean two?)",
				"the export of all of lob: there is no node lob (did you mean lib?)",
				"the export x of app: which of its exports is not said",
			],
		],
		[
			"with an import that is given twice",
			{
				nodes: { app, lib, lib2: lib },
				edges: [
					{ node: "app", import: "one", from: "lib" },
					{ node: "app", import: "one", from: "lib2" },
				],
				exports: [{ node: "app" }],
			},
			["app ← lib2, import one: it is given twice, the first time by lib"],
		],
		[
			"with an import that two could give",
			{
				nodes: { app, lib, lib2: lib },
				edges: [
					{ node: "app", from: "lib" },
					{ node: "app", from: "lib2" },
				],
				exports: [{ node: "app" }],
			},
			["app ← lib2: one comes from lib as well; name one"],
		],
		[
			"with another type",
			{ nodes: { app, lib }, edges: [{ node: "app", import: "one", from: "lib", export: "text" }] },
			[
				"app ← lib, import one: the export text is of another type: type mismatch with result type: expected u32, found char",
			],
		],
		[
			"with nodes that need one another",
			{
				nodes: { app, relayed },
				edges: [
					{ node: "app", from: "relayed" },
					{ node: "relayed", from: "app" },
				],
			},
			["app ← relayed ← app: components cannot need one another"],
		],
		[
			"with two exports of one name",
			{ nodes: { lib, lib2: lib }, edges: [] },
			[
				"the export of all of lib2: one is exported by lib already",
				"the export of all of lib2: text is exported by lib already",
			],
		],
		[
			"with an export under what is no name",
			{ nodes: { lib }, edges: [], exports: [{ node: "lib", export: "one", as: "NOT one" }] },
			["the export NOT one of lib: NOT one is no name of an export"],
		],
		[
			"with a node that needs the resources of another node and of the host together",
			{
				nodes: {
					lib: `(component ${STORE})`,
					app: `(component (import "t:t/store@1.0.0" (instance $s (export "thing" (type (sub resource)))))
						(alias export $s "thing" (type $t)) (import "take" (func (param "t" (own $t)))))`,
				},
				edges: EDGE,
			},
			["app, import take from the host: it mentions the resource t:t/store@1.0.0#thing, which is of lib"],
		],
	];
	for (const [name, graph, expected] of cases) {
		test(name, async () => assert.deepEqual(await problems(graph), expected));
	}

	test("of mutated components: an error with a code, or a composition", async () => {
		const bytes = {
			app: new Uint8Array(await parse(`(component ${USER})`)),
			lib: new Uint8Array(await parse(`(component ${STORE})`)),
		};
		let seed = 7;
		const random = (below: number): number => (seed = (seed * 48_271) % 0x7fff_ffff) % below;
		const seen = new Set<string>();
		for (let i = 0; i < 3000; i++) {
			const nodes = new Map(
				(["app", "lib"] as const).map((name) => {
					const mutated = bytes[name].slice();
					for (let n = random(3); n > 0; n--) mutated[random(mutated.length)] = random(256);
					return [name, mutated] as const;
				}),
			);
			try {
				const loaded = new Map([...nodes].map(([name, mutated]) => [name, loadComponent(mutated)]));
				composeComponents({ nodes: loaded, edges: EDGE });
				seen.add("composed");
			} catch (error) {
				assert.ok(error instanceof SkerryError, String(error));
				seen.add(error.code);
			}
		}
		for (const wanted of ["composed", "link/graph", "component/invalid"]) assert.ok(seen.has(wanted), wanted);
	});
});
