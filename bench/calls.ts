import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { getHeapStatistics } from "node:v8";
import { transpileBytes } from "@bytecodealliance/jco-transpile";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Engine } from "../src/embed/mod.ts";
import { CompileCache } from "../src/engine/mod.ts";
import { instantiate, type Instance, linkComponent, loadComponent } from "../src/link/mod.ts";
import { type Calls, EXPORTS_CORE_WAT, EXPORTS_WAT, handWritten, IMPORTS_WAT, INTERFACE } from "./calls-guest.ts";
import { bytes, handWrittenTasks, TASKS_CORE_WATS, TASKS_WAT } from "./calls-tasks.ts";
import type { CallsReport, CallsResult, WasmtimeFigures } from "./calls-report.ts";
import { commit } from "./commit.ts";
import { chooseCores, describeMachine, moveTo } from "./machine.ts";
import { median } from "./statistics.ts";
import { isWarm } from "./warm-up.ts";

export interface CallsOptions {
	readonly rounds: number;
	/** Cases with one of these in their names only. */
	readonly only?: string | undefined;
	/** The program of `peers/wasmtime-calls`; without, it is left out. */
	readonly wasmtime?: string | undefined;
	/** What was typed, for the report. */
	readonly command: string;
	readonly onProgress: (line: string) => void;
}

/** One call, of which each contender makes as many as fit into a turn. */
interface Case {
	readonly name: string;
	readonly call: string;
	readonly args: readonly unknown[];
	/** Calls of the host or another guest that one call makes, which are what is counted. */
	readonly per?: number;
	/** Calls in a turn, where they are awaited. */
	readonly turn?: number;
	/** What `peers/wasmtime-calls` knows it as; it has no part in a case without. */
	readonly wasmtime?: string;
}

type Contender = "skerry" | "hand" | "jco";

/** Milliseconds of a contender's turn. */
const TURN_MS = 25;
/** Of ten turns each, at most, of calls that are awaited, before they are measured. */
const MOST_WARM_STRETCHES = 20;

const pairs = Array.from({ length: 1000 }, (_, i) => ({ x: i, y: i * 3 }));
const HOST_CALLS = 1000;

const CASES: readonly Case[] = [
	{ name: "add(u32, u32)", call: "add", args: [3, 4], wasmtime: "add" },
	{
		name: "record of 5, with a string of 16 B",
		call: "describe",
		wasmtime: "describe",
		args: [{ id: 7, size: 5n, ratio: 0.5, open: true, name: "content-type-xyz" }],
	},
	...([16, 1024, 1 << 20] as const).flatMap((size): Case[] => [
		{ name: `string ${named(size)} in`, call: "takeString", args: [flatText(size)], wasmtime: `takeString:${size}` },
		{ name: `string ${named(size)} out`, call: "giveString", args: [size], wasmtime: `giveString:${size}` },
	]),
	{
		name: "string 1 KiB in, of a longer one",
		call: "takeString",
		args: [flatText(1032).slice(4, 1028)],
		wasmtime: "takeString:1024",
	},
	...([1024, 1 << 20] as const).flatMap((size): Case[] => [
		{
			name: `list<u8> ${named(size)} in`,
			call: "takeBytes",
			args: [new Uint8Array(size).fill(97)],
			wasmtime: `takeBytes:${size}`,
		},
		{ name: `list<u8> ${named(size)} out`, call: "giveBytes", args: [size], wasmtime: `giveBytes:${size}` },
	]),
	{ name: "list<u32> × 1000 in", call: "takeWords", args: [new Uint32Array(1000).fill(7)], wasmtime: "takeWords:1000" },
	{ name: "list<u32> × 1000 out", call: "giveWords", args: [1000], wasmtime: "giveWords:1000" },
	{ name: "list<record> × 1000 in", call: "takePairs", args: [pairs], wasmtime: "takePairs:1000" },
	{ name: "list<record> × 1000 out", call: "givePairs", args: [1000], wasmtime: "givePairs:1000" },
];

/** The lists that may share buffers, where the embedder lets them: see `sharedBuffers` of `Engine`. */
const SHARED_CASES: readonly Case[] = [256, 1024].map((size) => ({
	name: `list<u8> ${named(size)} out, sharedBuffers`,
	call: "giveBytes",
	args: [size],
	wasmtime: `giveBytes:${size}`,
}));

