/**
 * `npm run soak -- stop [times] [metering] [idle|load] [part of a name | 1/8]`: every shape of endless guest stopped so many times in a row, on
 * an idle machine and under full load, with the distribution of how late; and two endless guests that share a thread with a timer. `1/8`:
 * the first of eight portions of the shapes. Fails where a bound is missed although the machine was there (see `StallWitness`) and the thread ran.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache, watchdogReady } from "../../src/engine/mod.ts";
import { openProcessorTime } from "../../src/engine/processor-time.ts";
import { LimitExceeded, Trap } from "../../src/fault/mod.ts";
import { linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool } from "../../src/pool/mod.ts";
import { ENDLESS, ENDLESS_HOST_CALLS, ENDLESS_START, UNWOUND } from "../server/endless-shapes.ts";
import { Pauses } from "./pauses.ts";
import { StallWitness } from "./stall-witness.ts";

/** Milliseconds of CPU time that each guest has. */
const CPU = 2;
/** Of those that do what cannot be interrupted: with less than that takes they are ended at once, early. */
const MORE_CPU: Readonly<Record<string, number>> = {
	"growth of a table by all that it may": 10,
	"growth of memory and table": 10,
	"large arrays": 40,
	"fills and copies of a large array": 10,
};
/** The same for those that share the thread. */
const SHARED_CPU = 2_000;
/** The neighbour is asked once in so many kills. */
const NEIGHBOURLY = 10;
type Metering = NonNullable<NonNullable<Parameters<typeof linkComponent>[3]>["metering"]>;
export const METERINGS: readonly Metering[] = ["trap", "yield", "fuel"];
export const LOADS = ["idle", "load"] as const;
type Load = (typeof LOADS)[number];
/** How often it is measured what V8 takes for the way out. */
const UNWINDINGS = 25;
/** Milliseconds later than its deadline that a guest may be stopped. */
const LATEST: Readonly<Record<Load, number>> = { idle: 2, load: 25 };
/** Milliseconds between two ticks of a timer beside two endless guests that can be suspended. */
const WIDEST = 20;

/** Milliseconds that a timer beside them waits. */
const TIMER = 5;

const cache = new CompileCache();
const pauses = new Pauses();

async function start(text: string, metering: Metering, cpu: number): Promise<SandboxPool> {
	const host = { interfaces: [], functions: { act: () => {} } };
	const linked = await linkComponent(loadComponent(await parse(text)), host, cache, { metering });
	return new SandboxPool(linked, {
		wasi: () => ({}),
		limits: { cpu, ...(text.includes("table.grow") ? {} : { tables: 1_000_000 }) },
		app: "soak",
	});
}

const OVER = new Error("over");

/** A stretch of the process's clock, in milliseconds, that was to be over at `due`. */
interface Stretch {
	readonly from: number;
	readonly due: number;
	readonly to: number;
	/** How much of it this thread ran, where that is known, and how much all threads of the process together. */
	readonly ran: number;
	readonly allRan: number;
	/** How much of it was V8's way out. */
	readonly unwinding: number;
}

const clock = (): number => Number(process.hrtime.bigint()) / 1e6;

const processorTime = openProcessorTime();

/** Milliseconds. Node's own is a tick (4 ms) behind. */
function threadTime(): number {
	return processorTime?.now() ?? Number.NaN;
}

/** Milliseconds that all threads of the process have run. */
function processTime(): number {
	const { user, system } = process.cpuUsage();
	return (user + system) / 1000;
}

/** What a stretch began with. */
interface Beginning {
	readonly from: number;
	readonly ran: number;
	readonly allRan: number;
}

const begin = (): Beginning => ({ from: clock(), ran: threadTime(), allRan: processTime() });

/** @param due milliseconds from its beginning */
function endStretch({ from, ran, allRan }: Beginning, due: number, unwinding = 0): Stretch {
	const to = clock();
	return { from, due: from + due, to, ran: threadTime() - ran, allRan: processTime() - allRan, unwinding };
}

/** Milliseconds that all processes of the machine have run. */
function machineTime(): number {
	const [, user, nice, system, , , irq, soft] = readFileSync("/proc/stat", "utf8").split(/\s+/).map(Number);
	return 10 * ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (soft ?? 0));
}

/** Says how much of a processor others take from now on. */
function watchOthers(): () => string {
	if (process.platform !== "linux") return () => "unknown";
	const othersTime = (): number => {
		const { user, system } = process.cpuUsage();
		return machineTime() - (user + system) / 1000;
	};
	const [from, before] = [clock(), othersTime()];
	return () => `${((100 * (othersTime() - before)) / (clock() - from)).toFixed(0)} % of a processor`;
}

