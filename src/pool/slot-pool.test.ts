import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache, createLinuxPageMapper } from "../engine/mod.ts";
import { LimitExceeded } from "../fault/mod.ts";
import { linkComponent, type Linked, loadComponent } from "../link/mod.ts";
import { type PoolOptions, SandboxPool } from "./sandbox-pool.ts";
import { COLD_AFTER, SharedSlots } from "./slot-pool.ts";

const OVER = new Error("the call is over");
const PAGE = 65_536;
const cache = new CompileCache();
const found = createLinuxPageMapper();
const mapper = typeof found === "string" ? undefined : found;

interface Parts {
	readonly name: string;
	readonly counter?: number;
	/** More of its state. */
	readonly data?: string;
	/** More of the module: code. */
	readonly code?: string;
	/** A custom section, which says nothing. */
	readonly note?: string;
}

/** Answers what its counter is and the name in its memory begins with, and changes both. */
function wat({ name, counter = 0, data = "", code = "", note }: Parts): string {
	return `(component
		(core module $m
			(memory 4 8) (global $n (mut i32) (i32.const ${counter}))
			(data (i32.const ${2 * PAGE + 8}) "${name}") ${data} ${code}
			(func (export "next") (result i32)
				(global.set $n (i32.add (global.get $n) (i32.const 1)))
				(i32.store8 (i32.const ${2 * PAGE + 9}) (global.get $n))
				(i32.store (i32.const ${3 * PAGE}) (global.get $n))
				(i32.add (i32.mul (i32.load8_u (i32.const ${2 * PAGE + 8})) (i32.const 1000)) (global.get $n)))
			(func (export "grow") (result i32) (memory.grow (i32.const 1)))
			(func (export "trap") (result i32) (i32.store (i32.const ${PAGE}) (i32.const 7)) (unreachable)))
		(core instance $i (instantiate $m))
		${["next", "grow", "trap"].map((fn) => `(func (export "${fn}") (result s32) (canon lift (core func $i "${fn}")))`).join(" ")}
		${note === undefined ? "" : `(@custom "note" "${note}")`})`;
}

async function link(parts: Parts): Promise<Linked> {
	return await linkComponent(loadComponent(new Uint8Array(await parse(wat(parts)))), { interfaces: [] }, cache);
}

async function once(pool: SandboxPool, name = "next"): Promise<unknown> {
	const sandbox = await pool.acquire();
	try {
		return await sandbox.call([name], []);
	} finally {
		sandbox.end(OVER);
	}
}

function createPool(linked: Linked, options: Partial<PoolOptions>): SandboxPool {
	return new SandboxPool(linked, { wasi: () => ({}), mapper, ...options });
}

/** What `next` gives in a new instance. */
const due = (name: string, counter = 0): number => name.charCodeAt(0) * 1000 + counter + 1;

