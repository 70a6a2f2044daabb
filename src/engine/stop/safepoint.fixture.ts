/**
 * Guests of metering `trap` that end about when their time does, and others that have all the time of the world and come right behind,
 * around or inside of them: whoever has time returns, whoever has none is stopped. A program of its own, and of threads:
 * `node safepoint.fixture.ts [rounds]`.
 */
import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import type { CoreFunction, CoreValue } from "../../abi/mod.ts";
import type { CoreFunctionType } from "../../component/mod.ts";
import { LimitExceeded, type Limits, Trap } from "../../fault/mod.ts";
import { CompileCache } from "../modules/compile.ts";
import { CALL_WORD, interruptFlag, watchdogReady } from "./flag.ts";
import { Gate } from "../border/gate.ts";
import { assemble } from "../guest.fixture.ts";
import { CoreMemories } from "../state/owned.ts";
import { compileTrampolines } from "../border/trampolines.ts";
import type { WasmExtern } from "../v8/v8.ts";

/** Each takes so many turns, 0: more than anyone waits for. `call` has the host act in between, `read` is wrong in the end. */
const GUEST = `(module
	(import "host" "act" (func $act (param i32) (result i32)))
	(memory 1)
	(func $spin (export "spin") (param i32) (result i32)
		(loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 7))
	(func (export "catch") (param i32) (result i32)
		(loop $l
			(block $c (try_table (catch_all $c) (drop (call $spin (local.get 0)))))
			(br_if $l (i32.eqz (local.get 0))))
		(i32.const 7))
	(func (export "call") (param i32) (result i32)
		(drop (call $spin (local.get 0))) (drop (call $act (i32.const 1))) (call $spin (local.get 0)))
	(func (export "read") (param i32) (result i32)
		(drop (call $spin (local.get 0))) (i32.load (i32.const 65536)))
	(func (export "act") (param i32) (result i32) (call $act (local.get 0)))
	(func (export "act-and-read") (param i32) (result i32)
		(drop (call $act (i32.const 1))) (i32.load (i32.const 65536))))`;

const TYPE: CoreFunctionType = { params: ["i32"], results: ["i32"] };

type Name = "spin" | "catch" | "call" | "read" | "act" | "act-and-read";

export interface StressGuest {
	readonly gate: Gate;
	/** What the host does when it is called, for the guest's answer. */
	act: () => CoreValue | Promise<CoreValue>;
	/** Calls a function as a new call of the sandbox. */
	readonly run: (name: Name, turns: number) => CoreValue | undefined;
	/** The same on a stack of its own. */
	readonly runBlocking: (name: Name, turns: number) => CoreValue | undefined | Promise<CoreValue | undefined>;
}

const cache = new CompileCache();

/** Through the rewriter, as all guests are. */
export async function startGuest(limits: Limits): Promise<StressGuest> {
	const loaded = await cache.load(await assemble(GUEST), 0, { metering: "trap", verify: true });
	const gate = new Gate({ limits });
	const made = { act: (): CoreValue | Promise<CoreValue> => 0 };
	const wrapped = gate.wrapImports(compileTrampolines([TYPE]), [TYPE], [() => made.act()]);
	const imports: Record<string, Record<string, WasmExtern>> = { host: { act: wrapped[0] } };
	const complete = new CoreMemories().prepare(loaded.module, loaded, imports);
	const instance = gate.instantiate(loaded.module, imports, { offset: 0, sites: loaded.sites }, complete);
	const wrap = (blocking: boolean): ((name: Name, turns: number) => CoreValue | undefined) => {
		const functions = new Map<string, CoreFunction>();
		return (name, turns) => {
			let fn = functions.get(name);
			if (fn === undefined) functions.set(name, (fn = gate.wrapExport(instance.exports[name], blocking, TYPE)));
			if (gate.failed) gate.reset();
			else gate.begin();
			return fn(turns) as CoreValue | undefined;
		};
	};
	return Object.assign(made, { gate, run: wrap(false), runBlocking: wrap(true) });
}

/** How often a guest came to each end. */
export interface StressCounts {
	returned: number;
	stopped: number;
	trapped: number;
	/** Of innocent guests, all of which returned: those that nobody clocked. */
	unclocked: number;
	innocent: number;
}