/** One guest until its caller knew that it was stopped. The deadline is counted from the call, or from its start function. */
async function stopOnce(pool: SandboxPool, cpu: number, starts: boolean, unwinding = 0): Promise<Stretch> {
	let beginning = begin();
	let stretch: Stretch | undefined;
	try {
		const sandbox = await pool.acquire();
		try {
			assert.ok(starts, "a start function that never ends has ended");
			beginning = begin();
			await sandbox.call(["f"], []);
		} catch (error) {
			stretch = endStretch(beginning, cpu, unwinding);
			throw error;
		} finally {
			sandbox.end(OVER);
		}
	} catch (error) {
		stretch ??= endStretch(beginning, cpu, unwinding);
		assert.ok(error instanceof LimitExceeded && error.limit === "cpu", String(error));
		return stretch;
	}
	return assert.fail("it ended by itself");
}

/** Milliseconds that V8 takes for the way out of a guest of this shape, which no metering changes: of its own trap, beyond one of no depth. */
async function unwindingOf(name: string, metering: Metering): Promise<number> {
	const least: number[] = [];
	for (const text of UNWOUND[name] ?? []) {
		const pool = await start(text, metering, SHARED_CPU);
		const took: number[] = [];
		for (let i = 0; i < UNWINDINGS; i++) {
			const sandbox = await pool.acquire();
			const before = threadTime();
			await assert.rejects(async () => void (await sandbox.call(["f"], [])), Trap);
			took.push(threadTime() - before);
			sandbox.end(OVER);
		}
		pool.close(OVER);
		least.push(Math.min(...took));
	}
	const [deep = 0, shallow = 0] = least;
	return Math.max(deep - shallow, 0);
}

async function askNeighbour(pool: SandboxPool): Promise<void> {
	const sandbox = await pool.acquire();
	assert.equal(await sandbox.call(["ok"], []), 7);
	sandbox.end(OVER);
}

/**
 * What was measured, as it was; and without what the machine was away, this thread was kept from running by other processes, or V8 took for the
 * way out: its own. V8's collections are its own, whichever of V8's threads does them.
 */
class Lateness {
	readonly #witness: StallWitness | undefined;
	readonly #bound: number;
	readonly #stretches: Stretch[] = [];

	constructor(witness: StallWitness | undefined, bound: number) {
		this.#witness = witness;
		this.#bound = bound;
	}

	add(stretches: readonly Stretch[]): void {
		this.#stretches.push(...stretches);
	}

