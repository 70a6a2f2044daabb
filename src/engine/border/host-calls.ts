import { type CoreFunction, type CoreValue, Parked } from "../../abi/mod.ts";
import type { CoreFunctionType } from "../../component/mod.ts";
import { Trap, type Limits } from "../../fault/mod.ts";
import { type Account, type Accounted, countedCalls } from "../stop/account.ts";
import { leaveOut } from "../v8/frames.ts";
import { type Reading, readFirst } from "./readings.ts";
import { threadReturns } from "./returns.ts";
import type { Schedule } from "../stop/schedule.ts";
import { reserveStack } from "../v8/stack-size.ts";
import { RESULTS, SET_STATUS, STATUS_DONE, STATUS_FAILED, STATUS_WAITING, TRAMPOLINE_IMPORTS } from "./trampolines.ts";
import { hostFault } from "../v8/traps.ts";
import { webAssembly, type WasmExtern, type WasmGlobal, type WasmInstance, type WasmModule } from "../v8/v8.ts";
import type { Waits } from "./waits.ts";

const CANNOT_BLOCK = "cannot block a synchronous task before returning";

/**
 * The calls that one sandbox's guests make of the host. They go through trampolines: a host function never throws, since a guest could
 * catch that, but leaves a status behind, which says whether the guest goes on, waits or traps.
 */
export class HostCalls {
	readonly #schedule: Schedule;
	readonly #account: Account;
	readonly #guest: Accounted;
	readonly #waits: Waits;
	#allowed: number;
	/** Of those that are allowed. */
	#left: number;
	readonly #status: WasmGlobal = new (webAssembly().Global)({ value: "i32", mutable: true }, STATUS_DONE);
	/** What `#status` holds: writing to a global of V8's takes longer than to remember it. Guests only read it. */
	#written = STATUS_DONE;
	#setStatus: ((status: number) => void) | undefined;
	/** What the guest that has just called is to wait for. */
	#pending: PromiseLike<CoreValue | undefined> | undefined;
	/** A host function ended with an error. Where that was at the end of the stack, there may have been no room to say more. */
	#broken = false;
	/** The first call of the host is to be told of: `Accounted.told`. */
	tells = false;
	/** A start function is on the stack, which V8 cannot suspend: nothing can wait. */
	starting = false;
	#calledWhileStarting = false;
	readonly #shared: Record<string, WasmExtern>;

	constructor(schedule: Schedule, account: Account, waits: Waits, limits: Limits | undefined) {
		this.#schedule = schedule;
		this.#account = account;
		this.#guest = account.guest;
		this.#waits = waits;
		this.#left = this.#allowed = countedCalls(limits);
		const take = (ticket: number): CoreValue | undefined => waits.take(ticket);
		this.#shared = {
			[TRAMPOLINE_IMPORTS.status]: this.#status,
			[TRAMPOLINE_IMPORTS.wait]: new (webAssembly().Suspending)(() => this.#wait()),
		};
		for (const type of RESULTS) this.#shared[TRAMPOLINE_IMPORTS.take(type)] = take;
	}

	/** From the next `begin` on. */
	limit(limits: Limits | undefined): void {
		this.#allowed = countedCalls(limits);
	}

	/** A call of the guest begins: its calls count from here. */
	begin(): void {
		this.#left = this.#allowed;
	}

	/** One was made, and not told. */
	count(): void {
		this.#left--;
	}

	/** How many were made since. */
	get made(): number {
		return this.#allowed - this.#left;
	}

	/** A start function has called the host: what it gave is in the guest's state. */
	get calledWhileStarting(): boolean {
		return this.#calledWhileStarting;
	}

	/** As new, where no guest is on any stack. */
	reset(): void {
		this.#write(STATUS_DONE);
		this.#pending = undefined;
		this.#broken = false;
	}

