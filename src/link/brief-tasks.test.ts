/** Async calls too short for a clock: their sandbox's limits hold all the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HostStream } from "../abi/mod.ts";
import { LimitExceeded, type LimitName, type Limits } from "../fault/mod.ts";
import { call, link } from "./guest.fixture.ts";
import { type Instance, instantiate } from "./instance/instantiate.ts";

/** `run` returns at once, or never; `hold` gives a stream away to which nothing is written. */
const GUEST = `(component
	(type $bytes (stream u8))
	(core func $new (canon stream.new $bytes))
	(core func $return (canon task.return (result u32)))
	(core func $return-stream (canon task.return (result $bytes)))
	(core module $m
		(import "" "new" (func $new (result i64)))
		(import "" "return" (func $return (param i32)))
		(import "" "return-stream" (func $return-stream (param i32)))
		(func (export "run") (param $ever i32) (result i32)
			(if (local.get $ever) (then (loop $again (br $again))))
			(call $return (i32.const 7))
			(i32.const 0))
		(func (export "hold") (result i32)
			(call $return-stream (i32.wrap_i64 (call $new)))
			(i32.const 0))
		(func (export "callback") (param i32 i32 i32) (result i32) unreachable))
	(core instance $i (instantiate $m (with "" (instance
		(export "new" (func $new)) (export "return" (func $return)) (export "return-stream" (func $return-stream))))))
	(func (export "run") async (param "ever" u32) (result u32)
		(canon lift (core func $i "run") async (callback (core func $i "callback"))))
	(func (export "hold") async (result $bytes)
		(canon lift (core func $i "hold") async (callback (core func $i "callback")))))`;

/** A sandbox that has made many short calls, each of them a use of its own. */
async function seasoned(limits: Limits): Promise<Instance> {
	const instance = instantiate(await link(GUEST), undefined, limits, "shop");
	// Long enough for the watchdog to look often, and for V8 to make them fast.
	for (const end = performance.now() + 300; performance.now() < end;) {
		instance.begin();
		assert.equal(await call(instance, "run", 0), 7);
	}
	return instance;
}

/** Milliseconds: more than others take of the processor at a time. */
const WALL = 400;

function exceeds(limit: LimitName): (error: unknown) => boolean {
	return (error) => error instanceof LimitExceeded && error.limit === limit && error.app === "shop";
}

for (const limit of ["cpu", "wall"] as const) {
	test(`a call that never ends comes to its limit "${limit}" after many that were short`, async () => {
		const instance = await seasoned({ [limit]: WALL });
		instance.begin();
		const [began, cpuBefore] = [performance.now(), process.threadCpuUsage()];
		await assert.rejects(call(instance, "run", 1), exceeds(limit));
		const took = performance.now() - began;
		const { user, system } = process.threadCpuUsage(cpuBefore);
		// However late it is: what others took of the processor did not keep it running.
		const ran = (user + system) / 1000;
		assert.ok(took >= WALL - 2 && ran < 1000, `${ran} of ${took} ms`);
	});
}

test("what many short calls take counts together", async () => {
	const instance = await seasoned({ cpu: 40 });
	instance.begin();
	const many = async (): Promise<void> => {
		for (const end = performance.now() + 60_000; performance.now() < end;) await call(instance, "run", 0);
	};
	await assert.rejects(many(), exceeds("cpu"));
});

test("a stream that nobody writes to ends with the wall limit of the short call that gave it", async () => {
	// Whether that very call has no clock is a matter of luck.
	for (let turn = 0; turn < 5; turn++) {
		const instance = await seasoned({ wall: WALL });
		instance.begin();
		const began = performance.now();
		const stream = await call(instance, "hold");
		assert.ok(stream instanceof HostStream);
		await assert.rejects(stream.read(), exceeds("wall"));
		const took = performance.now() - began;
		assert.ok(took >= WALL - 2 && took < 20_000, `${took} ms`);
	}
});
