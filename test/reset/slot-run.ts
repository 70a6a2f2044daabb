/** Programs of WASI 0.1 in one slot: what a run is, so that it can be compared with another. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { CompileCache, PageMapper } from "../../src/engine/mod.ts";
import { type Linked, linkCoreModule, loadCoreModule } from "../../src/link/mod.ts";
import { SandboxPool } from "../../src/pool/mod.ts";
import { CollectingSink, createSeededRandom, type MonotonicClock, openHostFolder } from "../../src/sys/mod.ts";
import { GuestExit, WASI_P1, type WasiOptions } from "../../src/wasi/mod.ts";

/** All that can be seen of a run. */
export interface SlotRun {
	readonly status: number;
	readonly stdout: string;
	readonly stderr: string;
	/** The hash of each memory at the end, before it is put back. */
	readonly memories: readonly string[];
	readonly globals: readonly unknown[];
	/** Instructions. */
	readonly fuel: number;
	readonly hostCalls: number;
}

const OVER = new Error("the run is over");
const MOST_OUTPUT = 16 * 1024 * 1024;
/** They run as long as they want to. */
const LIMITS = { wall: 600_000, cpu: 600_000, memory: 1024 * 1024 * 1024 };

/** A Sightglass program, which counts its instructions. */
export async function linkProgram(file: string, cache: CompileCache): Promise<Linked> {
	const bench = { module: "bench", functions: { start: { call: () => undefined }, end: { call: () => undefined } } };
	return await linkCoreModule(loadCoreModule(readFileSync(file)), [bench, WASI_P1], cache, { metering: "fuel" });
}

export class ProgramSlot {
	readonly pool: SandboxPool;
	#stdout = new CollectingSink(MOST_OUTPUT);
	#stderr = new CollectingSink(MOST_OUTPUT);

	/** @param warm 0: a new instance for each run */
	constructor(linked: Linked, file: string, warm: number, mapper: PageMapper | undefined) {
		const wasi = (): WasiOptions => ({
			args: [path.basename(file)],
			stdout: (this.#stdout = new CollectingSink(MOST_OUTPUT)),
			stderr: (this.#stderr = new CollectingSink(MOST_OUTPUT)),
			folders: [{ guest: ".", open: () => openHostFolder(path.dirname(file), { readOnly: true }) }],
			monotonicClock: createCountingClock(),
			wallClock: {
				now: () => ({ seconds: 1_700_000_000n, nanoseconds: 0 }),
				resolution: () => ({ seconds: 0n, nanoseconds: 1 }),
			},
			random: createSeededRandom([1n, 2n]),
		});
		this.pool = new SandboxPool(linked, { wasi, warm, mapper, limits: LIMITS });
	}

	async run(): Promise<SlotRun> {
		const sandbox = await this.pool.acquire();
		let status = 0;
		try {
			await sandbox.call(["_start"], []);
		} catch (error) {
			if (!(error instanceof GuestExit)) throw error;
			({ status } = error);
		}
		const { fuel, hostCalls } = sandbox.usage;
		const state = sandbox.snapshot();
		const memories = state.flatMap((core) =>
			core.memories.map((bytes) => createHash("sha1").update(bytes).digest("hex")),
		);
		const globals = state.flatMap((core) => core.globals);
		sandbox.end(OVER);
		// A guest that has exited is put back in the turn after.
		await new Promise((resolve) => setImmediate(resolve));
		return { status, stdout: this.#stdout.text(), stderr: this.#stderr.text(), memories, globals, fuel, hostCalls };
	}
}

/** A microsecond each time that it is looked at: programs that say how long they took say the same every time. */
function createCountingClock(): MonotonicClock {
	let now = 0n;
	return {
		now: () => (now += 1000n),
		resolution: () => 1n,
		at(_when, wake) {
			const timer = setImmediate(wake);
			return () => clearImmediate(timer);
		},
	};
}
