import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { LimitExceeded, SkerryError, Trap } from "../fault/mod.ts";
import { Engine } from "./engine.ts";
import type { Sandbox } from "./sandbox.ts";

const CORE = `
	(memory (export "memory") 1)
	(global $count (mut i32) (i32.const 0))
	(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
	(func (export "add") (param i32 i32) (result i32)
		(global.set $count (i32.add (global.get $count) (i32.const 1)))
		(i32.add (local.get 0) (local.get 1)))
	(func (export "count") (result i32) (global.get $count))
	(func (export "spin") (param $n i32) (result i32)
		(loop $again (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
		(i32.const 1))
	(func (export "fail") unreachable)
	(func (export "length") (param i32 i32) (result i32) (local.get 1))
	(func (export "sum") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
	(func (export "half") (param i32) (result i32)
		(i32.store8 (i32.const 32) (i32.and (local.get 0) (i32.const 1)))
		(i32.store (i32.const 36) (i32.shr_u (local.get 0) (i32.const 1)))
		(i32.const 32))`;

const COMPONENT = `(component
	(core module $m ${CORE})
	(core instance $i (instantiate $m))
	(func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
	(func (export "count") (result u32) (canon lift (core func $i "count")))
	(func (export "spin") (param "n" u32) (result bool) (canon lift (core func $i "spin")))
	(func (export "fail") (canon lift (core func $i "fail")))
	(func (export "length") (param "text" string) (result u32)
		(canon lift (core func $i "length") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
	(type $pair' (record (field "x" u32) (field "y" u32)))
	(component $inner
		(type $pair' (record (field "x" u32) (field "y" u32)))
		(import "type-pair" (type $pair (eq $pair')))
		(import "f-sum" (func $sum (param "pair" $pair) (result u32)))
		(export $out "pair" (type $pair))
		(export "sum" (func $sum) (func (param "pair" $out) (result u32))))
	(func $sum (param "pair" $pair') (result u32) (canon lift (core func $i "sum")))
	(instance $pairs (instantiate $inner (with "type-pair" (type $pair')) (with "f-sum" (func $sum))))
	(export "test:sync/pairs" (instance $pairs))
	(func (export "half") (param "n" u32) (result (result u32 (error u32)))
		(canon lift (core func $i "half") (memory (core memory $i "memory")))))`;

/** The same functions, none of which is over so soon that nobody is told of its calls. */
const WATCHED = COMPONENT.replace(CORE, () =>
	CORE.replaceAll(/\(func \(export "(?!realloc)\w+"\)( \((param|result)[^)]*\))*/g, "$& (loop)"),
);

async function open(text: string = COMPONENT, limits = {}): Promise<Sandbox> {
	const engine = new Engine({ cache: false });
	return (await engine.load(new Uint8Array(await parse(text)), { limits })).instantiate();
}

