import assert from "node:assert/strict";
import { test } from "node:test";

import { Parked } from "../../abi/mod.ts";
import { SkerryError, Trap } from "../../fault/mod.ts";
import { Gate } from "./gate.ts";
import { guest, type Import } from "../guest.fixture.ts";
import { TRAPS } from "../v8/trap-table.ts";

const CANNOT_BLOCK = "cannot block a synchronous task before returning";
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function caught(act: () => unknown): Promise<unknown> {
	try {
		await act();
	} catch (error) {
		return error;
	}
	return assert.fail("it returned");
}

/** A promise to settle by hand. */
function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: unknown) => void } {
	return Promise.withResolvers<T>();
}

/** Guests that catch whatever can be caught around the call of a host function, and then count that they went on. */
const CATCHERS: Readonly<Record<string, string>> = {
	"try_table (catch_all)": `
		(block $caught (try_table (catch_all $caught) (call $act) (return (i32.const 1))))
		(call $count) (i32.const 2)`,
	"try_table (catch_all_ref)": `
		(block $caught (result exnref) (try_table (catch_all_ref $caught) (call $act) (return (i32.const 1))) unreachable)
		drop (call $count) (i32.const 2)`,
	"legacy catch_all": `
		try (result i32) call $act i32.const 1 catch_all call $count i32.const 2 end`,
};

function catcher(body: string): string {
	return `(module
		(import "host" "act" (func $act)) (import "host" "count" (func $count))
		(func (export "f") (result i32) ${body})
		(func (export "again") (result i32) (call $act) (i32.const 3)))`;
}

for (const [name, body] of Object.entries(CATCHERS)) {
	for (const [kind, waits] of [
		["at once", false],
		["after a wait", true],
	] as const) {
		test(`a guest with ${name} does not catch what the host throws ${kind}`, async () => {
			const error = new Error("of the host");
			let count = 0;
			const gate = new Gate();
			const { exports } = await guest(gate, catcher(body), {
				act: [
					"->",
					() => {
						if (!waits) throw error;
						return turn().then(() => Promise.reject(error));
					},
				],
				count: ["->", () => void count++],
			});
			const f = gate.wrapExport(exports["f"], true);
			assert.equal(await caught(f), error, "the caller gets the very error");
			assert.equal(count, 0);
			const again = gate.wrapExport(exports["again"], true);
			assert.equal(await caught(again), error, "the guest stays ended, for the first reason");
			assert.equal(gate.quiet, true);
		});
	}

	test(`a guest with ${name} does not catch its end while it waits`, async () => {
		const never = deferred<undefined>();
		let count = 0;
		const gate = new Gate();
		const { exports } = await guest(gate, catcher(body), {
			act: ["->", () => never.promise],
			count: ["->", () => void count++],
		});
		const call = caught(gate.wrapExport(exports["f"], true));
		await turn();
		assert.equal(gate.quiet, false, "it waits");
		const reason = new SkerryError("guest/killed", "for the test");
		gate.fail(reason);
		gate.fail(new Error("later"));
		assert.equal(await call, reason);
		assert.equal(gate.quiet, true);
		// What it waited for comes too late, or fails, and nobody minds.
		never.reject(new Error("too late"));
		await turn();
		assert.equal(count, 0);
	});

	for (const [what, isTold] of [
		["the host has brought what it waits for", false],
		["it was told at once of what another guest did", true],
	] as const) {
		test(`a guest with ${name} that is ended after ${what} does not run any more`, async () => {
			const { promise, resolve } = deferred<number>();
			const parked = new Parked<number>();
			const gate = new Gate();
			const { exports } = await guest(
				gate,
				`(module
					(import "host" "act" (func $wait (result i32)))
					(global (export "ran") (mut i32) (i32.const 0))
					(func $act (drop (call $wait)) (global.set 0 (i32.const 1)))
					(func $count (global.set 0 (i32.const 2)))
					(func (export "f") (result i32) ${body}))`,
				// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as where tasks are: see `Parked`
				{ act: ["-> i32", () => (isTold ? (parked as unknown as Promise<number>) : promise)] },
			);
			const call = caught(gate.wrapExport(exports["f"], true));
			await turn();
			const reason = new SkerryError("guest/killed", "for the test");
			if (isTold) {
				parked.resolve(7);
				gate.fail(reason);
			} else {
				// Told of it after the gate is, and before V8 lets the guest go on.
				resolve(7);
				void promise.then(() => gate.fail(reason));
			}
			assert.equal(await call, reason);
			assert.equal((exports["ran"] as { readonly value: number }).value, 0);
			assert.equal(gate.quiet, true);
		});
	}

	test(`a wait that V8 refuses ends the guest with ${name}, too`, async () => {
		let count = 0;
		const gate = new Gate();
		const { exports } = await guest(gate, catcher(body), {
			act: ["->", () => Promise.reject(new Error("nobody asks"))],
			count: ["->", () => void count++],
		});
		const error = await caught(gate.wrapExport(exports["f"], false));
		assert.ok(error instanceof Trap);
		assert.equal(error.message, CANNOT_BLOCK);
		assert.equal(count, 0, "its next call of the host is not made");
		await turn();
	});
}

