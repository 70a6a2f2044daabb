/** Random programs of tasks for `async-guest`, and a host that answers by their arguments alone. */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { HostStream } from "../../src/abi/mod.ts";
import type { HostImports } from "../../src/link/mod.ts";
import type { SandboxPool } from "../../src/pool/mod.ts";
import { CONTROL, OPERATIONS, type Slot } from "./async-guest.ts";
import { createCut, type Cut, reach } from "./cut.ts";
import type { Dice } from "./dice.ts";

/** What is done with one sandbox, from its start to its end. */
export interface AsyncProgram {
	/** Calls at the same time; each is of one of the two instances. */
	readonly calls: readonly { readonly name: "run" | "second"; readonly program: Uint8Array }[];
	/** How it is ended before its time; `undefined`: once nothing goes on any more. */
	readonly cut?: AsyncCut;
}

interface AsyncCut extends Cut {
	/** After this many turns the signals of its calls are aborted. */
	readonly cancelledAfter: number | undefined;
}

export function createAsyncCut(dice: Dice): AsyncCut {
	return { ...createCut(dice), cancelledAfter: dice.oneIn(2) ? dice.below(4) : undefined };
}

export function createAsyncProgram(dice: Dice): AsyncProgram {
	const calls = dice.times(1 + dice.below(3), () => ({
		name: dice.oneIn(4) ? ("second" as const) : ("run" as const),
		program: Uint8Array.from(createOperations(dice, 3 + dice.below(20), 2)),
	}));
	return { calls };
}

/** Whether the host's async functions return at once. */
function isImmediate(n: number): boolean {
	return n % 5 === 0;
}

const WEIGHTED = OPERATIONS.flatMap((operation, code) => Array.from({ length: operation.weight }, () => code));

/** Most operations find in their slots what they need; some do not, and trap. */
function createOperations(dice: Dice, count: number, depth: number): number[] {
	const slots = Array.from({ length: 16 }, () => "none");
	const bytes: number[] = [];
	let pressure = 0;
	const find = (wanted: Slot): number | undefined => {
		const found = [...slots.keys()].filter((i) => slots[i] === wanted);
		return found.length === 0 ? undefined : dice.pick(found);
	};
	for (let i = 0; i < count; i++) {
		const control = dice.below(12);
		if (control === 0 && depth > 0) {
			const slot = find("none") ?? 0;
			const inner = createOperations(dice, dice.below(8), depth - 1);
			bytes.push(CONTROL.call, slot, 0, inner.length / 4, ...inner);
			slots[slot] = "subtask";
			continue;
		}
		if (control === 1) {
			const set = find("set");
			if (dice.oneIn(3)) bytes.push(CONTROL.return, 0, 0, 0);
			else if (set !== undefined && dice.oneIn(2)) bytes.push(CONTROL.wait, set, 0, 0);
			else bytes.push(dice.oneIn(20) ? CONTROL.trap : CONTROL.yield, 0, 0, 0);
			continue;
		}
		const code = dice.pick(WEIGHTED);
		const { name, takes, leaves } = OPERATIONS[code] as (typeof OPERATIONS)[number];
		const operands = [0, 0];
		const n = dice.below(256);
		let fits = name !== "relief" || pressure > 0;
		const before = [...slots];
		for (const [k, wanted] of takes.entries()) {
			const slot = find(wanted);
			fits &&= slot !== undefined;
			operands[k] = slot ?? dice.below(16);
			// Not the same for another operand.
			if (slot !== undefined) slots[slot] = leaves[k] as Slot;
		}
		if (!fits && !dice.oneIn(60)) {
			slots.splice(0, slots.length, ...before);
			continue;
		}
		bytes.push(code, ...operands, n);
		if (name === "pressure") pressure++;
		else if (name === "relief") pressure--;
		// It has returned at once, without a subtask.
		else if (name === "later" && isImmediate(n)) slots[operands[0] as number] = "none";
	}
	// A call says in one byte how long its program is.
	return bytes.slice(0, 4 * 255);
}

/** All that can be seen of a run. */
export interface AsyncOutcome {
	readonly results: readonly string[];
	readonly log: readonly string[];
	readonly state: readonly unknown[];
	readonly handles: number;
	readonly fuel: number;
	readonly hostCalls: number;
}

export class AsyncHost {
	log: string[] = [];
	/** Things and streams of the host's that guests have. */
	open = 0;
	/** Streams of guests that it does not read as long as these live. */
	#kept: HostStream[] = [];
	/** What `give` gives. */
	source: (n: number) => unknown = (n) => this.#source(n);
	readonly imports: HostImports;

