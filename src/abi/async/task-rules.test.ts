/** The rules of tasks and subtasks (`design/component-model.md`), one by one, with guests of JavaScript. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { FunctionType, ResourceType, ValueType } from "../../component/mod.ts";
import { Trap } from "../../fault/mod.ts";
import { hostFunction } from "../host-function.ts";
import { canonResourceDrop, canonResourceNew } from "../resources.ts";
import type { CanonicalOptions, CoreFunction } from "../store.ts";
import { canonNew } from "./copy-builtins.ts";
import { asyncFunc, STRING, stream, syncFunc, type TestGuest, turn, U32, U8, World } from "./guest.fixture.ts";
import {
	canonBackpressure,
	canonContextGet,
	canonContextSet,
	canonJoin,
	canonSetDrop,
	canonSetNew,
	canonSetPoll,
	canonSetWait,
	canonSubtaskCancel,
	canonSubtaskDrop,
	canonTaskCancel,
	canonTaskReturn,
} from "./task-builtins.ts";
import { canonYield } from "./thread-builtins.ts";

const isTrap = (message: RegExp | string) => (error: unknown) => {
	assert.ok(error instanceof Trap, String(error));
	if (typeof message === "string") assert.equal(error.message, message);
	else assert.match(error.message, message);
	return true;
};

/** What a guest of wit-bindgen has: one set, and what is needed to wait in it. */
function waiter({ instance, options, words }: TestGuest) {
	const wait = canonSetWait(instance, options, true);
	const poll = canonSetPoll(instance, options, false);
	const event = (code: number): number[] => [code, words[2] as number, words[3] as number];
	return {
		newSet: canonSetNew(instance),
		join: canonJoin(instance),
		wait: async (set: number): Promise<number[]> => event(await wait(set, 8)),
		poll: (set: number): number[] => event(poll(set, 8)),
		drop: canonSubtaskDrop(instance),
	};
}

for (const [params, result, ways] of [
	[4, null, [11, 12, 13, 14]],
	[4, U32, [11, 12, 13, 14, 512]],
	[5, U32, [256, 512]],
] as const) {
	const what = `${params} parameters and ${result === null ? "no" : "a"} result`;
	test(`rule 1: an async lower of ${what} has ${ways.length} core parameters`, async () => {
		const guest = new World().guest();
		const seen: unknown[] = [];
		const type = asyncFunc(
			Array.from({ length: params }, () => U32),
			result,
		);
		const callee = hostFunction(type, (...args) => {
			seen.push(...args);
			return result === null ? undefined : 77;
		});
		guest.words.set([11, 12, 13, 14, 15], 64);
		let packed: unknown;
		await guest.run(async () => {
			packed = await guest.lower(callee, true)(...ways);
		});
		assert.equal(packed, 2, "RETURNED, without a handle");
		assert.deepEqual(seen, [11, 12, 13, 14, 15].slice(0, params));
		assert.equal(guest.words[128], result === null ? 0 : 77);
		assert.equal(guest.component.store.handles, 0);
	});
}

test("rule 1: an async lower that has not returned gives its state and the subtask's index", async () => {
	const guest = new World().guest();
	const { newSet, join, wait, drop } = waiter(guest);
	const callee = hostFunction(asyncFunc([], U32), async () => {
		await turn();
		return 5;
	});
	await guest.run(async () => {
		const set = newSet();
		const packed = Number(await guest.lower(callee, true)(512));
		assert.deepEqual([packed & 0xf, packed >>> 4], [1, set + 1]);
		void join(packed >>> 4, set);
		assert.deepEqual(await wait(set), [1, packed >>> 4, 2]);
		assert.equal(guest.words[128], 5);
		void drop(packed >>> 4);
	});
});

test("rule 2: callback codes: 0 ends, 1 yields, 2 waits for the set above, the others trap", async () => {
	const world = new World();
	const guest = world.guest();
	const give = guest.returns(U32);
	const newSet = canonSetNew(guest.instance);
	const called: unknown[][] = [];
	const follow = (first: number, ...rest: number[]): Promise<unknown> => {
		called.length = 0;
		const callback: CoreFunction = (...event) => {
			called.push(event);
			void give(called.length);
			return rest.shift();
		};
		return guest.lift(asyncFunc([], U32), () => first, { callback }).call([]);
	};
	assert.equal(await follow(1, 0), 1);
	assert.deepEqual(called, [[0, 0, 0]]);
	let set = 0;
	await guest.run(() => (set = newSet()));
	await assert.rejects(follow(2 | (set << 4)), isTrap(/^deadlock detected/));
	for (const [code, message] of [
		[3, "unsupported callback code: 3"],
		[15, "unsupported callback code: 15"],
		[2 | (9 << 4), "unknown handle index 9"],
	] as const) {
		const other = new World().guest();
		const lifted = other.lift(asyncFunc([], U32), () => code, { callback: () => 0 });
		await assert.rejects(lifted.call([]), isTrap(message));
	}
});