	toString(): string {
		const line = (times: readonly number[]): string => {
			const sorted = times.toSorted((a, b) => a - b);
			const at = (share: number): string => (sorted[Math.ceil(share * sorted.length) - 1] ?? 0).toFixed(2);
			const over = sorted.filter((time) => time > this.#bound).length;
			return `median ${at(0.5)}, p99 ${at(0.99)}, worst ${at(1)} ms, ${over} over ${this.#bound}`;
		};
		const raw = line(this.#stretches.map(({ due, to }) => to - due));
		return `${raw} | its own: ${line(this.#own)}`;
	}

	/** Sets the exit status when a bound was missed. */
	check(): void {
		if (this.#own.some((time) => time > this.#bound)) process.exitCode = 1;
	}

	get #own(): number[] {
		return this.#stretches.map((stretch) => {
			const { due, to, unwinding } = stretch;
			const there = to - due - (this.#witness?.stalled(due, to) ?? 0);
			return Math.max(Math.min(there, ownTime(stretch)) - unwinding, 0);
		});
	}
}

/** Milliseconds beyond what it was due after that this thread ran, or waited for others of V8's that ran. */
function ownTime({ from, due, to, ran, allRan }: Stretch): number {
	if (Number.isNaN(ran)) return Infinity;
	return ran + Math.min(pauses.between(from, to), Math.max(allRan - ran, 0)) - (due - from);
}

async function stopAll(
	metering: Metering,
	load: Load,
	times: number,
	shape: string,
	witness?: StallWitness,
): Promise<void> {
	const [, portion, portions] = /^(\d+)\/(\d+)$/.exec(shape)?.map(Number) ?? [];
	const all = new Lateness(witness, LATEST[load]);
	const others = watchOthers();
	const shapes = { ...ENDLESS, "calls of the host": ENDLESS_HOST_CALLS, "a start function": ENDLESS_START };
	let guests = 0;
	for (const [i, [name, text]] of Object.entries(shapes).entries()) {
		if (portions === undefined ? !name.includes(shape) : i % portions !== (portion ?? 0) % portions) continue;
		const cpu = MORE_CPU[name] ?? CPU;
		const pool = await start(text, metering, cpu);
		const neighbour = await start(ENDLESS["a loop"] ?? "", metering, 5_000);
		const unwinding = await unwindingOf(name, metering);
		const own: Stretch[] = [];
		const starts = text !== ENDLESS_START;
		// What is compiled for the first of all is no part of its time, and comes before it
		const first = await stopOnce(pool, cpu, starts);
		for (let i = 0; i < times; i++) {
			const asked = i % NEIGHBOURLY === 0 ? askNeighbour(neighbour) : undefined;
			own.push(await stopOnce(pool, cpu, starts, unwinding));
			await asked;
			await turn();
		}
		// The witness has to have woken, and pauses to be known
		await sleep(20);
		assert.deepEqual([pool.usage().sandboxes, neighbour.usage().sandboxes], [0, 0]);
		pool.close(OVER);
		neighbour.close(OVER);
		const late = new Lateness(witness, LATEST[load]);
		late.add(own);
		console.log(
			`  ${name}: ${late.toString()}; its first ${Math.min(ownTime(first), first.to - first.due).toFixed(2)}${unwinding === 0 ? "" : `; without V8's way out, ${unwinding.toFixed(2)}`}`,
		);
		all.add(own);
		guests += own.length;
	}
	console.log(`${metering}, ${load}, ${guests} guests, late by: ${all.toString()}; others: ${others()}`);
	all.check();
}

/** Guests that cannot give way run one after the other, and the timer in between. */
async function share(metering: Metering, witness?: StallWitness): Promise<void> {
	const pool = await start(ENDLESS["a loop"] ?? "", metering, SHARED_CPU);
	const ended = [0, 1].map(async () => {
		const sandbox = await pool.acquire();
		const from = performance.now();
		await assert.rejects(sandbox.call(["f"], []), LimitExceeded);
		sandbox.end(OVER);
		return performance.now() - from;
	});
	const gaps: Stretch[] = [];
	let last = begin();
	const timer = setInterval(() => {
		gaps.push(endStretch(last, 0));
		last = begin();
	}, TIMER);
	const took = await Promise.all(ended);
	clearInterval(timer);
	await sleep(20);
	pool.close(OVER);
	const widths = new Lateness(witness, WIDEST);
	// A thread that waits for its timer does not run, and is not late for that.
	widths.add(gaps.map((gap) => ({ ...gap, ran: Math.max(gap.ran, TIMER) })));
	const guests = `${metering}, two endless guests of ${SHARED_CPU} ms each, over after ${took.map((ms) => ms.toFixed(0)).join(" and ")} ms`;
	if (metering === "trap") {
		console.log(
			`${guests}: one after the other, and a timer after both; \`trap\` ends guests, it does not suspend them`,
		);
		return;
	}
	console.log(`${guests}, beside a 5 ms timer of ${gaps.length} ticks, gaps: ${widths.toString()}`);
	widths.check();
}

async function idleCost(): Promise<void> {
	// What starting costs is over by then
	await sleep(2_000);
	const before = process.cpuUsage();
	await sleep(5_000);
	const { user, system } = process.cpuUsage(before);
	console.log(`idle for 5 s: ${((user + system) / 1000).toFixed(1)} ms of CPU time in the whole process`);
}

async function burn(processes: number): Promise<ChildProcess[]> {
	const burners = Array.from({ length: processes }, () => spawn(process.execPath, ["-e", "for (;;);"]));
	await Promise.all(burners.map(async (burner) => await new Promise((resolve) => burner.once("spawn", resolve))));
	return burners;
}

export async function soakStop(
	times: number,
	meterings: readonly Metering[] = METERINGS,
	loads: readonly Load[] = LOADS,
	shape = "",
): Promise<void> {
	await watchdogReady();
	// The witness is no part of what it costs
	if (loads.includes("idle")) await idleCost();
	const witness = await StallWitness.start();
	console.log(
		`${times} times each, ${CPU} ms of CPU time${witness === undefined ? "; nobody watches the machine" : ""}`,
	);
	for (const load of loads) {
		const burners = load === "load" ? await burn(availableParallelism()) : [];
		try {
			// First: what the shapes leave in V8's heap is collected at its time
			for (const metering of shape === "" || shape.startsWith("1/") ? meterings : []) await share(metering, witness);
			for (const metering of meterings) await stopAll(metering, load, times, shape, witness);
		} finally {
			for (const burner of burners) burner.kill();
		}
	}
	await witness?.stop();
	pauses.stop();
}
