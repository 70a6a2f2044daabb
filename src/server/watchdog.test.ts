/** Every shape of code that never ends, in the sandboxes of a real pool. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache } from "../engine/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { linkComponent, loadComponent } from "../link/mod.ts";
import { type PooledSandbox, SandboxPool } from "../pool/mod.ts";
import { Watchdog } from "./watchdog.ts";

const ENDLESS: Readonly<Record<string, string>> = {
	"a loop": `(func (export "f") (loop $l (br $l)))`,
	"nested loops": `(func (export "f") (loop $o (block $x (loop $i (br_if $x (i32.const 1)) (br $i))) (br $o)))`,
	"back edges of br_table": `(func (export "f") (local i32) (loop $a (loop $b
		(local.set 0 (i32.xor (local.get 0) (i32.const 1))) (br_table $a $b (local.get 0)))))`,
	recursion: `(func $f (param i32) (if (local.get 0) (then
			(call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))
		(func (export "f") (call $f (i32.const 70)))`,
	"mutual recursion": `(func $f (param i32) (if (local.get 0) (then
			(call $g (i32.sub (local.get 0) (i32.const 1))) (call $g (i32.sub (local.get 0) (i32.const 1))))))
		(func $g (param i32) (call $f (local.get 0)))
		(func (export "f") (call $f (i32.const 70)))`,
	"recursion through call_indirect": `(type $t (func (param i32))) (table funcref (elem $f))
		(func $f (type $t) (if (local.get 0) (then
			(call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))
			(call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))
		(func (export "f") (call $f (i32.const 70)))`,
	return_call: `(func $f (export "f") (return_call $g)) (func $g (return_call $f))`,
	return_call_indirect: `(table funcref (elem $f)) (func $f (export "f") (return_call_indirect (i32.const 0)))`,
	"a loop inside of catch_all": `(func (export "f")
		(loop $again (block $caught (try_table (catch_all $caught) (loop $l (br $l)))) (br $again)))`,
	"a loop that throws and catches": `(tag $e) (func (export "f")
		(loop $again (block $caught (try_table (catch_all $caught) (throw $e))) (br $again)))`,
	"bulk operations in a loop": `(memory 16) (func (export "f")
		(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 1048576)) (br $l)))`,
	"a loop in hot code": `(func $step (param i32) (result i32) (local i32)
			(loop $l (local.set 1 (i32.add (local.get 1) (i32.const 1))) (br_if $l (i32.lt_u (local.get 1) (local.get 0))))
			(local.get 1))
		(func (export "f") (local i32)
			(loop $w (drop (call $step (i32.const 1000))) (br_if $w (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 20000))))
			(drop (call $step (i32.const -1)))
			(loop $l (drop (call $step (i32.const -1))) (br $l)))`,
};

const one = (fields: string): string => `(component
	(core module $m ${fields} (func (export "ok") (result i32) (i32.const 7)))
	(core instance $i (instantiate $m))
	(func (export "f") (canon lift (core func $i "f")))
	(func (export "ok") (result u32) (canon lift (core func $i "ok"))))`;

/** Two modules whose functions call each other through one table. */
const SHARED_TABLE = `(component
	(core module $owner (table (export "t") 2 funcref))
	(core module $first (import "" "t" (table 2 funcref))
		(elem (i32.const 0) $f) (func $f (export "f") (return_call_indirect (i32.const 1)))
		(func (export "ok") (result i32) (i32.const 7)))
	(core module $second (import "" "t" (table 2 funcref))
		(elem (i32.const 1) $g) (func $g (return_call_indirect (i32.const 0))))
	(core instance $o (instantiate $owner))
	(core instance $i (instantiate $first (with "" (instance $o))))
	(core instance (instantiate $second (with "" (instance $o))))
	(func (export "f") (canon lift (core func $i "f")))
	(func (export "ok") (result u32) (canon lift (core func $i "ok"))))`;

const LIMIT = 100;
const held = (): SkerryError =>
	new SkerryError("guest/killed", `killed: held the thread for ${LIMIT} ms (limit "hold")`);

interface Watched extends Disposable {
	readonly pool: SandboxPool;
	/** Sandboxes whose stacks V8 had to take down. */
	readonly terminated: PooledSandbox[];
}

async function watch(text: string): Promise<Watched> {
	const linked = await linkComponent(loadComponent(await parse(text)), { interfaces: [] }, new CompileCache());
	const terminated: PooledSandbox[] = [];
	const watchdog = new Watchdog<PooledSandbox>({
		limit: LIMIT,
		reason: held,
		live: () => pool.live,
		onTerminated: (sandbox) => {
			terminated.push(sandbox);
			sandbox.interrupt(held());
		},
	});
	const pool = new SandboxPool(linked, { wasi: () => ({}), onCount: (live) => watchdog.count(live) });
	return {
		pool,
		terminated,
		[Symbol.dispose]() {
			pool.close(new Error("the test is over"));
			watchdog[Symbol.dispose]();
		},
	};
}

const KILLED = { code: "guest/killed", message: /held the thread for 100 ms \(limit "hold"\)/ };

suite("a guest that never ends is stopped by the flag, and only that guest", () => {
	const shapes = Object.entries(ENDLESS).map(([name, fields]) => [name, one(fields)] as const);
	for (const [name, text] of [...shapes, ["a table that two modules share", SHARED_TABLE] as const]) {
		test(name, async () => {
			using watched = await watch(text);
			const { pool, terminated } = watched;
			const [endless, neighbour] = [await pool.acquire(), await pool.acquire()];
			// Both are under way in the same turn
			const [stopped, answered] = await Promise.allSettled([endless.call(["f"], []), neighbour.call(["ok"], [])]);
			assert.equal(stopped.status, "rejected");
			assert.throws(() => {
				throw stopped.reason;
			}, KILLED);
			assert.deepEqual(answered, { status: "fulfilled", value: 7 });
			endless.end(undefined);
			neighbour.end(undefined);
			// What held the guest is as new
			const next = await pool.acquire();
			assert.equal(await next.call(["ok"], []), 7);
			next.end(undefined);
			assert.equal(terminated.length, 0);
			assert.equal(pool.usage().sandboxes, 0);
		});
	}

	test("a start function", async () => {
		using watched = await watch(`(component (core module $m (func $s (loop $l (br $l))) (start $s))
			(core instance (instantiate $m)))`);
		await assert.rejects(async () => await watched.pool.acquire(), KILLED);
		assert.equal(watched.terminated.length, 0);
		assert.equal(watched.pool.usage().sandboxes, 0);
	});

	test("a guest that works for long, but not for too long, is left alone", async () => {
		const text = one(`(func (export "f") (local i32)
			(loop $l (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 3000000)))))`);
		using watched = await watch(text);
		for (let i = 0; i < 50; i++) {
			const sandbox = await watched.pool.acquire();
			await sandbox.call(["f"], []);
			sandbox.end(undefined);
		}
		assert.equal(watched.terminated.length, 0);
	});
});