/** So many that calls are trusted, and go by untold, once the watchdog looks after them. */
async function warm(sandbox: Sandbox): Promise<void> {
	for (let i = 0; i < 20; i++) {
		for (let j = 0; j < 200; j++) sandbox.sync["add"](1, 2);
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
}

test("functions return what the guest does, and its state stays", async () => {
	using sandbox = await open();
	const { add, count, length, half, spin } = sandbox.sync;
	await warm(sandbox);
	const before = count();
	for (let i = 0; i < 20_000; i++) assert.equal(add(i, 0xffff_ffff), (i - 1) >>> 0);
	assert.equal(count(), before + 20_000);
	assert.equal(length("grüße"), 7);
	assert.equal(spin(3), true);
	assert.equal(half(42), 21);
	assert.throws(() => half(41), { payload: 20 });
	assert.equal(await sandbox.exports["add"](40, 2), 42);
	assert.equal(count(), before + 20_001);
});

test("wrong arguments are refused, and nothing else is the matter", async () => {
	using sandbox = await open();
	const { add, length } = sandbox.sync;
	await warm(sandbox);
	for (const args of [[], [1], [1, -1], [1, 2 ** 32], [1, 0.5], [1, "2"], [1, 2n], [1, 2, 3]]) {
		assert.throws(() => add(...args), { code: "call/bad-value" }, `add(${args.join(", ")})`);
		await assert.rejects(sandbox.exports["add"](...args), { code: "call/bad-value" });
	}
	assert.throws(() => length(5), { code: "call/bad-value" });
	assert.equal(add(1, 2), 3);
});

test("calls that end about when their time does, in one engine, hit none of those that go by untold in another", async () => {
	using innocent = await open();
	await warm(innocent);
	const { add, spin } = innocent.sync;
	const loaded = await new Engine({ cache: false }).load(new Uint8Array(await parse(COMPONENT)), {
		limits: { cpu: 3 },
	});
	const ends = { returned: 0, stopped: 0 };
	let turns = 1_000_000;
	for (let round = 0; round < 150; round++) {
		using guilty = loaded.instantiate();
		try {
			// Untold soon, too
			for (let i = 0; i < 60; i++) guilty.sync["spin"](1);
			guilty.sync["spin"](Math.round(turns * (0.9 + 0.2 * Math.random())));
			ends.returned++;
			turns *= 1.1;
		} catch (error) {
			assert.ok(error instanceof LimitExceeded && error.limit === "cpu", String(error));
			ends.stopped++;
			turns *= 0.9;
		}
		for (let i = 0; i < 100; i++) {
			assert.equal(spin(1 + i), true);
			assert.equal(add(i, round), i + round);
		}
	}
	assert.ok(ends.returned > 20 && ends.stopped > 20, JSON.stringify(ends));
});

const MOMENTS = [COMPONENT, WATCHED].flatMap((guest) => [false, true].map((warmed) => ({ guest, warmed })));

for (const { guest, warmed } of MOMENTS) {
	const when = `${warmed ? "among calls that go by untold" : "as the first call"}, ${guest === WATCHED ? "watched" : "brief"}`;

	test(`a trap ends the sandbox: ${when}`, async () => {
		using sandbox = await open(guest);
		const { add, fail, length } = sandbox.sync;
		if (warmed) await warm(sandbox);
		assert.throws(fail, Trap);
		for (const call of [() => add(1, 2), () => length("a"), fail])
			assert.throws(call, /cannot enter component instance/);
		await assert.rejects(sandbox.exports["add"](1, 2), /cannot enter component instance/);
	});

	test(`limits of time end a call, and count for each call by itself: ${when}`, async () => {
		using sandbox = await open(guest, { cpu: 60, wall: 5_000 });
		const { add, spin } = sandbox.sync;
		if (warmed) await warm(sandbox);
		const started = performance.now();
		while (performance.now() - started < 200) assert.equal(add(1, 2), 3);
		assert.throws(
			() => spin(0),
			(error) => error instanceof LimitExceeded && error.limit === "cpu",
		);
		assert.throws(() => add(1, 2), /cannot enter component instance/);
	});

	test(`a sandbox that is disposed is not entered: ${when}`, async () => {
		const sandbox = await open(guest);
		const { add } = sandbox.sync;
		if (warmed) await warm(sandbox);
		assert.equal(add(1, 2), 3);
		sandbox[Symbol.dispose]();
		const error = { code: "guest/killed", message: "Cannot call the guest: the sandbox was disposed" };
		for (const call of [() => add(1, 2), () => sandbox.sync["length"]("a")]) assert.throws(call, error);
		await assert.rejects(sandbox.exports["add"](1, 2), /the sandbox was disposed/);
	});

	test(`two sandboxes take turns: ${when}`, async () => {
		using one = await open(guest);
		using other = await open(guest);
		if (warmed) {
			await warm(one);
			await warm(other);
		}
		const before = [one.sync["count"](), other.sync["count"]()];
		for (let i = 0; i < 3_000; i++) {
			assert.equal(one.sync["add"](i, 1), i + 1);
			if (i % 3 === 0) assert.equal(other.sync["add"](i, 2), i + 2);
		}
		assert.deepEqual([one.sync["count"](), other.sync["count"]()], [before[0] + 3_000, before[1] + 1_000]);
		assert.throws(other.sync["fail"], Trap);
		assert.equal(one.sync["add"](1, 2), 3);
	});

	test(`a getter of an argument that calls into the sandbox, or ends it: ${when}`, async () => {
		const sandbox = await open(guest);
		const { sync } = sandbox;
		if (warmed) await warm(sandbox);
		const { sum } = sync["test:sync/pairs"];
		// They are read once to be checked, and once with the guest entered.
		const during = (act: () => unknown): { readonly x: number; y: number } => {
			let reads = 0;
			return {
				y: 5,
				get x() {
					if (++reads === 2) act();
					return 4;
				},
			};
		};
		assert.equal(sum({ x: 1, y: 2 }), 3);
		let seen: unknown;
		const reenter = (): void => {
			try {
				sync["add"](1, 2);
			} catch (error) {
				seen = error;
			}
		};
		assert.equal(sum(during(reenter)), 9);
		assert.match(String(seen), /cannot enter component instance/);
		assert.equal(sum({ x: 1, y: 2 }), 3);
		assert.throws(() => sum(during(() => sandbox[Symbol.dispose]())), /cannot enter component instance/);
		assert.throws(() => sync["add"](1, 2), /the sandbox was disposed/);
	});
}

test("what is brief is called in the midst of another guest's call, whose time is over, and is not ended for it", async () => {
	const caller = new Uint8Array(
		await parse(`(component
			(import "other" (func $other (result u32)))
			(core func $other' (canon lower (func $other)))
			(core module $m
				(import "host" "other" (func $other (result i32)))
				(func (export "run") (result i32) (call $other) (loop $again (br $again))))
			(core instance $i (instantiate $m (with "host" (instance (export "other" (func $other'))))))
			(func (export "run") (result u32) (canon lift (core func $i "run"))))`),
	);
	for (const guest of [COMPONENT, WATCHED]) {
		using sandbox = await open(guest);
		const { add, count } = sandbox.sync;
		await warm(sandbox);
		const before = count();
		let answered = 0;
		const other = (): number => {
			const started = performance.now();
			while (performance.now() - started < 60) {}
			for (let i = 0; i < 1000; i++) if (add(i, 1) === i + 1) answered++;
			return 1;
		};
		const component = await new Engine({ cache: false }).load(caller, { imports: { other }, limits: { cpu: 20 } });
		using guilty = component.instantiate();
		await assert.rejects(guilty.exports["run"](), (error) => error instanceof LimitExceeded && error.limit === "cpu");
		assert.deepEqual([answered, count()], [1000, before + 1000]);
		assert.equal(add(1, 2), 3);
	}
});

test("core modules, too", async () => {
	using sandbox = await open(`(module ${CORE})`);
	const { add, count } = sandbox.sync;
	for (let i = 0; i < 1000; i++) assert.equal(add(i, 2), i + 2);
	assert.equal(count(), 1000);
	assert.throws(() => add(1), { code: "call/bad-value" });
	assert.throws(() => add(1, 2n), { code: "call/bad-value" });
	assert.equal(await sandbox.exports["add"](1, 2), 3);
});

test("there are none where the guest may wait for the host", async () => {
	const bytes = new Uint8Array(
		await parse(`(component
			(import "tick" (func $tick))
			(core func $tick' (canon lower (func $tick)))
			(core module $m (import "host" "tick" (func $tick)) (func (export "run") (call $tick)))
			(core instance $i (instantiate $m (with "host" (instance (export "tick" (func $tick'))))))
			(func (export "run") (canon lift (core func $i "run"))))`),
	);
	let ticks = 0;
	const component = await new Engine({ cache: false }).load(bytes, { imports: { tick: () => void ticks++ } });
	using sandbox = component.instantiate();
	assert.throws(
		() => sandbox.sync,
		(error) => error instanceof SkerryError && error.code === "call/may-wait",
	);
	await sandbox.exports["run"]();
	assert.equal(ticks, 1);
});
