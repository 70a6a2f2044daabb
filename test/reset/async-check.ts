/** The property of resets for asynchronous components: what tasks, streams and handles leave behind, whenever they are ended, is nothing. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { CompileCache } from "../../src/engine/mod.ts";
import { type Linked, linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool } from "../../src/pool/mod.ts";
import { assembleAsyncGuest } from "./async-guest.ts";
import { AsyncHost, type AsyncOutcome, createAsyncProgram, createCut, runAsyncProgram } from "./async-program.ts";
import { Dice } from "./dice.ts";
import type { ResetStrategy } from "./reset-check.ts";

const OVER = new Error("the test is over");
/**
 * What the host brings and what a guest does race for a turn of the microtask queue: now and then V8 takes one more on a stack's first
 * suspensions, and another order is right, too. What is left of an earlier use would come up in none of so many runs in new instances.
 */
const ORDERS = 40;
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
		let [values, held, unsettled] = [0, 0, 0];
		try {
			for (const [i, program] of made.entries()) {
				const due = [await runAsyncProgram(fresh, host, program)];
				const compare = async (): Promise<void> => {
					const found = await runAsyncProgram(pool, host, program);
					while (due.length < ORDERS && !due.some((one) => isDeepStrictEqual(found, one))) {
						due.push(await runAsyncProgram(fresh, host, program));
					}
					if (!due.some((one) => isDeepStrictEqual(found, one))) assert.deepEqual(found, due[0]);
				};
				await compare();
				const { calls } = made[(i + 1) % made.length] as (typeof made)[number];
				held += (await runAsyncProgram(pool, host, { calls, cut: createCut(dice) })).handles;
				await compare();
				if (due.length > 1) unsettled++;
				assert.deepEqual(pool.usage(), { sandboxes: 0, handles: 0 });
				values += (due[0] as AsyncOutcome).results.filter((result) => result.startsWith("value")).length;
			}
			return { programs, values, held, unsettled, ...pool.counts };
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
	/** Programs that had to be run more than once to find what the slot came to. */
	readonly unsettled: number;
	readonly reset: number;
	readonly discarded: number;
}
