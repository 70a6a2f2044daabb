/** The property of resets for asynchronous components: what tasks, streams and handles leave behind, whenever they are ended, is nothing. */
import assert from "node:assert/strict";
import { CompileCache } from "../../src/engine/mod.ts";
import { type Linked, linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool } from "../../src/pool/mod.ts";
import { assembleAsyncGuest } from "./async-guest.ts";
import {
	AsyncHost,
	type AsyncOutcome,
	type AsyncProgram,
	createAsyncProgram,
	createAsyncCut,
	runAsyncProgram,
} from "./async-program.ts";
import { Dice } from "./dice.ts";
import type { ResetStrategy } from "./reset-check.ts";

const OVER = new Error("the test is over");
/**
 * A guest that has had its slice of the thread gives it to the event loop, where time decides, and what the host brings comes to it at
 * another place: such a run is compared with none. So many times in a row is no chance any more.
 */
const TRIES = 40;
const METERINGS = ["off", "trap", "fuel"] as const;

/** The guest, linked to one host for each way of metering. */
export class AsyncResets {
	readonly host: AsyncHost = new AsyncHost();
	readonly #linked: readonly Linked[];

	private constructor(host: AsyncHost, linked: readonly Linked[]) {
		this.host = host;
		this.#linked = linked;
	}

	static async create(): Promise<AsyncResets> {
		const host = new AsyncHost();
		const loaded = loadComponent(await assembleAsyncGuest());
		const cache = new CompileCache();
		const features = { asyncCancel: true };
		const linked: Linked[] = [];
		for (const metering of METERINGS) {
			linked.push(await linkComponent(loaded, host.imports, cache, { metering, features }));
		}
		return new AsyncResets(host, linked);
	}

	/** Of so many programs each twice in a slot, with another in between that is ended at any time, and once in an instance of its own. */
	async check(seed: number, programs: number, strategy: ResetStrategy): Promise<AsyncTotals> {
		const { host } = this;
		const dice = new Dice(seed);
		const linked = dice.pick(this.#linked);
		const limits = dice.oneIn(4) ? { handles: 3 + dice.below(8), hostCalls: 5 + dice.below(20) } : {};
		const made = dice.times(programs, () => createAsyncProgram(dice));
		const options = { wasi: () => ({}), limits };
		const pool = new SandboxPool(linked, { ...options, warm: strategy.warm, mapper: strategy.mapper });
		const fresh = new SandboxPool(linked, { ...options, warm: 0 });
		let [values, held, paused, lateReads] = [0, 0, 0, 0];
		const run = async (from: SandboxPool, program: AsyncProgram): Promise<AsyncOutcome> => {
			for (let tries = 1; ; tries++) {
				const { pauses, ...outcome } = await runAsyncProgram(from, host, program);
				if (pauses === 0) return outcome;
				if (tries === TRIES) throw new Error(`it gave way in each of ${TRIES} runs`);
				paused++;
			}
		};
		try {
			for (const [i, program] of made.entries()) {
				const due = await run(fresh, program);
				assert.deepEqual(await run(pool, program), due);
				const { calls } = made[(i + 1) % made.length] as AsyncProgram;
				held += (await runAsyncProgram(pool, host, { calls, cut: createAsyncCut(dice) })).handles;
				const late = host.readLate();
				assert.deepEqual(await run(pool, program), due);
				const read = await late;
				assert.ok(
					read.every((elements) => elements === 0),
					`${read.join(" ")} elements of another's stream`,
				);
				lateReads += read.length;
				assert.deepEqual(pool.usage(), { sandboxes: 0, handles: 0 });
				values += due.results.filter((result) => result.startsWith("value")).length;
			}
			return { programs, values, held, paused, lateReads, ...pool.counts };
		} catch (error) {
			throw new Error(`${strategy.name}, seed ${seed}`, { cause: error });
		} finally {
			pool.close(OVER);
			fresh.close(OVER);
		}
	}
}

export interface AsyncTotals {
	readonly programs: number;
	/** Calls that returned. */
	readonly values: number;
	/** Handles that those in between held when they were ended. */
	readonly held: number;
	/** Runs that gave way, and were made again. */
	readonly paused: number;
	/** Streams of sandboxes that had ended, which were read while another call ran in the same place. */
	readonly lateReads: number;
	readonly reset: number;
	readonly discarded: number;
}
