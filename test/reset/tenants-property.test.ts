/**
 * Slots that belong to the code: apps that differ in their state only take turns in them, in random order, with traps, kills, growth and
 * abandoned calls between. Each finds exactly its own state, and behaves as in an instance of its own. `SKERRY_FUZZ_RUNS` sets how many
 * programs run (by each strategy), `SKERRY_FUZZ_SEED` where to begin.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache } from "../../src/engine/mod.ts";
import { LIMITS, type Limits } from "../../src/fault/mod.ts";
import { type Linked, linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool, SharedSlots } from "../../src/pool/mod.ts";
import { Dice } from "./dice.ts";
import { createProgram, ProgramHost, type ProgramOutcome, runProgram } from "./program.ts";
import { STRATEGIES } from "./reset-check.ts";

const RUNS = Number(process.env["SKERRY_FUZZ_RUNS"] ?? 120);
const FIRST_SEED = Number(process.env["SKERRY_FUZZ_SEED"] ?? 1);
const PROGRAMS = 40;
const APPS = 4;
const OVER = new Error("the test is over");
const PAGE = 65_536;

/** What an app begins with; all else is the same in all of them. */
interface AppState {
	readonly data: readonly { readonly memory: number; readonly offset: number; readonly text: string }[];
	readonly counter: number;
	readonly wide: bigint;
	readonly real: string;
}

function createState(dice: Dice): AppState {
	return {
		data: dice.times(dice.below(6), () => ({
			memory: dice.below(2),
			offset: dice.below(3 * PAGE - 4),
			text: String(1000 + dice.below(9000)),
		})),
		counter: dice.oneIn(3) ? 0 : dice.bits() | 0,
		wide: dice.oneIn(3) ? 0n : BigInt(dice.bits()) << 31n,
		real: dice.pick(["0", "-0", "1.5", "-inf"]),
	};
}

const FUNCTIONS = ["mix", "spray", "ask", "keep", "more", "fail", "swap"];

/** @param starts whether a start function works on what the data says */
function createApp({ data, counter, wide, real }: AppState, starts: boolean): string {
	const segments = data.map(({ memory, offset, text }) => `(data (memory ${memory}) (i32.const ${offset}) "${text}")`);
	const lifts = FUNCTIONS.map(
		(name) =>
			`(func (export "${name}") (param "x" u32) (param "y" u32) (result u32) (canon lift (core func $i "${name}")))`,
	);
	return `(component
	(import "host" (instance $host
		(export "thing" (type $thing (sub resource)))
		(export "sync" (func (param "x" u32) (result u32)))
		(export "wait" (func (param "x" u32) (result u32)))
		(export "make" (func (param "x" u32) (result (own $thing))))))
	(core func $sync (canon lower (func $host "sync")))
	(core func $wait (canon lower (func $host "wait")))
	(core func $make (canon lower (func $host "make")))
	(core module $m
		(import "" "sync" (func $sync (param i32) (result i32)))
		(import "" "wait" (func $wait (param i32) (result i32)))
		(import "" "make" (func $make (param i32) (result i32)))
		(type $binary (func (param i32 i32) (result i32)))
		(memory $big (export "memory") 3 6) (memory $small 3 5)
		(global $counter (mut i32) (i32.const ${counter}))
		(global $wide (mut i64) (i64.const ${wide}))
		(global $real (mut f64) (f64.const ${real}))
		(table $t 4 6 funcref) (elem (table $t) (i32.const 0) func $mix $spray)
		${segments.join("\n\t\t")}
		(func $at (param i32) (result i32) (i32.rem_u (local.get 0) (i32.const ${3 * PAGE - 8})))
		(func $mix (export "mix") (param i32 i32) (result i32)
			(global.set $counter (i32.add (global.get $counter) (local.get 1)))
			(global.set $wide (i64.add (global.get $wide) (i64.extend_i32_u (local.get 0))))
			(i32.store $big (call $at (local.get 0))
				(i32.add (i32.load $big (call $at (local.get 1))) (global.get $counter)))
			(i32.xor (i32.load $small (call $at (local.get 1))) (i32.wrap_i64 (global.get $wide))))
		(func $spray (export "spray") (param i32 i32) (result i32) (local $left i32)
			(local.set $left (i32.rem_u (local.get 1) (i32.const 60)))
			(loop $again
				(i32.store8 $big (call $at (i32.mul (i32.add (local.get 0) (local.get $left)) (i32.const 40503))) (local.get 1))
				(i32.store8 $small (call $at (i32.mul (local.get $left) (i32.const 8191))) (local.get 0))
				(br_if $again (i32.ge_s (local.tee $left (i32.sub (local.get $left) (i32.const 1))) (i32.const 0))))
			(i32.load $big (call $at (local.get 0))))
		(func (export "ask") (param i32 i32) (result i32)
			(drop (call $mix (local.get 1) (local.get 0)))
			(if (result i32) (i32.and (local.get 1) (i32.const 1))
				(then (call $wait (local.get 0))) (else (call $sync (local.get 0)))))
		(func (export "keep") (param i32 i32) (result i32) (drop (call $make (local.get 0))) (call $make (local.get 1)))
		(func (export "more") (param i32 i32) (result i32)
			(if (i32.ge_s (memory.grow $big (i32.and (local.get 0) (i32.const 3))) (i32.const 0))
				(then (i32.store $big (i32.sub (i32.mul (memory.size $big) (i32.const ${PAGE})) (i32.const 4)) (local.get 1))))
			(i32.add (memory.size $big) (i32.mul (memory.grow $small (i32.and (local.get 1) (i32.const 1))) (i32.const 16))))
		(func (export "fail") (param i32 i32) (result i32)
			(drop (call $spray (local.get 0) (local.get 1)))
			(if (i32.and (local.get 0) (i32.const 1)) (then (unreachable)))
			(call_indirect $t (type $binary) (local.get 0) (local.get 1) (i32.const 3)))
		(func (export "swap") (param i32 i32) (result i32)
			(table.set $t (i32.const 2) (table.get $t (i32.and (local.get 0) (i32.const 1))))
			(if (i32.eqz (i32.and (local.get 1) (i32.const 7))) (then (drop (table.grow $t (ref.null func) (i32.const 1)))))
			(call_indirect $t (type $binary) (local.get 0) (local.get 1) (i32.const 2)))
		${starts ? `(func $start (drop (call $mix (i32.load $small (i32.const 0)) (i32.load $big (i32.const 4096))))) (start $start)` : ""})
	(core instance $i (instantiate $m (with "" (instance
		(export "sync" (func $sync)) (export "wait" (func $wait)) (export "make" (func $make))))))
	${lifts.join("\n\t")}
)`;
}