test("rule 4: resources, sets, streams and subtasks share one table, freed last-in first-out", async () => {
	const guest = new World().guest();
	const { instance, component } = guest;
	const thing: ResourceType = { name: "thing" };
	guest.world.store.resources.set(thing, { instance: component, destructor: null });
	const pending = hostFunction(asyncFunc(), () => turn());
	await guest.run(async () => {
		const set = canonSetNew(instance)();
		const resource = canonResourceNew(component, thing)(5);
		const ends = canonNew(instance, stream(U8))();
		const subtask = Number(await guest.lower(pending, true)()) >>> 4;
		assert.deepEqual([set, resource, Number(ends & 0xffff_ffffn), Number(ends >> 32n), subtask], [1, 2, 3, 4, 5]);
		void canonSetDrop(instance)(set);
		void canonResourceDrop(component, thing)(resource);
		assert.deepEqual([canonSetNew(instance)(), canonSetNew(instance)(), canonSetNew(instance)()], [2, 1, 6]);
	});
});

test("rule 6: where an instance may not leave, context and backpressure are allowed, all else traps", async () => {
	const guest = new World().guest();
	const { instance, component, options } = guest;
	const allowed: CoreFunction[] = [
		canonContextSet(instance, 0),
		canonContextGet(instance, 0),
		canonBackpressure(instance, true),
		canonBackpressure(instance, false),
	];
	const refused: unknown[] = [
		canonTaskReturn(instance, null, options),
		canonTaskCancel(instance),
		canonSubtaskCancel(instance, true),
		canonSubtaskDrop(instance),
		canonSetNew(instance),
		canonSetWait(instance, options, false),
		canonSetPoll(instance, options, false),
		canonSetDrop(instance),
		canonJoin(instance),
		canonNew(instance, stream(U8)),
		canonYield(instance, false),
	];
	await guest.run(() => {
		component.mayLeave = false;
		for (const builtin of allowed) void builtin(1, 1);
		for (const builtin of refused) {
			assert.throws(() => (builtin as CoreFunction)(1, 1), isTrap("cannot leave component instance"));
		}
		component.mayLeave = true;
	});
});

test("rule 7: backpressure holds back async functions only; who waited first comes first", async () => {
	const guest = new World().guest();
	const log: string[] = [];
	const give = guest.returns(null);
	const enter = (name: string): Promise<unknown> => {
		const core = (): undefined => {
			log.push(name);
			void give();
		};
		return guest.lift(asyncFunc(), core).call([]);
	};
	await guest.run(() => canonBackpressure(guest.instance, true)());
	const waiting = ["first", "second", "third"].map(enter);
	// Whatever they wait for, the host is about to bring it.
	const release = guest.world.scheduler.hold();
	const sync = guest.lift(
		syncFunc(),
		() => {
			log.push("sync");
			void canonBackpressure(guest.instance, false)();
			return undefined;
		},
		{ async: false },
	);
	await turn();
	assert.deepEqual(log, []);
	await sync.call([]);
	await Promise.all([...waiting, enter("late")]);
	release();
	assert.deepEqual(log, ["sync", "first", "second", "third", "late"]);
});

for (const [how, code, holds] of [
	["while its code waits", undefined, true],
	["not over YIELD", 1, false],
	["not over WAIT", 2, false],
] as const) {
	test(`rule 8: a callback task has the instance for itself, ${how}`, async () => {
		const guest = new World().guest();
		const give = guest.returns(null);
		const log: string[] = [];
		const { promise, resolve } = Promise.withResolvers<void>();
		const { newSet, join } = waiter(guest);
		const hang = hostFunction(asyncFunc(), () => promise);
		const first = guest.lift(
			asyncFunc(),
			async () => {
				log.push("first");
				const set = newSet();
				if (code === 2) void join(Number(await guest.lower(hang, true)()) >>> 4, set);
				else if (code === undefined) await guest.lower(hang, false)();
				if (code === undefined) {
					log.push("first goes on");
					void give();
				}
				return code === undefined ? 0 : code | (set << 4);
			},
			{
				callback: () => {
					log.push("first goes on");
					void give();
					return 0;
				},
			},
		);
		const second = guest.lift(
			asyncFunc(),
			() => {
				log.push("second");
				void give();
				return 0;
			},
			{ callback: () => 0 },
		);
		const calls = [first.call([]), second.call([])];
		await turn();
		resolve();
		await Promise.all(calls);
		assert.deepEqual(log, holds ? ["first", "first goes on", "second"] : ["first", "second", "first goes on"]);
	});
}