	/**
	 * Has the guest trap.
	 * @param now whether one is on a stack; who calls into it later is told in his first call of the host
	 */
	end(now: boolean): void {
		if (now) this.#write(STATUS_FAILED);
		// Nobody will wait for it any more: should it fail, that is no news.
		if (this.#pending instanceof Promise) this.#pending.catch(() => {});
		this.#pending = undefined;
	}

	#write(status: number): void {
		if (this.#written === status) return;
		if (this.#setStatus !== undefined) this.#setStatus(status);
		else this.#status.value = status;
		// Last: where the stack came to its end, that was not written
		this.#written = status;
	}

	/** The guests have been ended, or are about to be. */
	get failed(): boolean {
		return this.#guest.failed;
	}

	/** The guest asked for a wait that cannot be, or for more of the host than the stack had room for. */
	get stuck(): boolean {
		return this.#pending !== undefined || (this.#broken && !this.#guest.failed);
	}

	/** Ends it for that. */
	failIfStuck(cause?: unknown): void {
		// A wait that was asked for and never began: V8 refused it, and the guest may have caught the refusal.
		if (this.#pending !== undefined) this.#guest.fail(new Trap(CANNOT_BLOCK, { cause }));
		// As `toTrap` has it of what V8 throws.
		if (this.#broken && !this.#guest.failed) this.#guest.fail(new Trap("call stack exhausted"));
	}

	/** See `Gate.wrapImports`. */
	wrap(
		module: WasmModule,
		types: readonly CoreFunctionType[],
		functions: readonly CoreFunction[],
		readings: readonly (Reading | undefined)[],
		returning: ReadonlyMap<number, number>,
	): WasmExtern[] {
		const imports = { ...this.#shared };
		if (returning.size > 0) imports[TRAMPOLINE_IMPORTS.returns] = threadReturns().memory;
		for (const [i, number] of returning) imports[TRAMPOLINE_IMPORTS.number(i)] = number;
		for (const [i, fn] of functions.entries()) {
			imports[TRAMPOLINE_IMPORTS.fast(i)] = this.#guard(fn, types[i] as CoreFunctionType);
		}
		const instance: WasmInstance = new (webAssembly().Instance)(module, { [TRAMPOLINE_IMPORTS.module]: imports });
		leaveOut(instance);
		this.#setStatus ??= instance.exports[SET_STATUS] as (status: number) => void;
		return functions.map((_, i) => {
			const wrapped = instance.exports[String(i)];
			const reading = readings[i];
			return reading === undefined ? wrapped : readFirst(this.#guardReading(reading), wrapped);
		});
	}

	/** Where anything is to be said of the call but that it was made, the function itself is called. */
	#guardReading(read: Reading): Reading {
		return () => {
			if (!this.#isPlain()) return -1;
			try {
				const value = read();
				if (value >= 0) this.#left--;
				return value;
			} catch {
				// It has no room on the stack, or has something to say that the function will say again.
				return -1;
			}
		};
	}

	/** Nothing is to be said of a call of the guest's but that it was made, and it can be counted. */
	#isPlain(): boolean {
		const plain = this.#pending === undefined && !this.#broken && !this.#guest.failed && !this.starting;
		return plain && this.#left > 0 && this.#schedule.calm;
	}

	/** Counts a call that another guest serves, if that is all there is to it. */
	passes(): boolean {
		if (this.tells || !this.#isPlain()) return false;
		this.#left--;
		return true;
	}

	/** What another guest served has ended with this error, and its caller is about to trap. */
	failPassed(error: unknown): void {
		this.#broken = true;
		this.#guest.fail(hostFault(error));
	}

	#guard(fn: CoreFunction, { params, results: [result] }: CoreFunctionType): CoreFunction {
		const nothing = result === undefined ? undefined : result === "i64" ? 0n : 0;
		const count = params.length;
		// Parameters written out, as rest parameters make an array for each call.
		if (count <= 4) {
			return (a, b, c, d) => {
				if (!this.#mayCall()) return nothing;
				try {
					const value =
						count === 0
							? fn()
							: count === 1
								? fn(a)
								: count === 2
									? fn(a, b)
									: count === 3
										? fn(a, b, c)
										: fn(a, b, c, d);
					if (typeof value !== "object" || !(value instanceof Promise || isParked(value))) return value;
					this.#await(value);
				} catch (error) {
					this.#broken = true;
					this.#guest.fail(hostFault(error));
				}
				return nothing;
			};
		}
		return (...args) => {
			if (!this.#mayCall()) return nothing;
			try {
				const value = fn(...args);
				if (typeof value !== "object" || !(value instanceof Promise || isParked(value))) return value;
				this.#await(value);
			} catch (error) {
				this.#broken = true;
				this.#guest.fail(hostFault(error));
			}
			return nothing;
		};
	}

	/** Whether the guest that calls the host is to get there. */
	#mayCall(): boolean {
		const guest = this.#guest;
		if (this.stuck) this.failIfStuck();
		if (guest.failed) {
			// Where the stack came to its end, the first time may not have got so far.
			this.#write(STATUS_FAILED);
			return false;
		}
		const overdue = this.#schedule.overdue(this.#account);
		if (this.tells) guest.told();
		// A call that was not told of until now begins with that
		if (--this.#left < 0) guest.fail(this.#account.exceeded("hostCalls", this.#allowed));
		if (overdue !== undefined) guest.fail(overdue);
		if (guest.failed) return false;
		if (this.starting) {
			this.#calledWhileStarting = true;
			try {
				reserveStack();
			} catch (error) {
				guest.fail(hostFault(error));
				return false;
			}
		}
		return true;
	}

	/** The guest that has called the host is to wait for this. */
	#await(value: PromiseLike<CoreValue | undefined>): void {
		this.#pending = value;
		if (this.starting) this.#guest.fail(new Trap(CANNOT_BLOCK));
		// It was ended by the very call: the first reason is kept.
		else if (this.#guest.failed) this.#guest.fail(undefined);
		else this.#write(STATUS_WAITING);
	}

	/** Runs inside the guest's stack, which V8 suspends on the promise. */
	#wait(): Promise<number> {
		const pending = this.#pending;
		this.#pending = undefined;
		this.#write(STATUS_DONE);
		return this.#waits.suspend(pending);
	}
}

/** Where tasks are, what they wait for may be told of at once. */
function isParked(value: unknown): value is Parked<CoreValue | undefined> {
	return value instanceof Parked;
}