interface App {
	readonly linked: Linked;
	readonly pool: SandboxPool;
	readonly fresh: SandboxPool;
}

const totals = { programs: 0, switched: 0, reset: 0, discarded: 0, created: 0 };

for (const { name, skip, ...strategy } of STRATEGIES.filter(({ warm }) => warm > 0)) {
	suite(`apps that share slots find their own state: ${name}`, { skip }, () => {
		test(`${RUNS} random programs from seed ${FIRST_SEED}`, { timeout: 3_600_000 }, async (t) => {
			Object.assign(totals, { programs: 0, switched: 0, reset: 0, discarded: 0, created: 0 });
			for (let seed = FIRST_SEED; totals.programs < RUNS; seed++) {
				try {
					await check(new Dice(seed), strategy);
				} catch (error) {
					throw new Error(`seed ${seed} (SKERRY_FUZZ_SEED=${seed} SKERRY_FUZZ_RUNS=${PROGRAMS})`, { cause: error });
				}
			}
			t.diagnostic(JSON.stringify(totals));
			assert.ok(totals.switched > totals.programs / 4, "the property says nothing where no slot is switched");
			assert.ok(totals.reset > totals.discarded);
		});
	});
}

async function check(dice: Dice, strategy: Pick<(typeof STRATEGIES)[number], "mapper">): Promise<void> {
	const host = new ProgramHost();
	const cache = new CompileCache();
	const slots = new SharedSlots();
	// A start function that works on tables, too, may make of them what the data says: no slot is shared then.
	const starts = dice.oneIn(8);
	const apps: App[] = [];
	for (let i = 0; i < APPS; i++) apps.push(await createPools(i));
	const [first] = apps as [App];
	assert.ok(apps.every(({ linked }) => linked.code === first.linked.code));
	assert.equal(new Set(apps.map(({ linked }) => linked.modules[0])).size, 1);

	for (let i = 0; i < PROGRAMS; i++) {
		const { pool, fresh } = dice.pick(apps);
		const program = createProgram(dice, FUNCTIONS);
		// `text` is no function of these.
		const calls = program.calls.filter((call) => call.name !== "text");
		if (calls.length === 0) continue;
		const due: ProgramOutcome = await runProgram(fresh, host, { ...program, calls });
		const held = dice.oneIn(5) ? await dice.pick(apps).pool.acquire() : undefined;
		assert.deepEqual(await runProgram(pool, host, { ...program, calls }), due);
		held?.end(OVER);
		host.settleLate();
		totals.programs++;
		if (dice.oneIn(30)) {
			const gone = dice.below(apps.length);
			close(apps[gone] as App);
			apps[gone] = await createPools(100 + i);
		}
	}
	await turn();
	for (const app of apps) {
		assert.deepEqual(app.pool.usage(), { sandboxes: 0, handles: 0 });
		close(app);
	}

	async function createPools(index: number): Promise<App> {
		const wat = createApp(createState(dice), starts);
		const linked = await linkComponent(loadComponent(new Uint8Array(await parse(wat))), host.imports, cache);
		const options = { wasi: () => ({}), limits: createLimits(dice), app: `app ${index}` };
		const pool = new SandboxPool(linked, { ...options, warm: 2, cold: 2, mapper: strategy.mapper, slots });
		return { linked, pool, fresh: new SandboxPool(linked, { ...options, warm: 0 }) };
	}

	function close({ pool, fresh }: App): void {
		const { switched, reset, discarded, created } = pool.counts;
		totals.switched += switched;
		totals.reset += reset;
		totals.discarded += discarded;
		totals.created += created;
		pool.close(OVER);
		fresh.close(OVER);
	}
}

/** Each app has its own: they are told by name in its errors. */
function createLimits(dice: Dice): Limits {
	return {
		memory: (6 + dice.below(4)) * PAGE,
		tables: 4 + dice.below(3),
		hostCalls: dice.oneIn(3) ? dice.below(5) : LIMITS.hostCalls.default,
		handles: dice.oneIn(3) ? 1 : LIMITS.handles.default,
	};
}