test("rule 9: a synchronous call that waits runs what is ready in its instance; where nothing is, it traps", async () => {
	const guest = new World().guest();
	const { newSet, join, wait } = waiter(guest);
	const { promise, resolve } = Promise.withResolvers<void>();
	const host = hostFunction(asyncFunc(), () => promise);
	const log: string[] = [];
	let set = 0;
	// It stays ready, and ends once the synchronous call is waiting.
	const other = guest.run(async () => {
		set = newSet();
		void join(Number(await guest.lower(host, true)()) >>> 4, set);
		for (let i = 0; !log.includes("waits") && i < 100; i++) await canonYield(guest.instance, false)();
		log.push("other");
	});
	const sync = guest.lift(
		syncFunc([], U32),
		async () => {
			log.push("waits");
			await canonYield(guest.instance, false)();
			log.push("goes on");
			return 3;
		},
		{ async: false },
	);
	assert.equal(await sync.call([]), 3);
	await other;
	assert.deepEqual(log, ["waits", "other", "goes on"]);
	const stuck = guest.lift(syncFunc(), async () => void (await wait(set)), { async: false });
	await assert.rejects(stuck.call([]), isTrap(/^cannot block a synchronous task before returning/));
	resolve();
});

const MISMATCH = "invalid `task.return` signature and/or options for current task";
const RETURNS: readonly [what: string, result: ValueType | null, options: Partial<CanonicalOptions>, trap: boolean][] =
	[
		["the same", U32, {}, false],
		["no memory, where none is needed", U32, { memory: null }, false],
		["another type", STRING, {}, true],
		["nothing", null, {}, true],
		["another memory", U32, { memory: { buffer: new ArrayBuffer(65_536) } }, true],
		["another encoding", U32, { encoding: "utf16" }, true],
	];

for (const [what, result, options, traps] of RETURNS) {
	test(`rule 10: task.return of ${what} ${traps ? "traps" : "returns"}`, async () => {
		const guest = new World().guest();
		const give = canonTaskReturn(guest.instance, result, { ...guest.options, ...options });
		const call = guest.lift(asyncFunc([], U32), () => give(7)).call([]);
		if (traps) await assert.rejects(call, isTrap(MISMATCH));
		else assert.equal(await call, 7);
	});
}

test("rule 10: task.return with a memory where the lift has none traps", async () => {
	const guest = new World().guest();
	const give = guest.returns(null);
	guest.options = { ...guest.options, memory: null };
	await assert.rejects(guest.lift(asyncFunc(), () => give()).call([]), isTrap(MISMATCH));
});

test("rule 10: a task returns once, and before its last thread ends; a synchronous one never by task.return", async () => {
	const cases: [FunctionType, (guest: TestGuest) => CoreFunction, RegExp, boolean][] = [
		[asyncFunc(), () => () => undefined, /^async-lifted export failed to produce a result$/, true],
		[
			asyncFunc(),
			(guest) => () => {
				void guest.returns(null)();
				return guest.returns(null)();
			},
			/^invalid `task.return` or `task.cancel` called for current task$/,
			true,
		],
		[syncFunc(), (guest) => () => guest.returns(null)(), /^invalid `task.return` signature/, false],
	];
	for (const [type, core, message, async] of cases) {
		const guest = new World().guest();
		await assert.rejects(guest.lift(type, core(guest), { async }).call([]), isTrap(message));
	}
});

/** Two guests, of which one lends the other a resource that a third defines. */
function lending() {
	const world = new World();
	const [definer, lender, borrower] = [world.guest(), world.guest(), world.guest()];
	const thing: ResourceType = { name: "thing" };
	world.store.resources.set(thing, { instance: definer.component, destructor: null });
	return {
		lender,
		borrower,
		type: asyncFunc([{ kind: "borrow", resource: thing }]),
		make: (): number => canonResourceNew(lender.component, thing)(1),
		drop: canonResourceDrop(lender.component, thing),
		giveBack: canonResourceDrop(borrower.component, thing),
	};
}

test("rule 10: task.return and task.cancel trap while the task has borrows", async () => {
	const { lender, borrower, type, make } = lending();
	const callee = borrower.lift(type, () => borrower.returns(null)());
	const call = lender.run(() => lender.lower(callee, false)(make()));
	await assert.rejects(call, isTrap("borrow handles still remain at the end of the call"));
});