suite("slots by code", () => {
	test("components that differ in state and custom sections only have one code; others do not", async () => {
		const [a, b, same, other] = await Promise.all([
			link({ name: "a" }),
			link({ name: "another", counter: 5 }),
			link({ name: "a", note: "built on a Monday" }),
			link({ name: "a", code: "(table 1 funcref)" }),
		]);
		assert.equal(a.code, b.code);
		assert.equal(a.code, same.code);
		assert.equal(a.plan, b.plan);
		assert.notEqual(a.code, other.code);
	});

	test("one instance serves them all, each with its own state", async () => {
		const slots = new SharedSlots();
		const a = createPool(await link({ name: "a" }), { slots });
		const b = createPool(await link({ name: "b", counter: 40 }), { slots });
		for (let round = 0; round < 3; round++) {
			assert.equal(await once(a), due("a"));
			assert.equal(await once(b), due("b", 40));
			await assert.rejects(once(b, "trap"), { message: "unreachable" });
			assert.equal(await once(b), due("b", 40));
			await assert.rejects(once(a, "trap"), { message: "unreachable" });
		}
		// The second's first instance is there to be looked at.
		assert.deepEqual([a.counts.created, b.counts.created, b.counts.discarded], [1, 1, 1]);
		assert.deepEqual([a.counts.switched, b.counts.switched], [3, 3]);
		a.close(OVER);
		assert.equal(await once(b), due("b", 40), "what one app leaves behind serves the others");
		b.close(OVER);
	});

	test("an app's own slot is taken before that of another", async () => {
		const slots = new SharedSlots();
		const [a, b] = [createPool(await link({ name: "a" }), { slots }), createPool(await link({ name: "b" }), { slots })];
		const held = await a.acquire();
		assert.equal(await once(b), due("b"));
		held.end(OVER);
		for (let i = 0; i < 3; i++) assert.deepEqual([await once(a), await once(b)], [due("a"), due("b")]);
		assert.deepEqual([a.counts.switched, b.counts.switched], [0, 0]);
		for (const pool of [a, b]) pool.close(OVER);
	});

	test("the slot of an app that is new is put back before its next call", async () => {
		const slots = new SharedSlots();
		const [a, b] = [createPool(await link({ name: "a" }), { slots }), createPool(await link({ name: "b" }), { slots })];
		const resets = (): number[] => [a.counts.reset, b.counts.reset];
		await once(a);
		assert.equal(await once(b), due("b"));
		assert.deepEqual(resets(), [1, 1]);
		// From here on they take turns: whoever is next has it put back.
		await once(a);
		assert.deepEqual(resets(), [1, 1]);
		assert.equal(await once(b), due("b"));
		assert.deepEqual(resets(), [1, 2]);
		for (const pool of [a, b]) pool.close(OVER);
	});

	test("apps whose states are far from each other have slots of their own, as long as few are warm", async () => {
		const slots = new SharedSlots();
		// In each of the pages, which is far; and in one more, which is not
		const far = (name: string): Parts => ({
			name,
			data: Array.from({ length: 32 }, (_, i) => `(data (i32.const ${i * 4096 + 16}) "${name.slice(0, 3)}")`).join(" "),
		});
		const names = ["far1", "far2", "odd1", "odd2", "xyz1"];
		const pools: SandboxPool[] = [];
		for (const name of names) pools.push(createPool(await link(far(name)), { slots, warm: 2, cold: 4 }));
		const [far1, far2, odd1, odd2, xyz] = pools as [SandboxPool, SandboxPool, SandboxPool, SandboxPool, SandboxPool];
		const serve = async (pool: SandboxPool): Promise<void> =>
			assert.equal(await once(pool), due(names[pools.indexOf(pool)] as string));
		for (let round = 0; round < 3; round++) for (const pool of [far1, odd1, far2, odd2]) await serve(pool);
		assert.deepEqual([far1.kin === far2.kin, odd1.kin === odd2.kin, far1.kin === odd1.kin], [true, true, false]);
		assert.deepEqual(
			pools.map(({ counts }) => counts.discarded),
			[0, 1, 0, 1, 0],
			"the first of each stays",
		);
		assert.equal(far1.idle, 2);
		await serve(xyz);
		assert.equal(far1.idle, 2, "no room for a third: it took that of the app that was served least recently");
		await serve(odd1);
		for (const pool of [far1, xyz, far2, odd1, odd2, xyz]) await serve(pool);
		for (const pool of pools) pool.close(OVER);
	});

	test("limits, hooks and names are those of the app that is served", async () => {
		const slots = new SharedSlots();
		const asked: string[] = [];
		const small = createPool(await link({ name: "s" }), { slots, app: "small", limits: { memory: 4 * PAGE } });
		const asks = createPool(await link({ name: "k" }), { slots, onGrow: ({ what }) => asked.push(what) > 1 });
		const none = createPool(await link({ name: "n" }), { slots, app: "none", limits: { memory: 2 * PAGE } });
		assert.equal(await once(small, "grow"), -1);
		assert.equal(await once(asks, "grow"), -1, "refused by the hook");
		assert.equal(await once(small, "grow"), -1);
		assert.equal(await once(asks, "grow"), 4);
		assert.deepEqual(asked, ["memory", "memory"]);
		await assert.rejects(once(none), (error) => error instanceof LimitExceeded && /of app none/.test(error.message));
		assert.equal(await once(small), due("s"));
		for (const pool of [small, asks, none]) pool.close(OVER);
	});

	test("without shared slots each has its own", async () => {
		const [a, b] = [createPool(await link({ name: "a" }), {}), createPool(await link({ name: "b" }), {})];
		for (let i = 0; i < 3; i++) assert.deepEqual([await once(a), await once(b)], [due("a"), due("b")]);
		assert.deepEqual([a.counts.created, b.counts.created], [1, 1]);
		assert.deepEqual([a.counts.switched, b.counts.switched], [0, 0]);
		for (const pool of [a, b]) pool.close(OVER);
	});

	test("a memory that begins larger: slots of its own", async () => {
		const slots = new SharedSlots();
		// What the start function does depends on the data: 0x30 and above is a digit.
		const code = `(func $start (if (i32.lt_u (i32.load8_u (i32.const ${2 * PAGE + 8})) (i32.const 64))
			(then (drop (memory.grow (i32.const 1)))))) (start $start)`;
		const [a, one] = await Promise.all([link({ name: "a", code }), link({ name: "1", code })]);
		assert.equal(a.code, one.code);
		const pools = [createPool(a, { slots }), createPool(one, { slots })] as const;
		for (let i = 0; i < 3; i++) {
			assert.deepEqual([await once(pools[0], "grow"), await once(pools[1], "grow")], [4, 5]);
			assert.deepEqual([await once(pools[0]), await once(pools[1])], [due("a"), due("1")]);
		}
		for (const pool of pools) {
			assert.equal(pool.counts.switched, 0);
			pool.close(OVER);
		}
	});

	test("slots that nobody needs are dropped after a while, but for those that are warm", async (t) => {
		t.mock.timers.enable({ apis: ["setTimeout"] });
		const pool = createPool(await link({ name: "a" }), { warm: 2 });
		const burst = async (count: number): Promise<void> => {
			const sandboxes = await Promise.all(Array.from({ length: count }, async () => await pool.acquire()));
			for (const sandbox of sandboxes) sandbox.end(OVER);
		};
		await burst(6);
		assert.equal(pool.idle, 6);
		await burst(3);
		t.mock.timers.tick(COLD_AFTER);
		assert.equal(pool.idle, 5, "three were needed meanwhile: one more than are warm");
		t.mock.timers.tick(COLD_AFTER);
		assert.equal(pool.idle, 2);
		assert.equal(pool.counts.discarded, 4);
		assert.equal(await once(pool), due("a"));
		pool.close(OVER);
	});
});