	constructor() {
		const answer = (n: number): number => Math.imul(n + 1, 2_654_435_761) >>> 0;
		/** At once, in this turn, in one of the next, or never. */
		const later = async (n: number): Promise<number> => {
			if (n % 8 === 7) return await new Promise(() => {});
			for (let i = 0; i < n % 4; i++) await turn();
			return answer(n);
		};
		const async = (name: string, n: number): unknown => {
			this.log.push(`${name} ${n}`);
			if (isImmediate(n)) return answer(n);
			return Object.assign(later(n), { cancel: () => void this.log.push(`cancel ${name} ${n}`) });
		};
		this.imports = {
			interfaces: [
				{
					name: "host",
					functions: {
						callee: (_: unknown, program: Uint8Array) => async("callee", program.length),
						later: (_: unknown, n: number) => async("later", n),
						pause: (_: unknown, n: number) => {
							this.log.push(`pause ${n}`);
							return isImmediate(n) ? answer(n) : later(n);
						},
						take: (_: unknown, stream: HostStream, n: number) => {
							this.log.push(`take ${n}`);
							void this.#read(stream, n);
						},
						give: (_: unknown, n: number) => {
							this.log.push(`give ${n}`);
							return this.source(n);
						},
						make: (_: unknown, n: number) => {
							this.open++;
							return { n };
						},
						log: (_: unknown, n: number) => void this.log.push(`log ${n}`),
					},
					resources: {
						thing: {
							drop: (_: unknown, { n }: { n: number }) => {
								this.open--;
								this.log.push(`drop ${n}`);
							},
						},
					},
				},
			],
		};
	}

	/** Reads some, and then no more: cancels it, reads to the end, or leaves it as it is. */
	async #read(stream: HostStream, n: number): Promise<void> {
		const { log } = this;
		try {
			for (let i = 0; i < n % 4; i++) {
				const chunk = await stream.read(1 + (n % 16));
				log.push(`read ${chunk === undefined ? "nothing" : Array.from(chunk).join(" ")}`);
				if (chunk === undefined) return;
			}
			if (n % 3 === 0) stream.cancel();
			else if (n % 3 === 1) while ((await stream.read()) !== undefined) log.push("read on");
			else this.#kept.push(stream);
		} catch (error) {
			log.push(`unread ${(error as Error).message}`);
		}
	}

	/** Reads on in the streams of guests that have ended: how many elements there are, of each. */
	readLate(): Promise<readonly number[]> {
		const kept = this.#kept;
		this.#kept = [];
		return Promise.all(
			kept.map((stream) =>
				stream.read().then(
					(chunk) => chunk?.length ?? 0,
					() => 0,
				),
			),
		);
	}

	/** Ends after some chunks, or hangs. */
	#source(n: number): AsyncIterable<Uint8Array> {
		this.open++;
		let open = true;
		const end = (): IteratorResult<Uint8Array> => {
			if (open) this.open--;
			open = false;
			return { done: true, value: undefined };
		};
		let i = 0;
		const next = async (): Promise<IteratorResult<Uint8Array>> => {
			if (n % 2 === 0) await turn();
			if (i++ < n % 6) return { done: false, value: new Uint8Array(1 + (n % 40)).fill(i) };
			return n % 7 === 0 ? await new Promise(() => {}) : end();
		};
		return { [Symbol.asyncIterator]: () => ({ next, return: async () => end() }) };
	}
}

const OVER = new Error("the program is over");
/** Where nothing has happened for so many turns, whatever waits waits for what does not come. */
const STILL = 6;

export async function runAsyncProgram(
	pool: SandboxPool,
	host: AsyncHost,
	program: AsyncProgram,
): Promise<AsyncOutcome & { readonly pauses: number }> {
	const log: string[] = (host.log = []);
	const sandbox = await pool.acquire();
	const { cut } = program;
	const controller = new AbortController();
	const signal = cut?.cancelledAfter === undefined ? undefined : controller.signal;
	let open = program.calls.length;
	const results = program.calls.map(async ({ name, program: bytes }) => {
		try {
			return `value ${String(await sandbox.call([name], [bytes], signal))}`;
		} catch (error) {
			return `error ${(error as Error).message}`;
		} finally {
			open--;
		}
	});
	if (cut === undefined) {
		const progress = (): number => sandbox.usage.hostCalls + log.length - open;
		for (let still = 0, last = progress(); still < STILL; still = progress() === last ? still + 1 : 0) {
			last = progress();
			await turn();
		}
	} else {
		await reach(cut, (i) => {
			if (i === cut.cancelledAfter) controller.abort(new Error("not wanted any more"));
		});
	}
	const { fuel, hostCalls, pauses } = sandbox.usage;
	const state = sandbox.snapshot().map(({ memories, globals }) => ({
		memories: memories.map((bytes) => createHash("sha1").update(bytes).digest("hex")),
		globals,
	}));
	const { handles } = sandbox;
	sandbox.end(OVER);
	const seen = { log, state, handles, fuel, hostCalls, pauses };
	// Half of the time the next one comes at once, not when all of this one has ended.
	if (cut !== undefined && cut.hops % 2 === 1) return { results: [], ...seen };
	const settled = await Promise.all(results);
	// What the end tells the host, and an instance that was on a stack is put back.
	await turn();
	await turn();
	return { results: settled, ...seen, log: [...log] };
}