test("rule 11: a lender is released when the subtask's end is told, and the subtask not dropped before", async () => {
	const { lender, borrower, type, make, drop, giveBack } = lending();
	const { newSet, join, wait, drop: dropSubtask } = waiter(lender);
	const { promise, resolve } = Promise.withResolvers<void>();
	const hang = hostFunction(asyncFunc(), () => promise);
	const borrowing = { returned: false };
	const callee = borrower.lift(type, async (handle) => {
		await borrower.lower(hang, false)();
		void giveBack(Number(handle));
		void borrower.returns(null)();
		borrowing.returned = true;
		return undefined;
	});
	await lender.run(async () => {
		const thing = make();
		const subtask = Number(await lender.lower(callee, true)(thing)) >>> 4;
		const set = newSet();
		void join(subtask, set);
		const lent = isTrap("cannot remove owned resource while borrowed");
		assert.throws(() => drop(thing), lent);
		resolve();
		for (let i = 0; !borrowing.returned && i < 100; i++) await canonYield(lender.instance, false)();
		// The caller has not been told yet.
		assert.throws(() => drop(thing), lent);
		assert.throws(() => dropSubtask(subtask), isTrap("cannot drop a subtask which has not yet resolved"));
		assert.deepEqual(await wait(set), [1, subtask, 2]);
		void drop(thing);
		void dropSubtask(subtask);
	});
});

test("rule 14: an event tells what is true when it is delivered, and takes the place of one that was not", async () => {
	const world = new World();
	const [caller, callee] = [world.guest(), world.guest()];
	const { newSet, join, wait, poll, drop } = waiter(caller);
	const give = callee.returns(null);
	const { promise, resolve } = Promise.withResolvers<void>();
	const host = hostFunction(asyncFunc(), () => promise);
	const state = { done: false };
	const target = callee.lift(asyncFunc(), async () => {
		await callee.lower(host, false)();
		void give();
		state.done = true;
		return undefined;
	});
	await callee.run(() => canonBackpressure(callee.instance, true)());
	const clear = callee.lift(syncFunc(), () => canonBackpressure(callee.instance, false)(), { async: false });
	await caller.run(async () => {
		const set = newSet();
		const packed = Number(await caller.lower(target, true)());
		assert.equal(packed & 0xf, 0, "STARTING");
		const subtask = packed >>> 4;
		void join(subtask, set);
		await caller.lower(clear, false)();
		// It starts, which is an event, and returns, which is another.
		resolve();
		for (let i = 0; !state.done && i < 100; i++) await canonYield(caller.instance, false)();
		assert.deepEqual(await wait(set), [1, subtask, 2]);
		assert.equal(poll(set)[0], 0, "there is no other event");
		void drop(subtask);
	});
});

test("rule 20: cancelling a task that has not started ends it at once", async () => {
	const world = new World();
	const [caller, callee] = [world.guest(), world.guest()];
	let ran = false;
	const target = callee.lift(asyncFunc(), () => void (ran = true));
	await callee.run(() => canonBackpressure(callee.instance, true)());
	await caller.run(async () => {
		const subtask = Number(await caller.lower(target, true)()) >>> 4;
		assert.equal(await canonSubtaskCancel(caller.instance, false)(subtask), 3, "CANCELLED_BEFORE_STARTED");
		const again = () => canonSubtaskCancel(caller.instance, false)(subtask);
		assert.throws(again, isTrap("`subtask.cancel` called after terminal status delivered"));
		void canonSubtaskDrop(caller.instance)(subtask);
	});
	assert.equal(ran, false);
	assert.equal(callee.instance.waitingToEnter, 0);
});

test("rule 20: a started task is told, and may end by task.cancel then; not before", async () => {
	const world = new World();
	const [caller, callee] = [world.guest(), world.guest()];
	const cancel = canonTaskCancel(callee.instance);
	const { newSet } = waiter(callee);
	const events: unknown[] = [];
	const target = callee.lift(
		asyncFunc(),
		() => {
			assert.throws(() => cancel(), isTrap("`task.cancel` called by task which has not been cancelled"));
			return 2 | (newSet() << 4);
		},
		{
			callback: (...event) => {
				events.push(event);
				void cancel();
				return 0;
			},
		},
	);
	await caller.run(async () => {
		const packed = Number(await caller.lower(target, true)());
		assert.equal(packed & 0xf, 1, "STARTED");
		assert.equal(await canonSubtaskCancel(caller.instance, true)(packed >>> 4), 4, "CANCELLED_BEFORE_RETURNED");
	});
	assert.deepEqual(events, [[6, 0, 0]]);
});

test("rule 21: a trap ends every instance of the sandbox for good, and every call that waits", async () => {
	const world = new World();
	const [waits, traps] = [world.guest(), world.guest()];
	const hang = hostFunction(asyncFunc(), () => new Promise(() => {}));
	const waiting = assert.rejects(
		waits.run(() => waits.lower(hang, false)()),
		isTrap("unknown handle index 9"),
	);
	await turn();
	await assert.rejects(
		traps.run(() => canonSubtaskDrop(traps.instance)(9)),
		isTrap("unknown handle index 9"),
	);
	await waiting;
	for (const guest of [waits, traps]) {
		await assert.rejects(
			guest.run(() => {}),
			(error) => {
				isTrap("cannot enter component instance")(error);
				return (error as Error).cause === world.store.poison;
			},
		);
	}
});
