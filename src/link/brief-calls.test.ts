/** Calls that go by untold until something comes up: in every way like those that are told of. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ComponentFunction, Surfaced } from "../abi/mod.ts";
import { LimitExceeded, type Limits } from "../fault/mod.ts";
import { link } from "./guest.fixture.ts";
import { type Instance, instantiate } from "./instance/instantiate.ts";

const KINDS = ["bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64"] as const;

function coreOf(kind: string): string {
	return kind === "u64" || kind === "s64" ? "i64" : kind === "f32" || kind === "f64" ? kind : "i32";
}

/** What is given to `mixed`, whose task returns its argument: */
const ONLY = 0;
const ASKS_BEFORE = 1;
const ASKS_AFTER = 2;
const TWICE = 3;
const NEVER = 4;
const YIELDS_AFTER = 5;
const YIELDS_BEFORE = 6;
const TRAPS_AFTER = 7;
const STRANGE_CODE = 8;
const ENDLESS = 9;
const PRESSES = 10;
const OTHER = 11;

const GUEST = `(component
	${KINDS.map((kind) => `(core func $return-${kind} (canon task.return (result ${kind})))`).join("\n")}
	(core func $return-nothing (canon task.return))
	(core func $other (canon task.return (result u32)))
	(core func $get (canon context.get i32 0))
	(core func $put (canon context.set i32 0))
	(core func $press (canon backpressure.inc))
	(core func $relax (canon backpressure.dec))
	(core module $m
		${KINDS.map((kind) => `(import "" "return-${kind}" (func $return-${kind} (param ${coreOf(kind)})))`).join("\n")}
		(import "" "return-nothing" (func $return-nothing))
		(import "" "other" (func $other (param i32)))
		(import "" "get" (func $get (result i32)))
		(import "" "put" (func $put (param i32)))
		(import "" "press" (func $press))
		(import "" "relax" (func $relax))
		${KINDS.map((kind) => `(func (export "${kind}") (param ${coreOf(kind)}) (result i32) (call $return-${kind} (local.get 0)) (i32.const 0))`).join("\n")}
		(func (export "nothing") (result i32) (call $return-nothing) (i32.const 0))
		(func (export "sum") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
		(func (export "relax") (call $relax))
		(func (export "mixed") (param i32) (result i32)
			(if (i32.eq (local.get 0) (i32.const ${ASKS_BEFORE})) (then (call $put (i32.const 1))))
			(if (i32.eq (local.get 0) (i32.const ${YIELDS_BEFORE})) (then (call $put (i32.const 6)) (return (i32.const 1))))
			(if (i32.eq (local.get 0) (i32.const ${NEVER})) (then (return (i32.const 0))))
			(if (i32.eq (local.get 0) (i32.const ${OTHER}))
				(then (call $other (i32.const ${OTHER})) (return (i32.const 0))))
			(call $return-u32 (local.get 0))
			(if (i32.eq (local.get 0) (i32.const ${ENDLESS})) (then (loop $again (br $again))))
			(if (i32.eq (local.get 0) (i32.const ${ASKS_AFTER})) (then (drop (call $get))))
			(if (i32.eq (local.get 0) (i32.const ${TWICE})) (then (call $return-u32 (i32.const 4))))
			(if (i32.eq (local.get 0) (i32.const ${PRESSES})) (then (call $press)))
			(if (i32.eq (local.get 0) (i32.const ${YIELDS_AFTER})) (then (return (i32.const 1))))
			(if (i32.eq (local.get 0) (i32.const ${TRAPS_AFTER})) (then unreachable))
			(select (i32.const 3) (i32.const 0) (i32.eq (local.get 0) (i32.const ${STRANGE_CODE}))))
		(func (export "callback") (param i32 i32 i32) (result i32)
			(if (call $get) (then (call $return-u32 (call $get)))) (i32.const 0)))
	(core instance $i (instantiate $m (with "" (instance
		${KINDS.map((kind) => `(export "return-${kind}" (func $return-${kind}))`).join("\n")}
		(export "return-nothing" (func $return-nothing)) (export "other" (func $other)) (export "get" (func $get))
		(export "put" (func $put)) (export "press" (func $press)) (export "relax" (func $relax))))))
	${KINDS.map((kind) => lifted(kind, `(param "a" ${kind}) (result ${kind})`)).join("\n")}
	${lifted("nothing", "")}
	${lifted("mixed", '(param "a" u32) (result u32)')}
	(func (export "relax") (canon lift (core func $i "relax")))
	(func (export "sum") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "sum"))))`;

function lifted(name: string, type: string): string {
	return `(func (export "${name}") async ${type}
		(canon lift (core func $i "${name}") async (callback (core func $i "callback"))))`;
}

const linked = link(GUEST);

async function create(limits: Limits = {}): Promise<Instance> {
	const instance = instantiate(await linked, undefined, limits, "shop");
	instance.beginEachCall();
	return instance;
}

function find(instance: Instance, name: string): ComponentFunction {
	const fn = instance.function([name]);
	assert.ok(fn !== undefined && "invoke" in fn);
	return fn;
}

/** Calls it until calls go by untold; gives what the first of them does. */
async function callBriefly(instance: Instance, name: string, warm: readonly unknown[], args = warm): Promise<unknown> {
	const fn = find(instance, name);
	for (const end = performance.now() + 20_000; performance.now() < end; await sleep(1)) {
		for (let i = 0; i < 50; i++) {
			instance.begin();
			fn.call(warm);
		}
		// The last one may have been the last of those that are trusted
		const given = fn.brief === undefined ? null : fn.brief(...args);
		// The watchdog may come by in any of them
		if (given !== null && !(args === warm && given instanceof Surfaced)) return given;
	}
	return assert.fail("calls are told of still");
}

