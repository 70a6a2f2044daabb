/**
 * `npm run soak -- stop [times] [metering] [idle|load] [part of a name | 1/8] [--into FILE] [--for SECONDS]`: every shape of endless guest
 * stopped so many times in a row, on an idle machine and under full load, with the distribution of how late; and two endless guests that share a
 * thread with a timer. `1/8`: the first of eight portions of the shapes. `--into`: goes on where the command was the last time, by that file, and
 * ends with status 75 when there is more to do. Fails where a bound is missed although the machine was there (see `StallWitness`) and the
 * thread ran.
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
import { Collections } from "./collections.ts";
import { StallWitness } from "./stall-witness.ts";
import { type Stop, StopFigures } from "./stop-figures.ts";
import { begin, clock, endStretch, ownTime, type Stretch, threadTime } from "./stretch.ts";

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

/** Stops of one shape, before the next one's: what goes on another time has some of each. */
const PORTION = 100;
/** The exit status when there is more to do: `EX_TEMPFAIL`. */
const UNFINISHED = 75;

/** Milliseconds that a timer beside them waits. */
const TIMER = 5;

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
async function stopOnce(pool: SandboxPool, cpu: number, starts: boolean): Promise<Stretch> {
	let beginning = begin();
	let stretch: Stretch | undefined;
	try {
		const sandbox = await pool.acquire();
		try {
			assert.ok(starts, "a start function that never ends has ended");
			beginning = begin();
			await sandbox.call(["f"], []);
		} catch (error) {
			stretch = endStretch(beginning, cpu);
			throw error;
		} finally {
			sandbox.end(OVER);
		}
	} catch (error) {
		stretch ??= endStretch(beginning, cpu);
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

interface Run {
	readonly figures: StopFigures;
	readonly collections: Collections;
	readonly witness: StallWitness | undefined;
}

/**
 * As it was; and without what the machine was away, this thread was kept from running by other processes, or V8 took for the way out: its own.
 * V8's collections are its own, whichever of V8's threads does them.
 */
function judge({ collections, witness }: Run, stretch: Stretch, unwinding = 0): Stop {
	const { from, due, to, ran, queued } = stretch;
	const late = to - due;
	const away = witness?.stalled(due, to) ?? 0;
	const own = Math.max(Math.min(late - away, ownTime(stretch)) - unwinding, 0);
	const parts = [
		`in ${(to - from).toFixed(2)} ms ran ${ran.toFixed(2)}, was in the queue ${queued.toFixed(2)}`,
		`machine away ${away.toFixed(2)}`,
		...collections.between(from, to).map((one) => `collection of ${one}`),
	];
	return { late, own, what: parts.join(", ") };
}

interface Shape {
	readonly metering: Metering;
	readonly load: Load;
	readonly name: string;
	readonly text: string;
	/** Its list in the figures. */
	readonly list: string;
}

/** Stops its guest so many times. */
async function stopShape(run: Run, { metering, load, name, text, list }: Shape, times: number): Promise<void> {
	const cpu = MORE_CPU[name] ?? CPU;
	const pool = await start(text, metering, cpu);
	const neighbour = await start(ENDLESS["a loop"] ?? "", metering, 5_000);
	const unwinding = await unwindingOf(name, metering);
	const stretches: Stretch[] = [];
	const starts = text !== ENDLESS_START;
	// What is compiled for the first of all is no part of its time, and comes before it
	const first = await stopOnce(pool, cpu, starts);
	for (let i = 0; i < times; i++) {
		const asked = i % NEIGHBOURLY === 0 ? askNeighbour(neighbour) : undefined;
		stretches.push(await stopOnce(pool, cpu, starts));
		await asked;
		await turn();
	}
	// The witness has to have woken, and collections to be known
	await sleep(20);
	assert.deepEqual([pool.usage().sandboxes, neighbour.usage().sandboxes], [0, 0]);
	pool.close(OVER);
	neighbour.close(OVER);
	const stops = stretches.map((stretch) => judge(run, stretch, unwinding));
	run.figures.add(list, stops, LATEST[load]);
	console.log(
		`  ${name}: ${run.figures.text([list], LATEST[load])}; its first ${judge(run, first).own.toFixed(2)}${unwinding === 0 ? "" : `; without V8's way out, ${unwinding.toFixed(2)}`}`,
	);
}

/** Sets the exit status when a bound was missed. */
function tell(figures: StopFigures, lists: readonly string[], bound: number): void {
	for (const reason of figures.worst(lists)) console.log(`  ${reason}`);
	if (figures.isOver(lists, bound)) process.exitCode = 1;
}

/**
 * @param portion stops of one shape at a time
 * @param end of the process's clock: after that, no further portion is begun
 * @returns whether all are there
 */
async function stopAll(
	run: Run,
	shapes: readonly Shape[],
	times: number,
	portion: number,
	end: number,
): Promise<boolean> {
	const { figures } = run;
	const [{ metering, load }] = shapes as [Shape];
	const lists = shapes.map(({ list }) => list);
	const others = watchOthers();
	for (let isWhole = false; !isWhole;) {
		isWhole = true;
		for (const shape of shapes) {
			const left = times - figures.count(shape.list);
			if (left <= 0) continue;
			if (clock() >= end) return false;
			await stopShape(run, shape, Math.min(left, portion));
			isWhole &&= left <= portion;
		}
	}
	const guests = lists.reduce((sum, list) => sum + figures.count(list), 0);
	console.log(
		`${metering}, ${load}, ${guests} guests, late by: ${figures.text(lists, LATEST[load])}; others: ${others()}`,
	);
	tell(figures, lists, LATEST[load]);
	return true;
}

function shapesOf(metering: Metering, load: Load, part: string): Shape[] {
	const [, portion, portions] = /^(\d+)\/(\d+)$/.exec(part)?.map(Number) ?? [];
	const all = { ...ENDLESS, "calls of the host": ENDLESS_HOST_CALLS, "a start function": ENDLESS_START };
	return Object.entries(all)
		.filter(([name], i) => (portions === undefined ? name.includes(part) : i % portions === (portion ?? 0) % portions))
		.map(([name, text]) => ({ metering, load, name, text, list: `${metering} ${load} ${name}` }));
}

/** Guests that cannot give way run one after the other, and the timer in between. */
async function share(run: Run, metering: Metering, list: string): Promise<void> {
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
	const guests = `${metering}, two endless guests of ${SHARED_CPU} ms each, over after ${took.map((ms) => ms.toFixed(0)).join(" and ")} ms`;
	if (metering === "trap") {
		console.log(
			`${guests}: one after the other, and a timer after both; \`trap\` ends guests, it does not suspend them`,
		);
		return;
	}
	// A thread that waits for its timer does not run, and is not late for that.
	const widths = gaps.map((gap) => judge(run, { ...gap, ran: Math.max(gap.ran, TIMER) }));
	run.figures.add(list, widths, WIDEST);
	console.log(`${guests}, beside a 5 ms timer of ${gaps.length} ticks, gaps: ${run.figures.text([list], WIDEST)}`);
	tell(run.figures, [list], WIDEST);
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

export interface StopOptions {
	readonly meterings?: readonly Metering[];
	readonly loads?: readonly Load[];
	/** Part of a name, or `1/8`. */
	readonly shape?: string;
	/** What was stopped before, and is: a file. */
	readonly into?: string | undefined;
	/** After so many seconds nothing more is begun; with `into`. */
	readonly seconds?: number;
}

export async function soakStop(
	times: number,
	{ meterings = METERINGS, loads = LOADS, shape = "", into, seconds = Infinity }: StopOptions = {},
): Promise<void> {
	const end = clock() + seconds * 1_000;
	await watchdogReady();
	const figures = new StopFigures(into);
	// The witness is no part of what it costs
	if (loads.includes("idle") && into === undefined) await idleCost();
	const witness = await StallWitness.start();
	const run: Run = { figures, collections: new Collections(), witness };
	console.log(
		`${times} times each, ${CPU} ms of CPU time${witness === undefined ? "; nobody watches the machine" : ""}`,
	);
	let isWhole = true;
	for (const load of loads) {
		const burners = load === "load" ? await burn(availableParallelism()) : [];
		try {
			// First: what the shapes leave in V8's heap is collected at its time
			for (const metering of shape === "" || shape.startsWith("1/") ? meterings : []) {
				const list = `${metering} ${load} a timer beside two endless guests`;
				if (figures.count(list) === 0 && clock() < end) await share(run, metering, list);
			}
			for (const metering of meterings) {
				const shapes = shapesOf(metering, load, shape);
				isWhole = (await stopAll(run, shapes, times, into === undefined ? times : PORTION, end)) && isWhole;
			}
		} finally {
			for (const burner of burners) burner.kill();
		}
	}
	await witness?.stop();
	run.collections.stop();
	if (isWhole) return;
	console.log("not all yet: the same command goes on here");
	process.exitCode = UNFINISHED;
}