const HOST_CASES: readonly Case[] = [
	{ name: "guest calls host: add(u32, u32)", call: "adds", args: [HOST_CALLS], per: HOST_CALLS, wasmtime: "adds" },
	{
		name: "guest calls host: append(string, list<u8>)",
		call: "appends",
		args: [HOST_CALLS],
		per: HOST_CALLS,
		wasmtime: "appends",
	},
	{
		name: "guest calls guest: take(string 1 KiB)",
		call: "passes",
		args: [HOST_CALLS],
		per: HOST_CALLS,
		wasmtime: "passes",
	},
];

const STREAM_BYTES = 64 << 20;

/** jco has no part in these. */
const TASK_CASES: readonly Case[] = [
	{ name: "async export that returns at once", call: "echo", args: [7], turn: 20_000 },
	{ name: "stream<u8> of 64 MiB in", call: "drain", args: [bytes(STREAM_BYTES)], turn: 4 },
	{ name: "stream<u8> of 64 MiB, guest to guest", call: "relay", args: [STREAM_BYTES], turn: 4 },
];

const HOST = {
	"host-add": (a: number, b: number): number => (a + b) >>> 0,
	"host-append": (name: string, value: Uint8Array): unknown => {
		appended = name.length + value.length;
		return undefined;
	},
};
let appended = 0;

/**
 * As if read from somewhere. V8 gives a string that was put together, or cut out of another, to native functions on a slower way; what
 * `repeat` makes is either one or the other, as V8 cleans up.
 */
function flatText(size: number): string {
	return Buffer.alloc(size, "a").toString("latin1");
}

function named(size: number): string {
	return size < 1024 ? `${size} B` : size < 1 << 20 ? `${size >> 10} KiB` : `${size >> 20} MiB`;
}