test("what the host returns at once is returned at once, to whoever calls", async () => {
	const gate = new Gate();
	const { exports } = await guest(
		gate,
		`(module (import "host" "add" (func $add (param i32 i64) (result i64)))
			(func (export "f") (param i32 i64) (result i64) (call $add (local.get 0) (local.get 1))))`,
		{ add: ["i32 i64 -> i64", (a, b) => BigInt(a) + (b as bigint)] },
	);
	assert.equal(gate.wrapExport(exports["f"], false)(2, 3n), 5n);
	const promised = gate.wrapExport(exports["f"], true)(2, 3n);
	assert.ok(promised instanceof Promise);
	assert.equal(await promised, 5n);
});

test("a call whose type is known returns at once what did not wait, and a promise of what did, or failed", async () => {
	const gate = new Gate();
	let next: (value: number) => number | Promise<number> = (value) => value + 1;
	const { exports } = await guest(
		gate,
		`(module (import "host" "next" (func $next (param i32) (result i32)))
			(func (export "f") (param i32 i64) (result i32)
				(if (i64.eqz (local.get 1)) (then unreachable))
				(call $next (call $next (local.get 0)))))`,
		{ next: ["i32 -> i32", (value) => next(value as number)] },
	);
	const f = gate.wrapExport(exports["f"], true, { params: ["i32", "i64"], results: ["i32"] });
	assert.equal(f(1, 1n), 3);
	assert.equal(gate.quiet, true);
	next = (value) => turn().then(() => value + 10);
	const waits = f(1, 1n);
	assert.ok(waits instanceof Promise);
	assert.equal(gate.quiet, false);
	next = (value) => value + 1;
	assert.equal(f(5, 1n), 7, "another call comes and goes meanwhile");
	assert.equal(await waits, 12);
	assert.equal(gate.quiet, true);
	const fails = f(1, 0n);
	assert.ok(fails instanceof Promise);
	assert.ok((await caught(() => fails)) instanceof Trap);
	assert.equal(gate.quiet, true);
});

test("many calls wait at a time, each for its own", async () => {
	const gate = new Gate();
	const waiting: ReturnType<typeof deferred<number>>[] = [];
	const { exports } = await guest(
		gate,
		`(module (import "host" "wait" (func $wait (param i32) (result i32)))
			(func (export "f") (param i32) (result i32)
				(i32.add (call $wait (local.get 0)) (call $wait (i32.add (local.get 0) (i32.const 100))))))`,
		{
			wait: [
				"i32 -> i32",
				(i) => {
					const one = deferred<number>();
					waiting[Number(i)] = one;
					return one.promise;
				},
			],
		},
	);
	const f = gate.wrapExport(exports["f"], true);
	const calls = [f(0), f(1), f(2)];
	for (const i of [2, 0, 1]) waiting[i]!.resolve(10 * (i + 1));
	await turn();
	for (const i of [1, 2, 0]) waiting[100 + i]!.resolve(i);
	assert.deepEqual(await Promise.all(calls.map(async (call) => await call)), [10, 21, 32]);
	assert.equal(gate.quiet, true);
});

test("ended while nothing waits: the next host call is a trap, and the callers get the reason", async () => {
	const reason = new SkerryError("guest/killed", "for the test");
	const gate = new Gate();
	const log: string[] = [];
	const { exports } = await guest(
		gate,
		`(module (import "host" "end" (func $end (result i32))) (import "host" "more" (func $more))
			(func (export "f") (drop (call $end)) (call $more)))`,
		{
			end: [
				"-> i32",
				() => {
					log.push("end");
					gate.fail(reason);
					return 1;
				},
			],
			more: ["->", () => void log.push("more")],
		},
	);
	assert.equal(await caught(gate.wrapExport(exports["f"], true)), reason);
	assert.equal(await caught(gate.wrapExport(exports["f"], false)), reason);
	assert.deepEqual(log, ["end"]);
});

