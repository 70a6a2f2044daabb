import assert from "node:assert/strict";
import { test } from "node:test";
import type { FunctionType, ValueType } from "../component/mod.ts";
import { SkerryError, Trap } from "../fault/mod.ts";
import { createGuest, func, type Guest, lowerSync, t } from "./guest.fixture.ts";
import {
	canonLift,
	canonLower,
	type ComponentFunction,
	type CoreFunction,
	type CoreValue,
	hostFunction,
	Store,
} from "./mod.ts";

const nullary = func([]);
const ENTER = { name: "Trap", message: "cannot enter component instance" };
const LEAVE = { name: "Trap", message: "cannot leave component instance" };

/** A component function of `guest` that runs `core`. */
function lift(guest: Guest, core: CoreFunction, type: FunctionType = nullary): ComponentFunction {
	return canonLift(type, core, guest.options(), guest.instance);
}

/** A core function with which `guest` calls `callee`. */
function lower(guest: Guest, callee: ComponentFunction): (...flat: CoreValue[]) => CoreValue | undefined {
	return lowerSync(callee.type, callee, guest.options(), guest.instance);
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
	let resolve!: (value: T) => void;
	let reject!: (error: unknown) => void;
	const promise = new Promise<T>((yes, no) => {
		resolve = yes;
		reject = no;
	});
	return { promise, resolve, reject };
}

test("arguments and results of a real core function", async () => {
	const guest = await createGuest(
		`(func (export "add") (param i32 i64) (result i64) (i64.add (i64.extend_i32_u (local.get 0)) (local.get 1)))`,
	);
	const add = lift(guest, guest.exports["add"]!, func([t("u32"), t("u64")], t("u64")));
	assert.equal(add.call([2 ** 32 - 1, 2n ** 63n]), 2n ** 63n + 2n ** 32n - 1n);
	assert.equal(add.call([1, 2n ** 64n - 1n]), 0n);
	assert.deepEqual(guest.reallocs, []);
});

test("more than 16 flat parameters go through memory, more than one flat result through a pointer", async () => {
	const many = Array.from({ length: 17 }, () => t("u32"));
	const numbers = many.map((_, i) => i * 3);
	const pair: ValueType = { kind: "tuple", elements: [t("u32"), t("u32")] };
	const type = func(many, pair);
	const store = new Store(undefined);
	const callee = await createGuest("", {}, store);
	const caller = await createGuest("", {}, store);
	let arrived: number[] = [];
	const inner = lift(
		callee,
		(pointer) => {
			arrived = [...new Uint32Array(callee.memory.buffer, Number(pointer), 17)];
			new Uint32Array(callee.memory.buffer, 64, 2).set([11, 22]);
			return 64;
		},
		type,
	);
	assert.deepEqual(inner.call(numbers), [11, 22]);
	assert.deepEqual(arrived, numbers);
	assert.deepEqual(callee.reallocs, [[0, 0, 4, 68]]);
	new Uint32Array(caller.memory.buffer, 512, 17).set(numbers.toReversed());
	assert.equal(lower(caller, inner)(512, 256), undefined);
	assert.deepEqual(arrived, numbers.toReversed());
	assert.deepEqual([...new Uint32Array(caller.memory.buffer, 256, 2)], [11, 22]);
	assert.deepEqual(caller.reallocs, [], "the caller's memory was given by the caller");
});

const POINTERS: [what: string, params: number, run: (guest: Guest, type: FunctionType) => unknown, message: RegExp][] =
	[
		[
			"a result pointer from the callee, unaligned",
			0,
			(g, type) => lift(g, () => 1, type).call([]),
			/unaligned pointer/,
		],
		["a result pointer from the callee, outside", 0, (g, type) => lift(g, () => 65532, type).call([]), /out of bounds/],
		["a result pointer near 2^32", 0, (g, type) => lift(g, () => -4, type).call([]), /out of bounds/],
		[
			"a result pointer from the caller, unaligned",
			0,
			(g, type) =>
				lower(
					g,
					hostFunction(type, () => [1, 2]),
				)(2),
			/unaligned pointer/,
		],
		[
			"a result pointer from the caller, outside",
			0,
			(g, type) =>
				lower(
					g,
					hostFunction(type, () => [1, 2]),
				)(-8),
			/out of bounds/,
		],
		[
			"an argument pointer, unaligned",
			17,
			(g, type) =>
				lower(
					g,
					hostFunction(type, () => [1, 2]),
				)(1, 8),
			/unaligned/,
		],
		[
			"an argument pointer, outside",
			17,
			(g, type) =>
				lower(
					g,
					hostFunction(type, () => [1, 2]),
				)(-64, 8),
			/out of bounds/,
		],
	];

