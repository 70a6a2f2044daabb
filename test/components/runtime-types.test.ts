/**
 * Components that exercise each kind of value and resources, through the public API as an embedder uses it. Guests check what they
 * are given and trap when it is wrong; what the host is given is asserted here.
 */
import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import path from "node:path";
import { after, suite, test } from "node:test";

import { ComponentError, Engine, type Imports, type Sandbox, Trap } from "../../src/index.ts";

const SUITE = path.resolve(import.meta.dirname, "../../../shared/suites/runtime-types");
const NAMES = [
	"adder",
	"asmjs_bigint",
	"async_call",
	"lists",
	"many-arguments",
	"numbers",
	"records",
	"resource-borrow-simple",
	"resources",
	"simple-nested",
	"smoke",
	"strings",
	"variants",
] as const;
const absent = existsSync(SUITE) ? false : `runtime-types: ${NAMES.length} components are absent from ${SUITE}`;

type Call = readonly [name: string, ...args: unknown[]];

/** What the host was called with, in order. */
class CallLog {
	readonly calls: Call[] = [];

	/** A function that logs its arguments and returns the only one, or the list of them. */
	echo(name: string): (...args: unknown[]) => unknown {
		return this.does(name, (...args) => (args.length === 1 ? args[0] : args));
	}

	does(name: string, act: (...args: any[]) => unknown): (...args: unknown[]) => unknown {
		return (...args) => {
			this.calls.push([name, ...args]);
			return act(...args);
		};
	}

	/** What was logged since the last time. */
	take(): Call[] {
		return this.calls.splice(0);
	}
}

