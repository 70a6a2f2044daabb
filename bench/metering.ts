import { spawn } from "node:child_process";
import { closeSync, existsSync, globSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { WASI } from "node:wasi";
import { CoreMemories, interruptFlag, webAssembly, type WasmExtern, type WasmModule } from "../src/engine/mod.ts";
import { FUEL_CELL, meterBinary } from "../src/rewrite/mod.ts";
import { commit } from "./commit.ts";
import { describeMachine } from "./machine.ts";
import type { MeteringReport, MeteringResult, MeteringVariant } from "./metering-report.ts";
import { VARIANTS } from "./metering-report.ts";

export interface MeteringOptions {
	/** Milliseconds that each variant of each program is measured for, after half as long that is not. */
	readonly milliseconds: number;
	/** Parts of the names of the programs that are run, with commas between them; all without. */
	readonly only: string | undefined;
	/** A Python that has the package `wasmtime`; without, it is left out. */
	readonly python: string | undefined;
	/** What was typed, for the report. */
	readonly command: string;
	/** Told what is going on. */
	readonly onProgress: (line: string) => void;
}

interface Variant {
	readonly name: MeteringVariant;
	readonly bytes: number;
	/** Runs the program once: milliseconds between its own calls of `bench.start` and `bench.end`. */
	readonly run: () => number;
}

const SIGHTGLASS = fileURLToPath(new URL("../../shared/suites/sightglass", import.meta.url));

/** Nothing is done in it, or it is all optimised away. */
const EMPTY = new Set(["noop", "shootout-nestedloop"]);

/**
 * Real programs with each kind of metering, in one process, in turns: what slows the machine for a while slows all of them. The
 * figure of each is the shortest of many rounds: whatever else runs on the machine can only add to one.
 */
export async function benchMetering(options: MeteringOptions): Promise<MeteringReport> {
	const machine = describeMachine();
	const folder = mkdtempSync(path.join(tmpdir(), "skerry-bench-"));
	const output = openSync(path.join(folder, "output"), "w");
	const results: MeteringResult[] = [];
	const failed: { program: string; reason: string }[] = [];
	try {
		for (const { program, file } of listSightglass(options.only)) {
			options.onProgress(program);
			try {
				const variants = VARIANTS.map((name) => prepare(name, file, output));
				const times = measure(variants, options.milliseconds);
				const wasmtime =
					options.python === undefined ? null : await runWasmtime(options.python, file, options.milliseconds);
				const bytes = Object.fromEntries(variants.map((variant) => [variant.name, variant.bytes]));
				options.onProgress(
					`  ${VARIANTS.map((name) => `${name} ${times.milliseconds[name].toFixed(2)} ms`).join(", ")}`,
				);
				results.push({ program, ...times, bytes: bytes as MeteringResult["bytes"], wasmtime });
			} catch (error) {
				failed.push({ program, reason: (error as Error).message });
			}
		}
	} finally {
		closeSync(output);
		rmSync(folder, { recursive: true });
	}
	const { milliseconds, command } = options;
	return {
		schema: "skerry-bench-metering/1",
		date: new Date().toISOString(),
		command,
		commit: commit(),
		machine,
		milliseconds,
		results,
		failed,
	};
}

function listSightglass(only: string | undefined): { readonly program: string; readonly file: string }[] {
	return globSync("*/*.wasm", { cwd: SIGHTGLASS })
		.sort()
		.map((file) => {
			const name = path.basename(file, ".wasm");
			return {
				program: name === "benchmark" ? path.dirname(file) : name,
				file: path.join(SIGHTGLASS, file),
			};
		})
		.filter(
			({ program }) =>
				!EMPTY.has(program) && (only === undefined || only.split(",").some((part) => program.includes(part))),
		);
}

/** What a module that is metered and not lifted exports of the engine's: nothing, for the flag is never raised. */
const NOTHING = {
	exports: { pages: [], writesData: false, tableElements: 0 },
	initial: { data: [], globals: [] },
} as const;

function prepare(name: MeteringVariant, file: string, output: number): Variant {
	const original = new Uint8Array(readFileSync(file));
	const metered = name === "off" ? undefined : meterBinary(original, name, interruptFlag().check);
	const bytes = metered?.bytes ?? original;
	const module = new (webAssembly().Module)(bytes);
	const run = (): number => {
		const engine: Record<string, Record<string, WasmExtern>> = {};
		if (metered !== undefined) new CoreMemories().prepare(module, { ...NOTHING, imports: metered.imports }, engine);
		if (name === "fuel") new DataView(interruptFlag().memory.buffer).setBigInt64(FUEL_CELL, 1n << 62n, true);
		return runCommand(module, file, output, engine);
	};
	return { name, bytes: bytes.length, run };
}

/** One run of a WASI 0.1 command in a new instance. V8's optimised code belongs to the module and stays. */
function runCommand(
	module: WasmModule,
	file: string,
	output: number,
	engine: Record<string, Record<string, WasmExtern>>,
): number {
	const wasi = new WASI({
		version: "preview1",
		args: [path.basename(file)],
		preopens: { ".": path.dirname(file) },
		stdout: output,
		stderr: output,
	});
	let took = 0;
	let started: Clocks = readClocks();
	const bench = {
		start: () => {
			started = readClocks();
		},
		end: () => {
			took += elapsed(started);
		},
	};
	const imports = { ...(wasi.getImportObject() as Record<string, Record<string, WasmExtern>>), bench, ...engine };
	const instance = new (webAssembly().Instance)(module, imports);
	const status = wasi.start(instance);
	if (status !== 0) throw new Error(`it ended with status ${status}`);
	return took;
}

/** In milliseconds. */
interface Clocks {
	readonly wall: number;
	/** Time for which this thread has had a core. */
	readonly thread: number;
}

/** Above this the time of the thread counts: that has steps of a few milliseconds, but does not grow while others have the core. */
const LONG = 250;

function readClocks(): Clocks {
	const { user, system } = process.threadCpuUsage();
	return { wall: performance.now(), thread: (user + system) / 1000 };
}

function elapsed(since: Clocks): number {
	const now = readClocks();
	const wall = now.wall - since.wall;
	return wall > LONG ? now.thread - since.thread : wall;
}

function measure(
	variants: readonly Variant[],
	milliseconds: number,
): { readonly milliseconds: MeteringResult["milliseconds"]; readonly rounds: number } {
	const shortest = variants.map(() => Infinity);
	let rounds = 0;
	const turns = (until: number, least: number): void => {
		const started = performance.now();
		for (let round = 0; round < least || performance.now() - started < until; round++) {
			// Now in one order, now in the other: none always follows the same one
			const order = [...variants.keys()];
			for (const i of round % 2 === 0 ? order : order.toReversed()) {
				const took = variants[i]?.run() ?? Infinity;
				shortest[i] = Math.min(shortest[i] ?? Infinity, took);
			}
			rounds++;
		}
	};
	turns((variants.length * milliseconds) / 2, 2);
	shortest.fill(Infinity);
	rounds = 0;
	turns(variants.length * milliseconds, 8);
	const times = Object.fromEntries(variants.map(({ name }, i) => [name, shortest[i]]));
	return { milliseconds: times as MeteringResult["milliseconds"], rounds };
}

/** The same program on Wasmtime, in a process of its own that does the same. */
async function runWasmtime(python: string, file: string, milliseconds: number): Promise<MeteringResult["wasmtime"]> {
	const script = fileURLToPath(new URL("metering-wasmtime.py", import.meta.url));
	const child = spawn(python, [script, file, `${milliseconds}`], { stdio: ["ignore", "pipe", "inherit"] });
	let text = "";
	child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
	const status = await new Promise((resolve) => child.once("close", resolve));
	if (status !== 0) throw new Error(`wasmtime: status ${String(status)}`);
	return JSON.parse(text.trim().split("\n").at(-1) ?? "null") as MeteringResult["wasmtime"];
}

/** Where a Python with Wasmtime is: what the environment says, or nothing. */
export function findPython(): string | undefined {
	const named = process.env["SKERRY_BENCH_PYTHON"];
	return named !== undefined && existsSync(named) ? named : undefined;
}