for (const [what, params, run, message] of POINTERS) {
	test(`${what} traps`, async () => {
		const type = func(
			Array.from({ length: params }, () => t("u32")),
			{ kind: "tuple", elements: [t("u32"), t("u32")] },
		);
		const guest = await createGuest();
		assert.throws(
			() => run(guest, type),
			(error) => error instanceof Trap && message.test(error.message),
		);
	});
}

test("rule 5: an instance that is inside a call cannot be entered again by the host", async () => {
	const guest = await createGuest();
	let again: ComponentFunction | undefined;
	let caught: unknown;
	const host = hostFunction(nullary, () => {
		try {
			again?.call([]);
		} catch (error) {
			caught = error;
		}
	});
	const outer = lift(guest, lower(guest, host));
	again = lift(guest, () => assert.fail("entered"));
	outer.call([]);
	assert.ok(caught instanceof Trap && caught.message === ENTER.message);
	assert.match(caught.hint ?? "", /waits for the host function that makes this one.*make another sandbox$/);
	assert.equal(guest.store.poison, undefined, "a host that was refused did not hurt the guest");
	assert.equal(guest.instance.entered, false);
});

test("rule 5: siblings call each other, but not back; ancestors count as entered", async () => {
	const store = new Store(undefined);
	const parent = await createGuest("", {}, store);
	const a = await createGuest("", {}, store, parent.instance);
	const b = await createGuest("", {}, store, parent.instance);
	const entered = (): boolean[] => [parent, a, b].map((guest) => guest.instance.entered);
	const states: boolean[][] = [];
	const inB = lift(b, () => void states.push(entered()));
	const inA = lift(a, () => {
		states.push(entered());
		lower(a, inB)();
		states.push(entered());
		return undefined;
	});
	inA.call([]);
	assert.deepEqual(states, [
		[true, true, false],
		[true, true, true],
		[true, true, false],
	]);
	assert.deepEqual(entered(), [false, false, false]);
	// a → b → a
	const back = lift(b, () => lower(b, inA)());
	const round = lift(a, () => lower(a, back)());
	assert.throws(() => round.call([]), ENTER);
	// Through the host, the parent's other child is closed too: the parent is inside a call.
	const fresh = new Store(undefined);
	const root = await createGuest("", {}, fresh);
	const left = await createGuest("", {}, fresh, root.instance);
	const right = await createGuest("", {}, fresh, root.instance);
	const inRight = lift(right, () => assert.fail("entered"));
	const detour = hostFunction(nullary, () => inRight.call([]));
	assert.throws(() => lift(left, lower(left, detour)).call([]), ENTER);
});

test("rule 5: calls within an instance, and between an instance and one nested in it, trap", async () => {
	for (const [from, to] of [
		["self", "self"],
		["parent", "child"],
		["child", "parent"],
		["parent", "grandchild"],
	] as const) {
		const store = new Store(undefined);
		const parent = await createGuest("", {}, store);
		const child = await createGuest("", {}, store, parent.instance);
		const grandchild = await createGuest("", {}, store, child.instance);
		const guests = { self: parent, parent, child, grandchild };
		const inner = lift(guests[to], () => assert.fail("entered"));
		const outer = lift(guests[from], lower(guests[from], inner));
		assert.throws(() => outer.call([]), ENTER, `${from} to ${to}`);
	}
});

test("rule 6: an instance may not leave during realloc or post-return, and may again afterwards", async () => {
	const guest = await createGuest();
	const leave = lower(
		guest,
		hostFunction(nullary, () => undefined),
	);
	const strings = func([t("string")]);
	const states: boolean[] = [];
	const see = (): void => void states.push(guest.instance.mayLeave);
	const options = guest.options({
		realloc: () => {
			see();
			return 64;
		},
	});
	const core = (): undefined => {
		see();
		return undefined;
	};
	canonLift(strings, core, options, guest.instance).call(["a"]);
	assert.deepEqual(states, [false, true]);
	const calls: CoreValue[][] = [];
	const postReturn = (...flat: CoreValue[]): undefined => {
		calls.push(flat);
		see();
	};
	assert.equal(canonLift(func([], t("u32")), () => 7, guest.options({ postReturn }), guest.instance).call([]), 7);
	canonLift(nullary, () => undefined, guest.options({ postReturn }), guest.instance).call([]);
	assert.deepEqual({ calls, states: states.slice(2) }, { calls: [[7], []], states: [false, false] });
	assert.equal(guest.instance.mayLeave, true);
	leave();
	const leaving = guest.options({ postReturn: () => leave() });
	assert.throws(() => canonLift(nullary, () => undefined, leaving, guest.instance).call([]), LEAVE);
	const other = await createGuest();
	const leaveOther = lower(
		other,
		hostFunction(nullary, () => undefined),
	);
	const reallocating = other.options({ realloc: () => Number(leaveOther() ?? 0) });
	assert.throws(() => canonLift(strings, () => undefined, reallocating, other.instance).call(["a"]), LEAVE);
});

