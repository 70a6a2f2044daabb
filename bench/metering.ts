import { spawn } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { commit } from "./commit.ts";
import { describeMachine } from "./machine.ts";
import { type MeteringPass, type MeteringReport, VARIANTS, type WasmtimePass } from "./metering-report.ts";
import { MeteringStore, MOST } from "./metering-store.ts";
import { assembleProbe } from "./own-core.ts";

export interface MeteringOptions {
	/** Milliseconds that each variant of each program is measured for, in all processes. */
	readonly milliseconds: number;
	/** How many of a program are to count. */
	readonly processes: number;
	/** Parts of the names of the programs that are run, with commas between them; all without. */
	readonly only: string | undefined;
	/** A Python that has the package `wasmtime`; without, it is left out. */
	readonly python: string | undefined;
	/** Keeps what each process has found, and is gone on with when it is there. */
	readonly into: string | undefined;
	/** Ends it early, with what there is. */
	readonly signal: AbortSignal;
	/** What was typed, for the report. */
	readonly command: string;
	/** Told what is going on. */
	readonly onProgress: (line: string) => void;
}

const CHILD = fileURLToPath(new URL("metering-child.ts", import.meta.url));
const WASMTIME = fileURLToPath(new URL("metering-wasmtime.py", import.meta.url));
const SIGHTGLASS = fileURLToPath(new URL("../../shared/suites/sightglass", import.meta.url));

/** Nothing is done in it, or it is all optimised away. */
const EMPTY = new Set(["noop", "shootout-nestedloop"]);

/** Processes of a program for each that is wanted, at most: the others were disturbed. */
const ATTEMPTS = 2;

/**
 * Real programs with each kind of metering, in turns, in several processes one after the other: what V8 chose to inline, and where its code and
 * data came to lie, is chosen anew in each, and what keeps the machine busy for seconds hits one of a program's processes.
 */
export async function benchMetering(options: MeteringOptions): Promise<MeteringReport> {
	const { milliseconds, processes, command, only, python, into, signal, onProgress } = options;
	const machine = describeMachine();
	const store = new MeteringStore(into, { commit: commit(), milliseconds, cpu: machine.cpu });
	const programs = listSightglass(only);
	const failed = new Map<string, string>();
	const probe = Buffer.from(await assembleProbe()).toString("hex");
	for (let pass = 1; pass <= ATTEMPTS * MOST * processes && !signal.aborted; pass++) {
		for (const { program, file } of programs) {
			if (failed.has(program) || signal.aborted) continue;
			const tried = store.tried(program);
			if (tried >= pass || store.hasEnough(program, processes)) continue;
			try {
				const budget = Math.ceil(milliseconds / processes);
				const args = ["--no-warnings", CHILD, file, `${budget}`, probe, `${store.best}`, `${tried % VARIANTS.length}`];
				const found = (await runChild(process.execPath, args, signal)) as MeteringPass;
				const wasmtime =
					python === undefined
						? null
						: ((await runChild(python, [WASMTIME, file, `${budget}`], signal)) as WasmtimePass);
				store.add({ program, ...found, wasmtime });
				const times = VARIANTS.map((name) => `${name} ${found.milliseconds[name].toFixed(2)} ms`).join(", ");
				onProgress(`${pass} ${program}: ${times}${found.undisturbed > 0 ? "" : " (disturbed)"}`);
			} catch (error) {
				if (!signal.aborted) failed.set(program, (error as Error).message);
			}
		}
	}
	return {
		schema: "skerry-bench-metering/2",
		date: new Date().toISOString(),
		command,
		commit: commit(),
		machine,
		milliseconds,
		results: programs.flatMap(({ program }) => (failed.has(program) ? [] : store.results(program))),
		failed: [...failed].map(([program, reason]) => ({ program, reason })),
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

/** The last line that a program writes, which is JSON. Its errors go where this process's go. */
async function runChild(command: string, args: readonly string[], signal: AbortSignal): Promise<unknown> {
	const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], signal });
	let text = "";
	child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
	const status = await new Promise((resolve, reject) => child.once("close", resolve).once("error", reject));
	// Whoever ends this process may end its group, and the child's end be heard of first
	if (status === null) await setTimeout(100);
	if (status !== 0)
		throw new Error(`${path.basename(args.find((arg) => !arg.startsWith("-")) ?? command)}: status ${String(status)}`);
	return JSON.parse(text.trim().split("\n").at(-1) ?? "null");
}

/** Where a Python with Wasmtime is: what the environment says, or nothing. */
export function findPython(): string | undefined {
	const named = process.env["SKERRY_BENCH_PYTHON"];
	return named !== undefined && existsSync(named) ? named : undefined;
}