test("ended by the very function that waits", async () => {
	const reason = new Error("for the test");
	const gate = new Gate();
	const { exports } = await guest(gate, `(module (import "host" "end" (func $end)) (func (export "f") (call $end)))`, {
		end: [
			"->",
			() => {
				gate.fail(reason);
				return Promise.reject(new Error("nobody asks"));
			},
		],
	});
	assert.equal(await caught(gate.wrapExport(exports["f"], true)), reason);
	await turn();
});

test("thrown values that are no errors reach the caller as they are", async () => {
	for (const value of [undefined, 0, "text", null]) {
		const gate = new Gate();
		const throws: Import = [
			"->",
			() => {
				throw value;
			},
		];
		const { exports } = await guest(
			gate,
			`(module (import "host" "act" (func $act)) (func (export "f") (call $act)))`,
			{ act: throws },
		);
		assert.equal(await caught(gate.wrapExport(exports["f"], true)), value);
	}
});

test("a host's RangeError is its own; a stack that ends in the host is the guest's", async () => {
	const gate = (): Promise<{ gate: Gate; f: unknown }> => build(new Gate());
	async function build(made: Gate): Promise<{ gate: Gate; f: unknown }> {
		const wat = `(module (import "host" "act" (func $act (param i32)))
			(func $f (export "f") (param i32) (call $act (local.get 0)) (if (local.get 0) (then (call $f (local.get 0))))))`;
		const { exports } = await guest(made, wat, {
			act: [
				"i32 ->",
				(deep) => {
					return deep === 0 ? new Uint8Array(-1).length : undefined;
				},
			],
		});
		return { gate: made, f: exports["f"] };
	}
	const shallow = await gate();
	const own = await caught(() => shallow.gate.wrapExport(shallow.f, true)(0));
	assert.ok(own instanceof RangeError && !(own instanceof Trap));
	assert.match(own.message, /Invalid typed array length/);
	const deep = await gate();
	const exhausted = await caught(() => deep.gate.wrapExport(deep.f, true)(1));
	assert.ok(exhausted instanceof Trap);
	assert.equal(exhausted.message, "call stack exhausted");
});

test("a start function cannot wait, and cannot catch that", async () => {
	for (const body of ["(call $act)", "(block $c (try_table (catch_all $c) (call $act)))"]) {
		const gate = new Gate();
		const error = await caught(() =>
			guest(gate, `(module (import "host" "act" (func $act)) (func $start ${body} ) (start $start))`, {
				act: ["->", () => Promise.reject(new Error("nobody asks"))],
			}),
		);
		assert.ok(error instanceof Trap);
		assert.equal(error.message, CANNOT_BLOCK);
		await turn();
	}
});

test("what a start function calls of other guests is called directly", async () => {
	const gate = new Gate();
	const callee = await guest(gate, `(module (func (export "f") (result i32) (i32.const 42)))`);
	const f = gate.wrapExport(callee.exports["f"], true);
	assert.ok(f() instanceof Promise);
	const { exports } = await guest(
		gate,
		`(module (import "host" "f" (func $f (result i32))) (global $got (export "got") (mut i32) (i32.const 0))
			(func $start (global.set $got (call $f))) (start $start))`,
		{ f: ["-> i32", f] },
	);
	assert.equal((exports["got"] as { value: number }).value, 42);
});

test("a module that does not fit its imports is a linking error", async () => {
	const gate = new Gate();
	const error = await caught(() => guest(gate, `(module (import "host" "lacking" (func)))`));
	assert.ok(error instanceof SkerryError && !(error instanceof Trap));
	assert.equal(error.code, "link/instantiation");
	assert.match(error.message, /^Cannot instantiate a core module: Import #0 "host" "lacking"/);
});

test("the table knows how V8 refuses a wait", async () => {
	const gate = new Gate();
	const { exports } = await guest(gate, `(module (import "host" "act" (func $act)) (func (export "f") (call $act)))`, {
		act: ["->", () => new Promise(() => {})],
	});
	const error = (await caught(gate.wrapExport(exports["f"], false))) as Trap;
	assert.equal(error.message, CANNOT_BLOCK);
	const said = (error.cause as Error).message;
	assert.equal(TRAPS.find(({ v8 }) => said.startsWith(v8))?.specification, CANNOT_BLOCK);
});