const FAILURES: [what: string, body: string, core: (exported: CoreFunction) => CoreFunction][] = [
	["core code that traps", `(func (export "f") unreachable)`, (f) => f],
	["core code that throws", `(tag $oops) (func (export "f") (throw $oops))`, (f) => f],
	["endless recursion", `(func $f (export "f") (call $f))`, (f) => f],
	[
		"core code that traps after it waited",
		`(func (export "f") unreachable)`,
		(f) => async () => {
			await Promise.resolve();
			return f();
		},
	],
];

for (const [what, body, core] of FAILURES) {
	test(`rules 21 and 25: ${what} poisons the store for good`, async () => {
		const guest = await createGuest(body);
		const neighbour = await createGuest("", {}, guest.store);
		const f = lift(guest, core(guest.exports["f"]!));
		let thrown: unknown;
		try {
			await f.call([]);
			assert.fail("returned");
		} catch (error) {
			thrown = error;
		}
		const { poison } = guest.store;
		assert.ok(poison === thrown || poison?.cause === thrown);
		assert.equal(guest.instance.entered, true, "never left");
		assert.throws(() => f.call([]), { ...ENTER, cause: poison });
		assert.throws(() => lift(neighbour, () => undefined).call([]), ENTER);
	});
}

test("what a host function throws reaches the outer caller as it is, and poisons", async () => {
	const guest = await createGuest(
		`(import "host" "f" (func $f))
		(func (export "run") (call $f))`,
		{ f: () => call() },
	);
	class Exit extends Error {}
	const exit = new Exit("exit 3");
	const call = lower(
		guest,
		hostFunction(nullary, () => {
			throw exit;
		}),
	);
	const run = lift(guest, guest.exports["run"]!);
	assert.throws(
		() => run.call([]),
		(error) => error === exit,
	);
	assert.equal(guest.store.poison, exit);
	assert.throws(() => run.call([]), { ...ENTER, cause: exit });
});

test("a call that waits keeps its instance entered, then lifts, runs post-return and leaves", async () => {
	const guest = await createGuest();
	const wait = deferred<number>();
	const post: CoreValue[] = [];
	const options = guest.options({ postReturn: (value) => void post.push(value) });
	const f = canonLift(func([], t("u8")), () => wait.promise, options, guest.instance);
	const result = f.call([]);
	assert.ok(result instanceof Promise);
	assert.equal(guest.instance.entered, true);
	assert.throws(() => f.call([]), ENTER);
	wait.resolve(0x1ff);
	assert.equal(await result, 255);
	assert.deepEqual({ post, entered: guest.instance.entered }, { post: [0x1ff], entered: false });
	assert.equal(guest.store.poison, undefined);
});

for (const waits of [false, true]) {
	test(`a result is in its caller's memory before the post-return of a guest that ${waits ? "waits" : "does not"}`, async () => {
		const callee = await createGuest();
		const caller = await createGuest("", {}, callee.store);
		const log: unknown[] = [];
		const bytes = (guest: Guest): Uint8Array => new Uint8Array(guest.memory.buffer);
		const wait = deferred<number>();
		const core = (): Promise<number> | number => {
			log.push("core");
			bytes(callee).set([8, 0, 0, 0, 6, 0, 0, 0, ...new TextEncoder().encode("größ")], 0);
			return waits ? wait.promise : 0;
		};
		const states = (): boolean[] => [caller, callee].flatMap(({ instance }) => [instance.mayLeave, instance.entered]);
		const postReturn = (pointer?: CoreValue): undefined => {
			log.push(["post-return", pointer, ...states(), new TextDecoder().decode(bytes(caller).subarray(512, 518))]);
			bytes(callee).fill(0xff);
		};
		const realloc = (...call: number[]): number => {
			log.push(["realloc", ...call, ...states()]);
			return 512;
		};
		const type = func([], t("string"));
		const lifted = canonLift(type, core, callee.options({ postReturn }), callee.instance);
		const lowered = canonLower(type, lifted, caller.options({ realloc }), caller.instance);
		for (let i = 0; i < 3; i++) {
			const returned = lowered(16);
			assert.equal(returned instanceof Promise, waits);
			wait.resolve(0);
			assert.equal(await returned, undefined);
			assert.deepEqual(log.splice(0), [
				"core",
				["realloc", 0, 0, 1, 6, false, false, true, true],
				["post-return", 0, true, false, false, true, "größ"],
			]);
			assert.deepEqual([...new Uint32Array(caller.memory.buffer, 16, 2)], [512, 6]);
			assert.deepEqual(states(), [true, false, true, false]);
		}
	});
}