/** What becomes of a call, as data. */
async function outcome(instance: Instance, given: unknown): Promise<unknown> {
	try {
		const value = await given;
		await instance.settled;
		return { value, quiet: instance.quiet, handles: instance.store.handles };
	} catch (error) {
		const { message, constructor } = error as Error;
		return { message, kind: constructor.name, poisoned: instance.store.poison !== undefined };
	}
}

suite("a call that goes by untold", () => {
	for (const [kind, values] of [
		["bool", [true, false]],
		["u8", [0, 255]],
		["s8", [-128, 127]],
		["u16", [0, 65535]],
		["s16", [-32768, 32767]],
		["u32", [0, 2 ** 32 - 1]],
		["s32", [-(2 ** 31), 2 ** 31 - 1]],
		["u64", [0n, 2n ** 64n - 1n]],
		["s64", [-(2n ** 63n), 2n ** 63n - 1n]],
		["f32", [0.5, Number.NaN, -Infinity]],
		["f64", [1e300, Number.NaN, -0]],
	] as const) {
		test(`returns what it was given: ${kind}`, async () => {
			const instance = await create();
			for (const value of values) assert.deepEqual(await callBriefly(instance, kind, [value]), value);
			assert.equal(instance.quiet, true);
		});
	}

	test("returns nothing, or the result of a function that is not async", async () => {
		const instance = await create();
		assert.equal(await callBriefly(instance, "nothing", []), undefined);
		assert.equal(await callBriefly(instance, "sum", [2 ** 32 - 1, 3]), 2);
	});

	test("has not begun where its arguments are not what the function takes, or the instance lets nobody in", async () => {
		const instance = await create();
		const { brief } = (await callBriefly(instance, "u32", [7]), find(instance, "u32"));
		for (const wrong of [-1, 2 ** 32, "7", 0.5, undefined]) assert.equal(brief?.(wrong), null);
		assert.equal(brief?.(8), 8);
		const pressed = await callBriefly(instance, "mixed", [ONLY], [PRESSES]);
		assert.equal(await (pressed as Surfaced).given, PRESSES);
		assert.equal(brief?.(8), null);
		instance.begin();
		const waiting = find(instance, "u32").call([9]);
		instance.begin();
		find(instance, "relax").call([]);
		assert.equal(await waiting, 9);
		assert.equal(await callBriefly(instance, "u32", [10]), 10);
		instance.dispose(new Error("over"));
		assert.equal(brief?.(8), null);
	});

	for (const [what, argument] of [
		["comes to a built-in before it returns", ASKS_BEFORE],
		["comes to a built-in after it has returned", ASKS_AFTER],
		["returns through another built-in", OTHER],
		["returns twice", TWICE],
		["does not return", NEVER],
		["returns and yields", YIELDS_AFTER],
		["yields and returns then", YIELDS_BEFORE],
		["returns and traps", TRAPS_AFTER],
		["returns and says what no task says", STRANGE_CODE],
	] as const) {
		test(`one that ${what} is as one that is told of`, async () => {
			const [briefly, told] = [await create(), await create()];
			const surfaced = await callBriefly(briefly, "mixed", [ONLY], [argument]);
			assert.ok(surfaced instanceof Surfaced);
			told.begin();
			const expected = await outcome(told, find(told, "mixed").call([argument]));
			assert.deepEqual(await outcome(briefly, surfaced.given), expected);
			if (!Object.hasOwn(expected as object, "value")) return;
			assert.equal(briefly.usage.hostCalls, told.usage.hostCalls);
			// What was learnt of it does not keep it from being called.
			for (let i = 0; i < 20; i++) {
				briefly.begin();
				assert.equal(await find(briefly, "mixed").call([argument]), argument);
				await briefly.settled;
			}
			assert.equal(await callBriefly(briefly, "mixed", [ONLY]), ONLY);
		});
	}

	test("comes to its limit of time", async () => {
		const instance = await create({ cpu: 50 });
		const surfaced = await callBriefly(instance, "mixed", [ONLY], [ENDLESS]);
		assert.ok(surfaced instanceof Surfaced);
		const exceeded = (error: unknown): boolean => error instanceof LimitExceeded && error.limit === "cpu";
		await assert.rejects(surfaced.given as Promise<unknown>, exceeded);
	});

	test("comes to its limit of host calls, which its return is one of", async () => {
		const instance = await create({ hostCalls: 1 });
		const surfaced = await callBriefly(instance, "mixed", [ONLY], [ASKS_AFTER]);
		assert.ok(surfaced instanceof Surfaced);
		const exceeded = (error: unknown): boolean => error instanceof LimitExceeded && error.limit === "hostCalls";
		await assert.rejects(surfaced.given as Promise<unknown>, exceeded);
	});

	test("is the instance's as before in its next use", async () => {
		const instance = await create();
		assert.equal(await callBriefly(instance, "u32", [7]), 7);
		const failed = await callBriefly(instance, "mixed", [ONLY], [TRAPS_AFTER]);
		await assert.rejects((failed as Surfaced).given as Promise<unknown>, /unreachable/);
		assert.equal(find(instance, "u32").brief?.(7), null);
		instance.dispose(new Error("over"));
		instance.store.reset(undefined);
		assert.equal(find(instance, "u32").brief?.(7), null);
	});
});
