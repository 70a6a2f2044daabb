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
import { LimitExceeded, Trap } from "../../src/fault/mod.ts";
import { linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool } from "../../src/pool/mod.ts";
import { ENDLESS, ENDLESS_HOST_CALLS, ENDLESS_START, UNWOUND } from "../server/endless-shapes.ts";
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

const cache = new CompileCache();

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

/**
 * A stretch of the process's clock, in milliseconds; how much of it this thread ran, at most, where that is known; and how much of that was
 * V8's way out.
 */
type Stretch = readonly [from: number, to: number, ran?: number | undefined, unwinding?: number];

const clock = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Milliseconds. */
function threadTime(): number {
	const { user, system } = process.threadCpuUsage();
	return (user + system) / 1000;
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

/** From the deadline of one guest until its caller knew. The deadline is counted from the call, or from its start function. */
async function stopOnce(pool: SandboxPool, cpu: number, starts: boolean): Promise<Stretch> {
	let from = clock();
	let known = from;
	let before = threadTime();
	let ran = 0;
	const knows = (): void => {
		known = clock();
		ran = threadTime() - before - cpu;
	};
	try {
		const sandbox = await pool.acquire();
		try {
			assert.ok(starts, "a start function that never ends has ended");
			before = threadTime();
			from = clock();
			await sandbox.call(["f"], []);
		} catch (error) {
			knows();
			throw error;
		} finally {
			sandbox.end(OVER);
		}
	} catch (error) {
		if (!starts) knows();
		assert.ok(error instanceof LimitExceeded && error.limit === "cpu", String(error));
		return [from + cpu, known, Math.max(ran, 0)];
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

/** What was measured, as it was; and without what the machine was away, this thread was kept from running, or V8 took for the way out: its own. */
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
		const raw = line(this.#stretches.map(([from, to]) => to - from));
		return `${raw} | its own: ${line(this.#own)}`;
	}

	/** Sets the exit status when a bound was missed. */
	check(): void {
		if (this.#own.some((time) => time > this.#bound)) process.exitCode = 1;
	}

	get #own(): number[] {
		return this.#stretches.map(([from, to, ran = Infinity, unwinding = 0]) =>
			Math.max(Math.min(ran, to - from - (this.#witness?.stalled(from, to) ?? 0)) - unwinding, 0),
		);
	}
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
		// What is compiled for the first of all is no part of its time, and comes before it
		const first = await stopOnce(pool, cpu, text !== ENDLESS_START);
		for (let i = 0; i < times; i++) {
			const asked = i % NEIGHBOURLY === 0 ? askNeighbour(neighbour) : undefined;
			const [from, to, ran] = await stopOnce(pool, cpu, text !== ENDLESS_START);
			own.push([from, to, ran, unwinding]);
			await asked;
			await turn();
		}
		// The witness has to have woken
		await sleep(2);
		assert.deepEqual([pool.usage().sandboxes, neighbour.usage().sandboxes], [0, 0]);
		pool.close(OVER);
		neighbour.close(OVER);
		const late = new Lateness(witness, LATEST[load]);
		late.add(own);
		console.log(
			`  ${name}: ${late.toString()}; its first ${Math.min(first[2] ?? Infinity, first[1] - first[0]).toFixed(2)}${unwinding === 0 ? "" : `; without V8's way out, ${unwinding.toFixed(2)}`}`,
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
	const tick = (): readonly [at: number, ran: number] => [clock(), threadTime()];
	const ticks = [tick()];
	const timer = setInterval(() => void ticks.push(tick()), 5);
	const took = await Promise.all(ended);
	clearInterval(timer);
	await sleep(2);
	pool.close(OVER);
	const gaps = new Lateness(witness, WIDEST);
	gaps.add(
		ticks.slice(1).map(([to, after], i) => {
			const [from, before] = ticks[i] ?? [to, after];
			// A thread that waits for its timer does not run, and is not late for that.
			return [from, to, Math.max(after - before, 5)];
		}),
	);
	const guests = `${metering}, two endless guests of ${SHARED_CPU} ms each, over after ${took.map((ms) => ms.toFixed(0)).join(" and ")} ms`;
	if (metering === "trap") {
		console.log(
			`${guests}: one after the other, and a timer after both; \`trap\` ends guests, it does not suspend them`,
		);
		return;
	}
	console.log(`${guests}, beside a 5 ms timer of ${ticks.length - 1} ticks, gaps: ${gaps.toString()}`);
	gaps.check();
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
}