test("a call that fails after it waited poisons", async () => {
	const guest = await createGuest();
	const wait = deferred<number>();
	const result = lift(guest, () => wait.promise).call([]) as Promise<unknown>;
	const failure = new Error("lost");
	wait.reject(failure);
	await assert.rejects(result, (error) => error === failure);
	assert.deepEqual({ poison: guest.store.poison, entered: guest.instance.entered }, { poison: failure, entered: true });
});

test("a host that waits: its result is lowered when it comes, and its failure is passed on", async () => {
	const guest = await createGuest();
	const wait = deferred<string>();
	const type = func([t("u8")], t("string"));
	const host = hostFunction(type, () => wait.promise);
	const lowered = canonLower(type, host, guest.options(), guest.instance)(1, 16);
	assert.ok(lowered instanceof Promise);
	guest.memory.grow(1);
	wait.resolve("späť");
	assert.equal(await lowered, undefined);
	const [pointer, length] = new Uint32Array(guest.memory.buffer, 16, 2);
	assert.equal(new TextDecoder().decode(new Uint8Array(guest.memory.buffer, pointer, length)), "späť");
	const failure = new Error("no");
	const failing = hostFunction(type, () => Promise.reject(failure));
	await assert.rejects(
		async () => canonLower(type, failing, guest.options(), guest.instance)(1, 16),
		(error) => error === failure,
	);
});

test("a guest whose sandbox ended while it waited does not go on", async () => {
	const guest = await createGuest();
	const wait = deferred<number>();
	const host = hostFunction(func([], t("u8")), () => wait.promise);
	const lowered = canonLower(host.type, host, guest.options(), guest.instance)();
	guest.store.dispose();
	wait.resolve(1);
	await assert.rejects(async () => lowered, { name: "Trap" });
});

test("a host result of another type names its path", async () => {
	const guest = await createGuest();
	const list: ValueType = { kind: "list", element: t("u32") };
	const record: ValueType = { kind: "record", fields: [{ name: "list", key: "list", type: list }] };
	const type = func([], { kind: "result", ok: record, err: null });
	const wrong = { tag: "ok", val: { list: [1, 2, 3, "x"] } };
	const host = hostFunction(type, () => wrong, null, "wasi:http/types.[method]fields.get");
	assert.throws(() => lower(guest, host)(16), {
		code: "call/bad-value",
		message: 'wasi:http/types.[method]fields.get → result → ok → list[3]: expected u32, got "x"',
	});
	assert.deepEqual(guest.reallocs, [], "nothing was lowered");
	assert.equal(guest.instance.mayLeave, true);
});

test("wrong arguments of a host leave the guest as it was", async () => {
	const guest = await createGuest();
	const f = lift(guest, () => undefined, func([t("u8"), t("string")]));
	for (const [args, message] of [
		[[256, "a"], "p0: expected u8, got 256"],
		[[1], "p1: expected string, got undefined"],
		[[1, "a", 2], "arguments: expected 2, got 3"],
	] as const) {
		assert.throws(() => f.call(args), { code: "call/bad-value", message });
	}
	assert.deepEqual(
		{ reallocs: guest.reallocs, poison: guest.store.poison, entered: guest.instance.entered },
		{ reallocs: [], poison: undefined, entered: false },
	);
	f.call([1, "a"]);
});

const REFUSED: [what: string, code: string, type: FunctionType][] = [
	["async functions", "cli/internal", { ...nullary, async: true }],
	["streams", "cli/internal", func([{ kind: "list", element: { kind: "stream", element: null } }])],
	["futures", "cli/internal", func([], { kind: "result", ok: null, err: { kind: "future", element: null } })],
	["error contexts", "link/unsupported", func([{ kind: "option", element: { kind: "error-context" } }])],
];

for (const [what, code, type] of REFUSED) {
	test(`synchronous calls refuse ${what} when a function is made`, async () => {
		const guest = await createGuest();
		const refused = (error: unknown): boolean => error instanceof SkerryError && error.code === code;
		assert.throws(() => lift(guest, () => undefined, type), refused);
		const host = hostFunction(type, () => undefined);
		assert.throws(() => lower(guest, host), refused);
	});
}
