/**
 * One program with each kind of metering, in turns, in a process of its own: `node metering-child.ts FILE MILLISECONDS PROBE BEST FIRST`, the
 * probe in hexadecimal, its quickest reading so far, and the number of the variant that is compiled and run first. Writes a `MeteringPass` as JSON.
 */
import { openSync, readFileSync } from "node:fs";
import { devNull } from "node:os";
import path from "node:path";
import { WASI } from "node:wasi";
import { CoreMemories, interruptFlag, openProcessorTime, webAssembly, type WasmExtern } from "../src/engine/mod.ts";
import { FUEL_CELL, meterBinary } from "../src/rewrite/mod.ts";
import { type MeteringPass, type MeteringVariant, VARIANTS } from "./metering-report.ts";
import { OwnCore } from "./own-core.ts";
import { takeTurns } from "./turns.ts";

interface Variant {
	readonly name: MeteringVariant;
	readonly bytes: number;
	/** Runs the program once: milliseconds between its own calls of `bench.start` and `bench.end`. */
	readonly run: () => number;
}

/** Of each variant, before it is seen whether V8's optimising compiler is done. */
const WARM_UP = 100;
/** Turns of programs so long that these are more than that: what they run is optimised in the first. */
const LEAST_WARM_UP = 1;
/** Of runs of half a second, one in some is disturbed in its midst. */
const LEAST = 2;
/** Longer in all, on a machine whose cores are seldom its own. */
const PATIENCE = 12_000;
const PAUSE = 2;
/** Milliseconds in which nothing is compiled any more. */
const SETTLE = 8;

const [file = "", milliseconds = "", probe = "", best = "", first = ""] = process.argv.slice(2);
const output = openSync(devNull, "w");
/** What others are given of a core meanwhile does not count. */
const clock = openProcessorTime() ?? performance;

/** What a module that is metered and not lifted exports of the engine's: nothing, for the flag is never raised. */
const NOTHING = {
	exports: { pages: [], writesData: false, tableElements: 0 },
	initial: { data: [], globals: [] },
} as const;

/** A run is one of a WASI 0.1 command in a new instance. V8's optimised code belongs to the module and stays. */
function prepare(name: MeteringVariant): Variant {
	const original = new Uint8Array(readFileSync(file));
	const metered = name === "off" || name === "again" ? undefined : meterBinary(original, name, interruptFlag().check);
	const bytes = name === "again" ? setApart(original) : (metered?.bytes ?? original);
	const module = new (webAssembly().Module)(bytes);
	const run = (): number => {
		const engine: Record<string, Record<string, WasmExtern>> = {};
		if (metered !== undefined) new CoreMemories().prepare(module, { ...NOTHING, imports: metered.imports }, engine);
		if (name === "fuel") new DataView(interruptFlag().memory.buffer).setBigInt64(FUEL_CELL, 1n << 62n, true);
		const wasi = new WASI({
			version: "preview1",
			args: [path.basename(file)],
			preopens: { ".": path.dirname(file) },
			stdout: output,
			stderr: output,
		});
		let took = 0;
		let started = 0;
		const bench = {
			start: () => void (started = clock.now()),
			end: () => void (took += clock.now() - started),
		};
		const imports = { ...(wasi.getImportObject() as Record<string, Record<string, WasmExtern>>), bench, ...engine };
		const instance = new (webAssembly().Instance)(module, imports);
		const status = wasi.start(instance);
		if (status !== 0) throw new Error(`it ended with status ${status}`);
		return took;
	};
	return { name, bytes: bytes.length, run };
}

/** The same module with an empty custom section more: V8 compiles the same bytes once, and these anew. */
function setApart(bytes: Uint8Array): Uint8Array {
	const name = Buffer.from("again");
	return Buffer.concat([bytes, Uint8Array.of(0, name.length + 1, name.length), name]);
}

const variants = [...VARIANTS.slice(Number(first)), ...VARIANTS.slice(0, Number(first))].map(prepare);
const core = OwnCore.create(Buffer.from(probe, "hex"), () => performance.now(), Number(best));
const asleep = new Int32Array(new SharedArrayBuffer(4));

/** V8's other threads compile what is run: on a core that they share with it only while it waits. */
function settle(): boolean {
	for (let waited = 0; ; waited++) {
		const before = process.cpuUsage();
		Atomics.wait(asleep, 0, 0, SETTLE);
		const { user, system } = process.cpuUsage(before);
		if (user + system < (SETTLE * 1000) / 4) return waited === 0;
	}
}

const { shortest, undisturbed, rounds } = takeTurns(
	variants.map(({ run }) => run),
	{
		warmUp: WARM_UP,
		milliseconds: Number(milliseconds),
		leastWarmUp: LEAST_WARM_UP,
		least: LEAST,
		patience: PATIENCE,
		now: () => performance.now(),
		alone: () => core.isAlone(),
		pause: () => void Atomics.wait(asleep, 0, 0, PAUSE),
		settled: settle,
	},
);
const pass: MeteringPass = {
	milliseconds: Object.fromEntries(variants.map(({ name }, i) => [name, shortest[i]])) as MeteringPass["milliseconds"],
	bytes: Object.fromEntries(variants.map(({ name, bytes }) => [name, bytes])) as MeteringPass["bytes"],
	rounds,
	undisturbed: Math.min(...undisturbed),
	best: core.best,
};
process.stdout.write(JSON.stringify(pass));
// V8 may still be compiling in the background.
process.exit(0);