const LIMIT = 1;
/** So much that guests are trusted with calls that nobody clocks. */
const TRUSTED = 3;
const ENOUGH = 600_000;

/** What became of a guest that may be stopped by this limit; anything else is an error. */
async function ended(counts: StressCounts, run: () => unknown, read = false): Promise<keyof StressCounts> {
	try {
		assert.equal(await run(), 7);
		counts.returned++;
		return "returned";
	} catch (error) {
		if (error instanceof LimitExceeded) {
			assert.equal(error.limit, "cpu");
			counts.stopped++;
			return "stopped";
		}
		if (!read || !(error instanceof Trap)) throw error;
		assert.deepEqual([error.message, error.frames[0]?.name], ["out of bounds memory access", "read"]);
		counts.trapped++;
		return "trapped";
	}
}

function noCounts(): StressCounts {
	return { returned: 0, stopped: 0, trapped: 0, unclocked: 0, innocent: 0 };
}

export async function stress(rounds: number): Promise<StressCounts> {
	await watchdogReady();
	const counts = noCounts();
	const warming = noCounts();
	const { words } = interruptFlag();
	const innocents = await Promise.all([{}, {}, { cpu: ENOUGH }, { wall: ENOUGH }].map(startGuest));
	const [outer, inner] = await Promise.all([{}, { cpu: ENOUGH }].map(startGuest));
	const [tight, loose, other] = await Promise.all([{ cpu: LIMIT }, { cpu: TRUSTED }, { cpu: LIMIT }].map(startGuest));
	assert.ok(outer !== undefined && inner !== undefined);
	assert.ok(tight !== undefined && loose !== undefined && other !== undefined);
	/** For each way, so many turns as are over about when the time is: it is found by trying. */
	const paces = new Map<string, number>();
	const attempt = async (way: string, run: (turns: number) => unknown, read = false): Promise<void> => {
		const pace = paces.get(way) ?? 100_000;
		// Now and then far too many
		const turns = Math.random() < 0.2 ? 0 : Math.round(pace * (0.9 + 0.2 * Math.random()));
		const end = await ended(counts, () => run(turns), read);
		if (turns !== 0) paces.set(way, pace * (end === "stopped" ? 0.9 : 1.1));
	};
	const askInnocents = (): void => {
		for (const innocent of innocents) {
			for (let i = 0; i < 3; i++) {
				const before = words[CALL_WORD];
				assert.equal(innocent.run("spin", 1 + Math.round(Math.random() * 300)), 7);
				if (words[CALL_WORD] !== before) counts.unclocked++;
				counts.innocent++;
			}
		}
	};
	for (let round = 0; round < rounds; round++) {
		await attempt("alone", (turns) => tight.run(round % 2 === 0 ? "spin" : "catch", turns));
		askInnocents();
		// Its own trap, about when its time is over
		await attempt("alone", (turns) => tight.run("read", turns), true);
		assert.throws(() => inner.run("read", 5), { name: "Trap", message: "out of bounds memory access" });
		// Short calls, until nobody clocks them. Where others keep the thread from the processor, one may last too long
		for (let i = 0; i < 40; i++) await ended(warming, () => loose.run("spin", 1));
		await attempt("unclocked", (turns) => loose.run("spin", turns));
		askInnocents();
		// Inside of one that has time; and the reverse
		let nested: Promise<unknown> | undefined;
		outer.act = () => {
			nested = attempt("inside", (turns) => other.run("spin", turns));
			return 0;
		};
		assert.equal(outer.run("call", 3_000), 7);
		await nested;
		tight.act = () => {
			assert.equal(inner.run("spin", 3_000), 7);
			return 0;
		};
		await attempt("around", (turns) => tight.run("call", turns));
		askInnocents();
		// On stacks of their own, all at once
		for (const guest of [outer, inner, tight, other]) guest.act = () => Promise.resolve(0);
		const late = [tight, other].map((guest) => attempt("waiting", (turns) => guest.runBlocking("call", turns)));
		const kept: unknown[] = [outer, inner].map((guest) => guest.runBlocking("call", 3_000));
		assert.deepEqual(await Promise.all(kept), [7, 7]);
		await Promise.all(late);
		askInnocents();
	}
	return counts;
}

if (parentPort !== null) parentPort.postMessage(await stress(workerData as number));
else if (import.meta.main) console.log(await stress(Number(process.argv[2] ?? 1_000)));