suite("runtime-types", { skip: absent }, () => {
	const engine = new Engine();
	const tested = new Set<string>();

	/** `leaks`: the handles that the guest itself never drops; the sandbox's end gives them back. */
	function component(
		name: (typeof NAMES)[number],
		imports: (log: CallLog) => Imports,
		run: (sandbox: Sandbox, log: CallLog) => Promise<void>,
		leaks = 0,
	): void {
		test(name, async () => {
			tested.add(name);
			const log = new CallLog();
			const loaded = await engine.load(path.join(SUITE, `${name}.component.wasm`), { imports: imports(log) });
			const sandbox = loaded.instantiate();
			try {
				await run(sandbox, log);
				assert.equal(sandbox.handles, leaks, "handles in the guest's tables");
			} finally {
				sandbox[Symbol.dispose]();
			}
			assert.equal(sandbox.handles, 0, "handles after the sandbox's end");
		});
	}

	component(
		"adder",
		() => ({}),
		async ({ exports }) => {
			const { add } = exports["docs:adder/add@0.1.0"];
			assert.equal(exports["docs:adder/add"].add, add, "also without the version");
			assert.equal(await add(0, 0), 0);
			assert.equal(await add(0xffff_ffff, 2), 1);
			assert.equal(await add(0x8000_0000, 0x7fff_ffff), 0xffff_ffff);
		},
	);

	component(
		"asmjs_bigint",
		() => ({}),
		async ({ exports }) => {
			assert.equal(await exports.add(1n, -2n), -1n);
			assert.equal(await exports.add(2n ** 63n - 1n, 1n), -(2n ** 63n));
			assert.equal(await exports.add(-(2n ** 63n), -1n), 2n ** 63n - 1n);
		},
	);

	// Its name is of the toolchain's asynchronous imports: to the component both of its imports are synchronous.
	component(
		"async_call",
		(log) => ({
			"something:test/test-interface": {
				callAsync: log.does("async", async () => {
					await new Promise((resolve) => setTimeout(resolve, 1));
					return "waited";
				}),
				callSync: log.does("sync", () => "at once"),
			},
		}),
		async ({ exports }, log) => {
			assert.equal(await exports.runAsync(), "waited");
			assert.equal(await exports.runSync(), "at once");
			assert.deepEqual(log.take(), [["async"], ["sync"]]);
		},
	);

	component(
		"simple-nested",
		(log) => ({
			"calvinrp:test-async-funcs/hello": {
				helloWorld: log.does("hello", async () => {
					await new Promise((resolve) => setTimeout(resolve, 1));
					return "hello from four components away";
				}),
			},
		}),
		async ({ exports }, log) => {
			const { helloWorld } = exports["calvinrp:test-async-funcs/hello"];
			for (let i = 0; i < 3; i++) assert.equal(await helloWorld(), "hello from four components away");
			assert.deepEqual(log.take(), [["hello"], ["hello"], ["hello"]]);
		},
	);

	component(
		"smoke",
		(log) => ({ "test:smoke/imports": { thunk: log.echo("thunk") } }),
		async ({ exports }, log) => {
			assert.equal(await exports.thunk(), undefined);
			assert.deepEqual(log.take(), [["thunk"]]);
		},
		3, // the streams of its C library
	);

	component(
		"many-arguments",
		(log) => ({ imports: { manyArguments: log.echo("many") } }),
		async ({ exports }, log) => {
			const args = Array.from({ length: 16 }, (_, i) => BigInt(i + 1));
			await exports.manyArguments(...args);
			assert.deepEqual(log.take(), [["many", ...args]]);
			await assert.rejects(exports.manyArguments(...args.slice(1)), {
				code: "call/bad-value",
				message: "Cannot call many-arguments: 15 arguments for 16 parameters",
			});
			// The guest checks its arguments.
			await assert.rejects(exports.manyArguments(...args.toReversed()), Trap);
		},
		3, // it printed why: the streams of its C library
	);

	component(
		"strings",
		(log) => ({
			"test:strings/imports": {
				takeBasic: log.echo("basic"),
				returnUnicode: log.does("unicode", () => "🚀🚀🚀 𠈄𓀀"),
			},
		}),
		async ({ exports }, log) => {
			await exports.testImports();
			assert.deepEqual(log.take(), [["basic", "latin utf16"], ["unicode"]]);
			assert.equal(await exports.returnEmpty(), "");
			for (const text of [
				"\0",
				"plain",
				"naïve ÿ",
				"Ā\u07ff\u0800\uffff",
				"\u{10000}\u{10ffff}",
				"👩‍👩‍👧 e\u0301 עברית 漢字",
				"\ufeffmark",
				"𠈄".repeat(40_000),
			]) {
				assert.equal(await exports.roundtrip(text), text);
			}
			await assert.rejects(exports.roundtrip("\ud800"), {
				code: "call/bad-value",
				message: /^roundtrip → s: expected string/,
			});
		},
	);

	component(
		"numbers",
		(log) => {
			let scalar = 0;
			const kinds = ["U8", "S8", "U16", "S16", "U32", "S32", "U64", "S64", "F32", "F64", "Char"];
			return {
				"test:numbers/test": {
					...Object.fromEntries(kinds.map((kind) => [`roundtrip${kind}`, log.echo(kind)])),
					setScalar: log.does("set", (value: number) => void (scalar = value)),
					getScalar: log.does("get", () => scalar),
				},
			};
		},
		async ({ exports }, log) => {
			await exports.testImports();
			const seen = Object.groupBy(log.take(), ([name]) => name);
			const values = Object.fromEntries(Object.entries(seen).map(([kind, calls]) => [kind, calls?.map((c) => c[1])]));
			assert.deepEqual(values, {
				U8: [1, 0, 0xff],
				S8: [1, -0x80, 0x7f],
				U16: [1, 0, 0xffff],
				S16: [1, -0x8000, 0x7fff],
				U32: [1, 0, 0xffff_ffff],
				S32: [1, -0x8000_0000, 0x7fff_ffff],
				U64: [1n, 0n, 0xffff_ffffn],
				S64: [1n, -0x8000_0000n, 0x7fff_ffffn],
				F32: [1, Infinity, -Infinity, NaN],
				F64: [1, Infinity, -Infinity, NaN],
				Char: ["a", " ", "🚩"],
				set: [2, 4],
				get: [undefined, undefined],
			});

			const guest = exports["test:numbers/test"];
			const roundtrips: Readonly<Record<string, readonly unknown[]>> = {
				U8: [0, 1, 0xff],
				S8: [-0x80, -1, 0, 0x7f],
				U16: [0, 0x8000, 0xffff],
				S16: [-0x8000, -1, 0x7fff],
				U32: [0, 0x8000_0000, 0xffff_ffff],
				S32: [-0x8000_0000, -1, 0x7fff_ffff],
				U64: [0n, 2n ** 63n, 2n ** 64n - 1n],
				S64: [-(2n ** 63n), -1n, 2n ** 63n - 1n],
				F32: [0, -0, 1.5, 2 ** -149, 3.4028234663852886e38, Infinity, -Infinity, NaN],
				F64: [0, -0, 5e-324, Number.MAX_VALUE, Infinity, -Infinity, NaN],
				Char: ["\0", "a", "\ud7ff", "\ue000", "\u{10ffff}"],
			};
			for (const [kind, cases] of Object.entries(roundtrips)) {
				for (const value of cases) assert.equal(await guest[`roundtrip${kind}`](value), value);
			}
			assert.equal(await guest.roundtripF32(0.1), Math.fround(0.1));

			const refused: Readonly<Record<string, readonly unknown[]>> = {
				U8: [-1, 0x100, 1.5, NaN, "1", 1n, undefined],
				S8: [-0x81, 0x80],
				U32: [-1, 2 ** 32],
				U64: [-1n, 2n ** 64n, 1],
				S64: [2n ** 63n, 0],
				F64: ["1", 1n, null],
				Char: ["", "ab", "\ud800", 97],
			};
			for (const [kind, cases] of Object.entries(refused)) {
				for (const value of cases) {
					await assert.rejects(guest[`roundtrip${kind}`](value), {
						code: "call/bad-value",
						message: new RegExp(`^[a-z:/-]+#roundtrip-${kind.toLowerCase()} → a: expected ${kind.toLowerCase()}, got`),
					});
				}
			}
			await guest.setScalar(0xffff_ffff);
			assert.equal(await guest.getScalar(), 0xffff_ffff, "refused arguments have not ended the sandbox");
			assert.deepEqual(log.take(), []);
		},
	);

	component(
		"lists",
		(log) => ({
			"test:lists/test": {
				emptyListParam: log.echo("emptyListParam"),
				emptyStringParam: log.echo("emptyStringParam"),
				emptyListResult: () => [],
				emptyStringResult: () => "",
				listParam: log.echo("listParam"),
				listParam2: log.echo("listParam2"),
				listParam3: log.echo("listParam3"),
				listParam4: log.echo("listParam4"),
				listParam5: log.echo("listParam5"),
				listResult: () => Uint8Array.of(1, 2, 3, 4, 5),
				listResult2: () => "hello!",
				listResult3: () => ["hello,", "world!"],
				listMinmax8: log.echo("minmax"),
				listMinmax16: log.echo("minmax"),
				listMinmax32: log.echo("minmax"),
				listMinmax64: log.echo("minmax"),
				listMinmaxFloat: log.echo("minmax"),
				listRoundtrip: log.echo("listRoundtrip"),
				stringRoundtrip: log.echo("stringRoundtrip"),
			},
		}),
		async ({ exports }, log) => {
			await exports.testImports();
			const F32 = 3.4028234663852886e38;
			assert.deepEqual(log.take(), [
				["emptyListParam", new Uint8Array()],
				["emptyStringParam", ""],
				["listParam", Uint8Array.of(1, 2, 3, 4)],
				["listParam2", "foo"],
				["listParam3", ["foo", "bar", "baz"]],
				["listParam4", [["foo", "bar"], ["baz"]]],
				[
					"listParam5",
					[
						[1, 2, 3],
						[4, 5, 6],
					],
				],
				["listRoundtrip", new Uint8Array()],
				["listRoundtrip", Uint8Array.of(120)],
				["listRoundtrip", new TextEncoder().encode("hello")],
				["stringRoundtrip", "x"],
				["stringRoundtrip", ""],
				["stringRoundtrip", "hello"],
				["stringRoundtrip", "hello ⚑ world"],
				["minmax", Uint8Array.of(0, 255), Int8Array.of(-128, 127)],
				["minmax", Uint16Array.of(0, 65_535), Int16Array.of(-32_768, 32_767)],
				["minmax", Uint32Array.of(0, 0xffff_ffff), Int32Array.of(-0x8000_0000, 0x7fff_ffff)],
				["minmax", BigUint64Array.of(0n, 2n ** 64n - 1n), BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)],
				[
					"minmax",
					Float32Array.of(-F32, F32, -Infinity, Infinity),
					Float64Array.of(-Number.MAX_VALUE, Number.MAX_VALUE, -Infinity, Infinity),
				],
			]);

			const guest = exports["test:lists/test"];
			await guest.emptyListParam([]);
			await guest.emptyStringParam("");
			await guest.listParam([1, 2, 3, 4]);
			await guest.listParam2("foo");
			await guest.listParam3(["foo", "bar", "baz"]);
			await guest.listParam4([["foo", "bar"], ["baz"]]);
			await guest.listParam5([
				[1, 2, 3],
				[4, 5, 6],
			]);
			assert.deepEqual(await guest.emptyListResult(), new Uint8Array());
			assert.equal(await guest.emptyStringResult(), "");
			assert.deepEqual(await guest.listResult(), Uint8Array.of(1, 2, 3, 4, 5));
			assert.equal(await guest.listResult2(), "hello!");
			assert.deepEqual(await guest.listResult3(), ["hello,", "world!"]);
			// The guest exports the minmax functions, too, and has `assert(0)` in each.
			const long = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7);
			assert.deepEqual(await guest.listRoundtrip(long), long);
			const text = "añ\u{1f680}".repeat(20_000);
			assert.equal(await guest.stringRoundtrip(text), text);
			assert.equal(await exports.allocatedBytes(), 0, "the guest has freed all that it was given");

			await assert.rejects(guest.listParam4([["foo"], ["baz", 7]]), {
				code: "call/bad-value",
				message: "test:lists/test#list-param4 → a[1][1]: expected string, got 7",
			});
			await assert.rejects(guest.listParam([4, 3, 2, 1]), Trap, "the guest checks its arguments");
		},
		3, // it printed why: the streams of its C library
	);

	component(
		"records",
		(log) => ({
			"test:records/test": {
				multipleResults: log.does("multiple", () => [4, 5]),
				swapTuple: log.does("swap", ([a, b]) => [b, a]),
				roundtripFlags1: log.echo("flags1"),
				roundtripFlags2: log.echo("flags2"),
				roundtripFlags3: log.echo("flags3"),
				roundtripRecord1: log.echo("record1"),
				tuple1: log.echo("tuple1"),
			},
		}),
		async ({ exports }, log) => {
			const f1 = (a: boolean, b: boolean): object => ({ a, b });
			const f2 = (c: boolean, d: boolean, e: boolean): object => ({ c, d, e });
			await exports.testImports();
			assert.deepEqual(log.take(), [
				["multiple"],
				["swap", [1, 2]],
				["flags1", f1(true, false)],
				["flags1", f1(false, false)],
				["flags1", f1(false, true)],
				["flags1", f1(true, true)],
				["flags2", f2(true, false, false)],
				["flags2", f2(false, false, false)],
				["flags2", f2(false, true, false)],
				["flags2", f2(true, false, true)],
				["flags3", flags(8, [0]), flags(16, [1]), flags(32, [2])],
				["record1", { a: 8, b: f1(false, false) }],
				["record1", { a: 0, b: f1(true, true) }],
				["tuple1", [1]],
			]);

			const guest = exports["test:records/test"];
			assert.deepEqual(await guest.multipleResults(), [100, 200]);
			assert.deepEqual(await guest.swapTuple([255, 0xffff_ffff]), [0xffff_ffff, 255]);
			assert.deepEqual(await guest.tuple1([255]), [255]);
			assert.deepEqual(await guest.roundtripFlags1({ b: true }), f1(false, true), "flags that are left out are false");
			assert.deepEqual(await guest.roundtripFlags2(f2(true, true, true)), f2(true, true, true));
			const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
			for (const [a, b, c] of [
				[[], [], []],
				[all(8), all(16), all(32)],
				[[7], [15], [31]],
				[[0], [7, 8], [0, 15, 16, 31]],
			] as const) {
				const args = [flags(8, a), flags(16, b), flags(32, c)];
				assert.deepEqual(await guest.roundtripFlags3(...args), args);
			}
			assert.deepEqual(await guest.roundtripRecord1({ a: 7, b: f1(true, false), c: "more" }), {
				a: 7,
				b: f1(true, false),
			});
			await assert.rejects(guest.roundtripRecord1({ a: 256, b: {} }), {
				code: "call/bad-value",
				message: "test:records/test#roundtrip-record1 → a → a: expected u8, got 256",
			});
			await assert.rejects(guest.swapTuple([1]), { code: "call/bad-value" });
			assert.deepEqual(log.take(), []);
		},
	);

	component(
		"variants",
		(log) => ({
			"test:variants/test": {
				roundtripOption: log.echo("option"),
				roundtripResult: log.does("result", ({ tag, val }) => {
					if (tag === "ok") return val;
					throw new ComponentError(Math.trunc(val));
				}),
				roundtripEnum: log.echo("enum"),
				invertBool: log.does("invert", (a) => !a),
				variantCasts: log.echo("casts"),
				variantZeros: log.echo("zeros"),
				variantTypedefs: log.echo("typedefs"),
				variantEnums: log.does("enums", () => [false, { tag: "err" }, "a"]),
			},
		}),
		async ({ exports }, log) => {
			await exports.testImports();
			const seen = log.take();
			assert.deepEqual(
				seen.filter(([name]) => !["casts", "zeros"].includes(name)),
				[
					["option", 1],
					["option", undefined],
					["option", 2],
					["result", { tag: "ok", val: 2 }],
					["result", { tag: "ok", val: 4 }],
					["result", { tag: "err", val: Math.fround(5.3) }],
					["enum", "a"],
					["enum", "b"],
					["invert", true],
					["invert", false],
					["typedefs", undefined, false, { tag: "err" }],
					["enums", true, { tag: "ok" }, "success"],
				],
			);
			const cases = (tag: string, ...values: unknown[]): unknown[] => values.map((val) => ({ tag, val }));
			assert.deepEqual(
				seen.filter(([name]) => ["casts", "zeros"].includes(name)),
				[
					["casts", cases("a", 1, 2, 3, 4n, 5n, 6)],
					["casts", cases("b", 1n, 2, 3, 4, 5, 6)],
					["zeros", cases("a", 1, 2n, 3, 4)],
					["zeros", ["b", "b", "b", "b"].map((tag) => ({ tag }))],
				],
			);

			const guest = exports["test:variants/test"];
			assert.equal(await guest.roundtripOption(undefined), undefined);
			assert.equal(await guest.roundtripOption(255.9), 255);
			assert.equal(await guest.roundtripResult({ tag: "ok", val: 0xffff_ffff }), 0xffff_ffff);
			await assert.rejects(guest.roundtripResult({ tag: "err", val: 200.7 }), (error) => {
				assert.ok(error instanceof ComponentError);
				assert.equal(error.payload, 200);
				return true;
			});
			for (const e of ["a", "b"]) assert.equal(await guest.roundtripEnum(e), e);
			for (const b of [true, false]) assert.equal(await guest.invertBool(b), !b);
			const low = -0x8000_0000;
			for (const casts of [
				cases("a", low, -1, 0x7fff_ffff, -(2n ** 63n), 2n ** 63n - 1n, -0),
				cases("b", -(2n ** 63n), NaN, -0, Infinity, 5e-324, Number.MAX_VALUE),
				[...cases("a", low, 1), ...cases("b", NaN, -0), ...cases("a", -1n, NaN)],
			]) {
				assert.deepEqual(await guest.variantCasts(casts), casts);
			}
			const zeros = [...cases("a", low, -(2n ** 63n)), { tag: "b" }, ...cases("a", NaN)];
			assert.deepEqual(await guest.variantZeros(zeros), zeros);
			await guest.variantTypedefs(7, true, { tag: "ok", val: 3 });

			await assert.rejects(guest.roundtripEnum("c"), {
				code: "call/bad-value",
				message: /#roundtrip-enum → a: expected /,
			});
			await assert.rejects(guest.variantZeros([{ tag: "c" }, ...zeros.slice(1)]), {
				code: "call/bad-value",
				message: /#variant-zeros → a\[0\]: expected /,
			});
			assert.deepEqual(log.take(), []);
		},
	);

	component(
		"resource-borrow-simple",
		(log) => {
			class R {
				constructor() {
					log.calls.push(["new"]);
				}
				[Symbol.dispose](): void {
					log.calls.push(["drop"]);
				}
			}
			return { R, test: log.does("test", (r) => assert.ok(r instanceof R)) };
		},
		async ({ exports }, log) => {
			await exports.testImports();
			assert.deepEqual(
				log.take().map(([name]) => name),
				["new", "test", "drop"],
			);
		},
	);

	component(
		"resources",
		(log) => {
			class Y {
				#a: number;
				constructor(a: number) {
					log.calls.push(["new", a]);
					this.#a = a;
				}
				getA(): number {
					log.calls.push(["get", this.#a]);
					return this.#a;
				}
				setA(a: number): void {
					log.calls.push(["set", this.#a, a]);
					this.#a = a;
				}
				static add(y: Y, a: number): Y {
					log.calls.push(["add", y.#a, a]);
					return new Y(y.#a + a);
				}
				[Symbol.dispose](): void {
					log.calls.push(["drop", this.#a]);
				}
			}
			return { imports: { Y } };
		},
		async (sandbox, log) => {
			const guest = sandbox.exports["exports"];
			assert.equal(await guest.testImports(), undefined, "a result's ok without a value");
			assert.deepEqual(log.take(), [
				["new", 10],
				["get", 10],
				["set", 10, 20],
				["get", 20],
				["add", 20, 10],
				["new", 30],
				["get", 30],
				["drop", 30],
				["new", 1],
				["new", 2],
				["get", 1],
				["get", 2],
				["set", 1, 10],
				["set", 2, 20],
				["get", 10],
				["get", 20],
				["add", 10, 20],
				["new", 30],
				["add", 20, 30],
				["new", 50],
				["get", 30],
				["get", 50],
				["drop", 30],
				["drop", 50],
			]);

			const x = await guest["[constructor]x"](-5);
			await guest["[method]x.set-a"](x, 0x7fff_fff0);
			assert.equal(await guest["[method]x.get-a"](x), 0x7fff_fff0);
			const sum = await guest["[static]x.add"](x, 15);
			assert.equal(await guest["[method]x.get-a"](sum), 0x7fff_ffff);
			await assert.rejects(guest["[method]x.get-a"](x), { code: "call/bad-value" }, "it was given away");
			await assert.rejects(guest["[method]z.get-a"](sum), { code: "call/bad-value" }, "of another type");
			await guest.consume(sum);
			await assert.rejects(guest.consume(sum), { code: "call/bad-value" }, "it was given away");

			// The guest counts from one.
			assert.equal(await guest["[static]z.num-dropped"](), 1);
			const z = [await guest["[constructor]z"](40), await guest["[constructor]z"](2)];
			const both = await guest.add(...z);
			assert.equal(await guest["[method]z.get-a"](both), 42);
			for (const one of [...z, both]) await sandbox.drop(one);
			assert.equal(await guest["[static]z.num-dropped"](), 4);
			await assert.rejects(sandbox.drop(both), { code: "call/bad-value" }, "it was dropped");

			const k = await guest["[constructor]kebab-case"](0xffff_ffff);
			assert.equal(await guest["[method]kebab-case.get-a"](k), 0xffff_ffff);
			assert.equal(await guest["[static]kebab-case.take-owned"](k), 0xffff_ffff);
			assert.deepEqual(log.take(), []);
		},
		1, // its `take-owned` keeps what it was given
	);

	after(() => {
		const found = globSync("*.component.wasm", { cwd: SUITE }).map((file) => file.replace(".component.wasm", ""));
		assert.deepEqual([...tested].sort(), found.sort(), "each component of the suite has its test");
	});
});

/** Flags `b0` to `b{count-1}`, those of `set` true. */
function flags(count: number, set: readonly number[]): Record<string, boolean> {
	return Object.fromEntries(Array.from({ length: count }, (_, i) => [`b${i}`, set.includes(i)]));
}