/** What a call costs between JavaScript and a component: ours, by hand on the same core module, and jco's. */
export async function benchCalls(options: CallsOptions): Promise<CallsReport> {
	const machine = describeMachine();
	const cores = chooseCores();
	const exports = new Uint8Array(await parse(EXPORTS_WAT));
	const imports = new Uint8Array(await parse(IMPORTS_WAT));
	const tasks = new Uint8Array(await parse(TASKS_WAT));
	const core = await compileCore(new Uint8Array(await parse(EXPORTS_CORE_WAT)));
	if (cores !== undefined) moveTo(cores.server);
	const folder = mkdtempSync(join(tmpdir(), "skerry-bench-calls-"));
	try {
		const others = { hand: handWritten(core), jco: await jco(exports, folder, "exports") };
		const wasmtime = wasmtimeOf(exports, join(folder, "exports.component.wasm"), options);
		const results = [
			...measureAll(chosen(CASES, options), { skerry: await keptSandbox(exports), ...others }, options, wasmtime),
			...measureAll(
				chosen(SHARED_CASES, options),
				{ skerry: await keptSandbox(exports, true), ...others },
				options,
				wasmtime,
			),
			...(await measureWaiting(
				chosen(HOST_CASES, options),
				{ skerry: await ours(imports), jco: await jco(imports, folder, "imports") },
				options,
				wasmtimeOf(imports, join(folder, "imports.component.wasm"), options),
			)),
			...(await measureWaiting(
				chosen(TASK_CASES, options),
				{ skerry: await keptExports(tasks), hand: await handWrittenTasks(await tasksCores()) },
				options,
			)),
		];
		return {
			schema: "skerry-bench-calls/4",
			date: new Date().toISOString(),
			command: options.command,
			commit: commit(),
			machine,
			pinned: cores !== undefined,
			rounds: options.rounds,
			results,
		};
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

function chosen(cases: readonly Case[], { only }: CallsOptions): readonly Case[] {
	const names = only?.split(",");
	return names === undefined ? cases : cases.filter(({ name }) => names.some((part) => name.includes(part)));
}

async function compileCore(bytes: Uint8Array): Promise<unknown> {
	const { WebAssembly } = globalThis as unknown as {
		WebAssembly: { instantiate(bytes: Uint8Array): Promise<{ instance: { exports: unknown } }> };
	};
	return (await WebAssembly.instantiate(bytes)).instance.exports;
}

/** As an embedder calls it: a sandbox that is kept, with its default limits. */
async function keptSandbox(bytes: Uint8Array, sharedBuffers = false): Promise<Calls> {
	const component = await new Engine({ cache: false, sharedBuffers }).load(bytes);
	return component.instantiate().sync[INTERFACE] as Calls;
}

async function keptExports(bytes: Uint8Array): Promise<Calls> {
	return (await new Engine({ cache: false }).load(bytes)).instantiate().exports as Calls;
}

async function tasksCores(): Promise<Record<keyof typeof TASKS_CORE_WATS, Uint8Array>> {
	const { tasks, producer, consumer } = TASKS_CORE_WATS;
	const [a, b, c] = await Promise.all([tasks, producer, consumer].map((wat) => parse(wat)));
	return { tasks: new Uint8Array(a!), producer: new Uint8Array(b!), consumer: new Uint8Array(c!) };
}

/** Microseconds of a call in Wasmtime; each time in a process of its own, which has the cores of this one. */
function wasmtimeOf(component: Uint8Array, file: string, { wasmtime, rounds }: CallsOptions): WasmtimeOf {
	if (wasmtime === undefined) return () => null;
	writeFileSync(file, component);
	return (call) => {
		if (call === undefined) return null;
		const printed = execFileSync(wasmtime, [file, `${rounds}`, call], { encoding: "utf8" });
		const { typed, stoppable, dynamic } = (JSON.parse(printed) as Record<string, WasmtimeFigures>)[call]!;
		return { typed: typed / 1000, stoppable: stoppable / 1000, dynamic: dynamic / 1000 };
	};
}

type WasmtimeOf = (call: string | undefined) => WasmtimeFigures | null;

async function ours(component: Uint8Array): Promise<Calls> {
	const functions = {
		"host-add": (_: unknown, a: number, b: number) => HOST["host-add"](a, b),
		"host-append": (_: unknown, name: string, value: Uint8Array) => {
			HOST["host-append"](name, value);
			return { tag: "ok" };
		},
	};
	const host = { interfaces: [], functions, resources: {} };
	const linked = await linkComponent(loadComponent(component), host, new CompileCache());
	const instance: Instance = instantiate(linked, undefined);
	const calls: Record<string, (...args: unknown[]) => unknown> = {};
	const all = instance.exports.get(INTERFACE);
	const path = all === undefined ? [] : [INTERFACE];
	for (const name of (all !== undefined && "exports" in all ? all.exports : instance.exports).keys()) {
		const fn = instance.function([...path, name]);
		if (fn !== undefined) calls[camel(name)] = "invoke" in fn ? fn.invoke : (...args) => fn.call(args);
	}
	return calls;
}

async function jco(component: Uint8Array, folder: string, name: string): Promise<Calls> {
	const { files } = await transpileBytes(component, { name, instantiation: { tag: "async" } });
	for (const [file, bytes] of Object.entries(files))
		if (!file.endsWith(".d.ts")) writeFileSync(join(folder, file), bytes);
	writeFileSync(join(folder, "package.json"), '{"type":"module"}');
	const module = (await import(pathToFileURL(join(folder, `${name}.js`)).href)) as {
		instantiate(core: (path: string) => Promise<unknown>, imports: unknown): Promise<Calls>;
	};
	const { WebAssembly } = globalThis as unknown as { WebAssembly: { compile(bytes: Uint8Array): Promise<unknown> } };
	const imports = Object.fromEntries(Object.entries(HOST).map(([key, fn]) => [key, { default: fn }]));
	const instance = await module.instantiate((path) => WebAssembly.compile(readFileSync(join(folder, path))), imports);
	return (instance as Record<string, unknown>)[INTERFACE] === undefined
		? instance
		: (instance as unknown as Record<string, Calls>)[INTERFACE]!;
}

function camel(name: string): string {
	return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** What a contender does in a turn, and how long each of its calls took then. */
interface Turn {
	readonly run: (count: number) => void;
	readonly count: number;
	readonly times: number[];
}

function measureAll(
	cases: readonly Case[],
	contenders: Record<Contender, Calls>,
	options: CallsOptions,
	wasmtime: WasmtimeOf,
): CallsResult[] {
	return cases.map(({ name, call, args, wasmtime: peer }) => {
		options.onProgress(name);
		const names = Object.keys(contenders) as Contender[];
		const expected = contenders.hand[call]!(...args);
		const turns = new Map<Contender, Turn>();
		for (const contender of names) {
			const fn = contenders[contender][call]!;
			assert.deepEqual(fn(...args), expected, `${contender}: ${name}`);
			const run = loop(fn, args);
			turns.set(contender, { run, count: warmUp(run), times: [] });
		}
		for (let round = 0; round < options.rounds; round++) {
			for (const { run, count, times } of turns.values()) {
				const started = performance.now();
				run(count);
				times.push(((performance.now() - started) * 1000) / count);
			}
		}
		const micros = (contender: Contender): number => median(turns.get(contender)!.times);
		return {
			name,
			micros: { skerry: micros("skerry"), hand: micros("hand"), jco: micros("jco") },
			wasmtime: wasmtime(peer),
			bytes: { skerry: allocated(turns.get("skerry")!), hand: allocated(turns.get("hand")!) },
		};
	});
}

interface CodeConstructor {
	new (fn: string, args: string, body: string): (fn: unknown, args: unknown) => (count: number) => void;
}

const Code = Function as unknown as CodeConstructor;

let loops = 0;

/**
 * A loop of its own for each contender and case: V8 specialises it. Functions of equal text would share what V8 learns, and so call
 * one of several.
 */
function loop(fn: (...args: any[]) => unknown, args: readonly unknown[]): (count: number) => void {
	return new Code("fn", "args", `return (count) => { ${loopBody("fn", args)} };`)(fn, args);
}

function awaitingLoop(fn: (...args: any[]) => unknown, args: readonly unknown[]): (count: number) => Promise<unknown> {
	const made: unknown = new Code("fn", "args", `return async (count) => { ${loopBody("await fn", args)} };`)(fn, args);
	return made as (count: number) => Promise<unknown>;
}

function loopBody(call: string, args: readonly unknown[]): string {
	return `/* ${loops++} */ let last; for (let i = 0; i < count; i++) last = ${call}(${args.map((_, i) => `args[${i}]`).join(", ")}); return last;`;
}

/** Runs until it is warm; returns how many calls a turn takes. */
function warmUp(run: (count: number) => void): number {
	let count = 1;
	for (let spent = 0; ;) {
		const started = performance.now();
		run(count);
		const took = performance.now() - started;
		spent += took;
		if (spent > 10 * TURN_MS && took > TURN_MS / 2) return count;
		if (took < TURN_MS / 2) count *= 2;
	}
}

/** The same: until its best turns become no quicker, which of calls over much code takes V8 some hundred turns. */
async function warmUpWaiting(run: (count: number) => Promise<unknown>, turn: number): Promise<void> {
	const rates: number[] = [];
	while (rates.length < MOST_WARM_STRETCHES && !isWarm(rates)) {
		let best = 0;
		const end = performance.now() + 10 * TURN_MS;
		for (let started = performance.now(); started < end;) {
			await run(turn);
			const now = performance.now();
			best = Math.max(best, turn / (now - started));
			started = now;
		}
		rates.push(best);
	}
}

/** Bytes of V8's heap that a call takes, of a turn's calls. */
function allocated({ run, count }: Turn): number {
	const before = getHeapStatistics().total_allocated_bytes;
	run(count);
	return (getHeapStatistics().total_allocated_bytes - before) / count;
}

/** Calls that may wait, and so give promises. */
async function measureWaiting(
	cases: readonly Case[],
	contenders: Readonly<Partial<Record<Contender, Calls>>>,
	options: CallsOptions,
	wasmtime: WasmtimeOf = () => null,
): Promise<CallsResult[]> {
	const results: CallsResult[] = [];
	for (const { name, call, args, per = 1, turn = 20, wasmtime: peer } of cases) {
		options.onProgress(name);
		const times: Record<Contender, number[]> = { skerry: [], jco: [], hand: [] };
		const expected = await contenders.skerry?.[call]!(...args);
		const turns = (Object.keys(contenders) as Contender[]).map(
			(contender) => [contender, awaitingLoop(contenders[contender]![call]!, args)] as const,
		);
		for (const [, run] of turns) await warmUpWaiting(run, turn);
		for (let round = 0; round < options.rounds; round++) {
			for (const [contender, run] of turns) {
				const started = performance.now();
				const last = await run(turn);
				times[contender].push(((performance.now() - started) * 1000) / (turn * per));
				assert.deepEqual(last, expected, `${contender}: ${name}`);
			}
		}
		assert.ok(call !== "appends" || appended === 36);
		assert.ok((call !== "drain" && call !== "relay") || expected === STREAM_BYTES);
		const micros = (contender: Contender): number | null =>
			contenders[contender] === undefined ? null : median(times[contender]);
		results.push({
			name,
			micros: { skerry: median(times.skerry), hand: micros("hand"), jco: micros("jco") },
			wasmtime: wasmtime(peer),
			bytes: { skerry: null, hand: null },
		});
	}
	return results;
}
