import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { HostImports } from "../../src/link/mod.ts";
import type { PooledSandbox, SandboxPool } from "../../src/pool/mod.ts";
import type { Dice } from "./dice.ts";

interface Call {
	readonly name: string;
	readonly args: readonly unknown[];
}

/** What is done with one sandbox, from its start to its end. */
export interface Program {
	readonly calls: readonly Call[];
	/**
	 * `over`: ends after the last call. `killed`: ends while the last call waits for the host, for ever.
	 * `abandoned`: ends in the turn in which the last call was made.
	 */
	readonly end: "over" | "killed" | "abandoned";
}

/** @param pauses whether the guest may give up the thread in the midst of a turn, so that it matters how long that lasts */
export function createProgram(dice: Dice, functions: readonly string[], pauses = false): Program {
	const calls = dice.times(1 + dice.below(5), (): Call => {
		if (dice.oneIn(6)) return { name: "text", args: ["some text ".repeat(dice.below(6))] };
		return { name: dice.pick(functions), args: [dice.bits(), dice.oneIn(2) ? dice.below(12) : dice.bits()] };
	});
	return { calls, end: dice.pick(["over", "over", "over", "killed", pauses ? "killed" : "abandoned"]) };
}

/** All that can be seen of a run. */
export interface ProgramOutcome {
	/** The value or the error of each call. */
	readonly results: readonly string[];
	/** The host's functions as they were called, with their arguments. */
	readonly log: readonly string[];
	/** Of each core instance: the hash of each memory, and its globals. */
	readonly state: readonly { readonly memories: readonly string[]; readonly globals: readonly unknown[] }[];
	/** Instructions, where they are counted. */
	readonly fuel: number;
	readonly hostCalls: number;
}

/** The host of the random guests: answers are made of the arguments alone. */
export class ProgramHost {
	log: string[] = [];
	/** Waits never end. */
	stalling = false;
	#waiting: (() => void)[] = [];

	/** Guests that wait for what does not come. */
	get stalled(): number {
		return this.#waiting.length;
	}

	readonly imports: HostImports;

	constructor() {
		const answer = (x: number): number => (Math.imul(x, 2_654_435_761) ^ 0x5bd1e995) >>> 0;
		this.imports = {
			interfaces: [
				{
					name: "host",
					functions: {
						sync: (_: unknown, x: number) => {
							this.log.push(`sync ${x}`);
							return answer(x);
						},
						wait: (_: unknown, x: number) => {
							this.log.push(`wait ${x}`);
							if (this.stalling) return new Promise((resolve) => this.#waiting.push(() => resolve(answer(x))));
							return x % 2 === 0 ? Promise.resolve(answer(x)) : turn(answer(x));
						},
						make: (_: unknown, x: number) => {
							this.log.push(`make ${x}`);
							return { x };
						},
						peek: (_: unknown, it: { x: number }) => {
							this.log.push(`peek ${it.x}`);
							return answer(it.x);
						},
						boom: (_: unknown, x: number) => {
							this.log.push(`boom ${x}`);
							throw new Error(`the host refuses ${x}`);
						},
					},
					resources: { thing: { drop: (_: unknown, it: { x: number }) => void this.log.push(`drop ${it.x}`) } },
				},
			],
		};
	}

	/** Lets those go on that a stalling host left waiting, in one of the next turns. */
	settleLate(): void {
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const settle of waiting) setImmediate(settle);
	}
}

export async function runProgram(pool: SandboxPool, host: ProgramHost, program: Program): Promise<ProgramOutcome> {
	host.log = [];
	host.stalling = false;
	const results: string[] = [];
	let sandbox: PooledSandbox;
	try {
		sandbox = await pool.acquire();
	} catch (error) {
		// A start function that trapped, or memories beyond the limit.
		return { results: [`start ${(error as Error).message}`], log: host.log, state: [], fuel: 0, hostCalls: 0 };
	}
	for (const [i, { name, args }] of program.calls.entries()) {
		const last = i === program.calls.length - 1;
		const over: string[] = [];
		// Before the call: a guest that gives way first reaches its host later, and must find the same one
		host.stalling = last && program.end !== "over";
		const { stalled } = host;
		const call = sandbox
			.call([name], args)
			.then(
				(value) => `value ${String(value)}`,
				(error: unknown) => `error ${(error as Error).message}`,
			)
			.then((result) => {
				over.push(result);
				return result;
			});
		if (host.stalling) {
			if (program.end === "killed") while (over.length === 0 && host.stalled === stalled) await turn();
			const seen = finish(sandbox, host);
			results.push(await call);
			// The guest's stack is gone, and the instance put back, in the turn after the next.
			await turn();
			await turn();
			return { results, ...seen };
		}
		results.push(await call);
	}
	return { results, ...finish(sandbox, host) };
}

function finish(sandbox: PooledSandbox, host: ProgramHost): Omit<ProgramOutcome, "results"> {
	const { fuel, hostCalls } = sandbox.usage;
	const state = sandbox.snapshot().map(({ memories, globals }) => ({
		memories: memories.map((bytes) => createHash("sha1").update(bytes).digest("hex")),
		globals,
	}));
	sandbox.end(new Error("the program is over"));
	return { state, log: [...host.log], fuel, hostCalls };
}
