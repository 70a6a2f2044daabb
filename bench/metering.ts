import { spawn } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { commit } from "./commit.ts";
import { describeMachine } from "./machine.ts";
import type { MeteringPass } from "./metering-child.ts";
import type { MeteringReport, MeteringResult } from "./metering-report.ts";
import { join, VARIANTS } from "./metering-report.ts";

export interface MeteringOptions {
	/** Milliseconds that each variant of each program is measured for, in all passes. */
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

const CHILD = fileURLToPath(new URL("metering-child.ts", import.meta.url));
const WASMTIME = fileURLToPath(new URL("metering-wasmtime.py", import.meta.url));
const SIGHTGLASS = fileURLToPath(new URL("../../shared/suites/sightglass", import.meta.url));

/** Nothing is done in it, or it is all optimised away. */
const EMPTY = new Set(["noop", "shootout-nestedloop"]);

/**
 * How often it is gone through all programs, each time with a new process for each: what keeps the machine busy for seconds hits one
 * pass of a program then, and what V8 chose to inline, and where it put it, is chosen anew.
 */
const PASSES = 3;

/** Real programs with each kind of metering, in turns. The figure of each is the shortest of many rounds: whatever else runs on the machine can only add to one. */
export async function benchMetering(options: MeteringOptions): Promise<MeteringReport> {
	const { milliseconds, command, only, python, onProgress } = options;
	const machine = describeMachine();
	const results = new Map<string, MeteringResult>();
	const failed = new Map<string, string>();
	for (let pass = 1; pass <= PASSES; pass++) {
		for (const { program, file } of listSightglass(only)) {
			if (failed.has(program)) continue;
			try {
				const budget = Math.ceil(milliseconds / PASSES);
				const found = (await runChild(process.execPath, ["--no-warnings", CHILD, file, `${budget}`])) as MeteringPass;
				const wasmtime =
					python === undefined
						? null
						: ((await runChild(python, [WASMTIME, file, `${budget}`])) as MeteringResult["wasmtime"]);
				results.set(program, join(results.get(program), { program, ...found, wasmtime }));
				const times = VARIANTS.map((name) => `${name} ${found.milliseconds[name].toFixed(2)} ms`).join(", ");
				onProgress(`${pass} of ${PASSES} ${program}: ${times}`);
			} catch (error) {
				results.delete(program);
				failed.set(program, (error as Error).message);
			}
		}
	}
	return {
		schema: "skerry-bench-metering/1",
		date: new Date().toISOString(),
		command,
		commit: commit(),
		machine,
		milliseconds,
		results: [...results.values()],
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
async function runChild(command: string, args: readonly string[]): Promise<unknown> {
	const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
	let text = "";
	child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
	const status = await new Promise((resolve, reject) => child.once("close", resolve).once("error", reject));
	if (status !== 0)
		throw new Error(`${path.basename(args.find((arg) => !arg.startsWith("-")) ?? command)}: status ${String(status)}`);
	return JSON.parse(text.trim().split("\n").at(-1) ?? "null");
}

/** Where a Python with Wasmtime is: what the environment says, or nothing. */
export function findPython(): string | undefined {
	const named = process.env["SKERRY_BENCH_PYTHON"];
	return named !== undefined && existsSync(named) ? named : undefined;
}
