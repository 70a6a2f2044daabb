import type { BriefCalls, CoreFunction, CoreValue } from "../abi/mod.ts";
import type { CoreFunctionType } from "../component/mod.ts";
import { SkerryError, Trap } from "../fault/mod.ts";
import { Account, type AccountOptions, type Accounted, countedCalls, LEASED_CALLS } from "./account.ts";
import { announce, canAnnounce } from "./announcers.ts";
import { ATTENTIVE_WORD, CALL_WORD, ENTRY_WORD, interruptFlag, NUMBER_SHIFT, SEEN_WORD } from "./flag.ts";
import { isOwnTrap, leaveOut, type ModuleOrigin, withOrigin } from "./frames.ts";
import { ENDED, type Schedule, threadSchedule } from "./schedule.ts";
import { reserveStack } from "./stack-size.ts";
import { type Reading, readFirst } from "./readings.ts";
import { canRelay, type Relay, threadRelay } from "./relay.ts";
import { RESULTS, STATUS_DONE, STATUS_FAILED, STATUS_WAITING, TRAMPOLINE_IMPORTS } from "./trampolines.ts";
import { hostFault, isOutOfBounds, isUnreachable, toTrap } from "./traps.ts";
import { webAssembly, type WasmExtern, type WasmGlobal, type WasmInstance, type WasmModule } from "./v8.ts";

interface Waiter {
	readonly settle: (ticket: number) => void;
}

/** What a call has used so far. */
export interface GateUsage {
	/** Milliseconds on the thread. */
	readonly cpu: number;
	/** Instructions, with metering `fuel`; else 0. */
	readonly fuel: number;
	readonly hostCalls: number;
	/** How often it had held the thread for a slice and gave it to others: at places that time decides. */
	readonly pauses: number;
}

/** As `toTrap` has it of what V8 throws. */
function outOfStack(): Trap {
	return new Trap("call stack exhausted");
}

/** Where the words are that `Schedule.lease` tells of. */
const BRIEF_CALLS = {
	entry: ENTRY_WORD,
	call: CALL_WORD,
	seen: SEEN_WORD,
	attentive: ATTENTIVE_WORD,
	shift: NUMBER_SHIFT,
	most: LEASED_CALLS,
} as const;

const CANNOT_BLOCK = "cannot block a synchronous task before returning";

/**
 * The border between one sandbox's guests and the host. Every host function is called through it, so that the guest can wait,
 * and so that an error of the host or a kill ends the guest whatever handlers it has; every call into the guest goes through it,
 * so that the error which ended the guest is the one the caller sees.
 */
export class Gate implements Accounted {
	readonly #schedule: Schedule = threadSchedule();
	readonly #account: Account;
	#hostCalls: number;
	/** Calls of the host that are still allowed. */
	#callsLeft: number;
	readonly #status: WasmGlobal = new (webAssembly().Global)({ value: "i32", mutable: true }, STATUS_DONE);
	#pending: Promise<CoreValue | undefined> | undefined;
	/** Why the guest was ended. Once set, each of the sandbox's host calls ends in a trap. */
	#fault: unknown;
	#failed = false;
	/** A host function ended with an error. Where that was at the end of the stack, there may have been no room to say more. */
	#broken = false;
	/** A start function is on the stack, which V8 cannot suspend. */
	#starting = false;
	readonly #waiters = new Set<Waiter>();
	/** The call for which the host holds the thread is put off. */
	#deferred = false;
	/** Stacks of their own that guests have not left. */
	#stacks = 0;
	#pauses = 0;
	#calledWhileStarting = false;
	readonly #results = new Map<number, CoreValue | undefined>();
	#nextTicket = 0;
	readonly #shared: Record<string, WasmExtern>;
	/** What `#status` holds: writing to a global of V8's takes longer than to remember it. Guests only read it. */
	#written = STATUS_DONE;

	constructor(options: AccountOptions = {}) {
		this.#account = new Account(this, options);
		this.#hostCalls = countedCalls(options.limits);
		this.#callsLeft = this.#hostCalls;
		const take = (ticket: number): CoreValue | undefined => {
			this.#schedule.enter(this.#account, true);
			if (this.#results.size === 0) return undefined;
			const result = this.#results.get(ticket);
			this.#results.delete(ticket);
			return result;
		};
		this.#shared = {
			[TRAMPOLINE_IMPORTS.status]: this.#status,
			[TRAMPOLINE_IMPORTS.wait]: new (webAssembly().Suspending)(() => this.#wait()),
		};
		for (const type of RESULTS) this.#shared[TRAMPOLINE_IMPORTS.take(type)] = take;
	}

	/** What is known of the call so far. */
	get usage(): GateUsage {
		return {
			cpu: this.#schedule.cpuUsed(this.#account),
			fuel: this.#schedule.fuelUsed(this.#account),
			hostCalls: this.#hostCalls - this.#callsLeft,
			pauses: this.#pauses,
		};
	}

	/** The sandbox's guests have been ended, or are about to be. */
	get failed(): boolean {
		return this.#failed;
	}

	/** The sandbox is another app's from the next `begin` or `reset` on. */
	adopt(options: Omit<AccountOptions, "metering">): void {
		this.#schedule.endLease(this.#account);
		this.#account.adopt(options);
		this.#hostCalls = countedCalls(options.limits);
	}

	/** A call begins: its limits count from here. */
	begin(): void {
		this.#schedule.endLease(this.#account);
		this.#account.begin();
		this.#callsLeft = this.#hostCalls;
		this.#pauses = 0;
	}

	/** No guest is on any stack: what is left of it is its state. */
	get quiet(): boolean {
		return this.#stacks === 0 && this.#schedule.current !== this.#account;
	}

	/** A host function ran during instantiation: what it gave is in the guest's state. */
	get calledWhileStarting(): boolean {
		return this.#calledWhileStarting;
	}

	/** As new. Only when `quiet`. */
	reset(): void {
		this.#setStatus(STATUS_DONE);
		this.#pending = undefined;
		this.#failed = this.#broken = false;
		this.#fault = undefined;
		this.begin();
		// Clearing an empty collection still makes a new one inside.
		if (this.#waiters.size > 0) this.#waiters.clear();
		if (this.#results.size > 0) this.#results.clear();
	}

	#setStatus(status: number): void {
		if (this.#written === status) return;
		this.#written = status;
		this.#status.value = status;
	}

	/**
	 * Wraps host functions for guests. `module` was made by `compileTrampolines(types)`.
	 * @param readings of functions without parameters whose result is an i64: what is asked before them
	 */
	wrapImports(
		module: WasmModule,
		types: readonly CoreFunctionType[],
		functions: readonly CoreFunction[],
		readings: readonly (Reading | undefined)[] = [],
	): WasmExtern[] {
		const imports = { ...this.#shared };
		for (const [i, fn] of functions.entries()) {
			imports[TRAMPOLINE_IMPORTS.fast(i)] = this.#guard(fn, types[i] as CoreFunctionType);
		}
		const instance: WasmInstance = new (webAssembly().Instance)(module, { [TRAMPOLINE_IMPORTS.module]: imports });
		leaveOut(instance);
		return functions.map((_, i) => {
			const wrapped = instance.exports[String(i)];
			const reading = readings[i];
			return reading === undefined ? wrapped : readFirst(this.#guardReading(reading), wrapped);
		});
	}

	/** Where anything is to be said of the call but that it was made, the function itself is called. */
	#guardReading(read: Reading): Reading {
		return () => {
			const plain = this.#pending === undefined && !this.#broken && !this.#failed && !this.#starting;
			if (!plain || this.#callsLeft <= 0 || !this.#schedule.calm) return -1;
			try {
				const value = read();
				if (value >= 0) this.#callsLeft--;
				return value;
			} catch {
				// It has no room on the stack, or has something to say that the function will say again.
				return -1;
			}
		};
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
					if (typeof value !== "object" || !(value instanceof Promise)) return value;
					this.#await(value);
				} catch (error) {
					this.#broken = true;
					this.fail(hostFault(error));
				}
				return nothing;
			};
		}
		return (...args) => {
			if (!this.#mayCall()) return nothing;
			try {
				const value = fn(...args);
				if (typeof value !== "object" || !(value instanceof Promise)) return value;
				this.#await(value);
			} catch (error) {
				this.#broken = true;
				this.fail(hostFault(error));
			}
			return nothing;
		};
	}

	/** Whether the guest that calls the host is to get there. */
	#mayCall(): boolean {
		// The last wait never began: V8 refused it, and the guest caught the refusal.
		if (this.#pending !== undefined) this.fail(new Trap(CANNOT_BLOCK));
		if (this.#broken && !this.#failed) this.fail(outOfStack());
		if (this.#failed) {
			// Where the stack came to its end, the first time may not have got so far.
			this.#setStatus(STATUS_FAILED);
			return false;
		}
		if (--this.#callsLeft < 0) this.fail(this.#account.exceeded("hostCalls", this.#hostCalls));
		const overdue = this.#schedule.overdue(this.#account);
		if (overdue !== undefined) this.fail(overdue);
		if (this.#failed) return false;
		if (this.#starting) {
			this.#calledWhileStarting = true;
			try {
				reserveStack();
			} catch (error) {
				this.fail(hostFault(error));
				return false;
			}
		}
		return true;
	}

	/** The guest that has called the host is to wait for this. */
	#await(value: Promise<CoreValue | undefined>): void {
		this.#pending = value;
		if (this.#starting) this.fail(new Trap(CANNOT_BLOCK));
		else if (this.#failed) this.fail(this.#fault);
		else this.#setStatus(STATUS_WAITING);
	}

	/** Runs inside the guest's stack, which V8 suspends on the promise. It never rejects: a rejection could be caught by the guest. */
	#wait(): Promise<number> {
		const pending = this.#pending;
		this.#pending = undefined;
		this.#setStatus(STATUS_DONE);
		this.#schedule.leave(undefined, false);
		return new Promise((resolve) => {
			if (pending === undefined) {
				resolve(ENDED);
				return;
			}
			const waiter: Waiter = { settle: resolve };
			this.#waiters.add(waiter);
			this.#schedule.wait(this.#account);
			pending.then(
				(value) => {
					if (!this.#leave(waiter)) return;
					const ticket = this.#nextTicket;
					this.#nextTicket = (ticket + 1) & 0x3fff_ffff;
					if (value !== undefined) this.#results.set(ticket, value);
					resolve(ticket);
				},
				(error: unknown) => {
					if (!this.#leave(waiter)) return;
					this.fail(hostFault(error));
					resolve(ENDED);
				},
			);
		});
	}

	/** False when it has been told already. */
	#leave(waiter: Waiter): boolean {
		if (!this.#waiters.delete(waiter)) return false;
		if (this.#waiters.size === 0) this.#schedule.resume(this.#account);
		return true;
	}

	/** Runs inside the guest's stack, as `#wait` does, for `Schedule.pause`. */
	pause(): Promise<number> {
		this.#pauses++;
		return new Promise((resolve) => {
			const waiter: Waiter = { settle: resolve };
			this.#waiters.add(waiter);
			this.#schedule.queue(this.#account, () => this.#leave(waiter), resolve);
		});
	}

	/** Ends the sandbox's guests: the ones that wait trap now, the others at their next host call. The first reason is kept. */
	fail(reason: unknown): void {
		this.tellAll();
		if (!this.#failed) {
			this.#failed = true;
			this.#fault = reason;
		}
		// Who calls into it later is told in his first call of the host.
		if (this.#stacks > 0 || this.#schedule.current === this.#account) this.#setStatus(STATUS_FAILED);
		// Nobody will wait for it any more: should it fail, that is no news.
		this.#pending?.catch(() => {});
		this.#pending = undefined;
		if (this.#waiters.size === 0) return;
		const waiters = [...this.#waiters];
		this.#waiters.clear();
		this.#schedule.resume(this.#account);
		for (const waiter of waiters) waiter.settle(ENDED);
	}

	/**
	 * For a sandbox that can wait without a stack: between `wait` and `leave` its wall limit is looked at, and `end` is told what its guests
	 * are ended with.
	 */
	watch(end: (reason: unknown) => void): { wait(): void; leave(): void } {
		const waiter: Waiter = { settle: () => end(this.#fault) };
		return {
			wait: () => {
				this.#waiters.add(waiter);
				this.#schedule.wait(this.#account);
			},
			leave: () => void this.#leave(waiter),
		};
	}

	/**
	 * Wraps a guest's export for its callers. With `blocking`, the call can wait in host functions and returns a promise then, unless a
	 * start function makes it: there nothing can wait. What ends the call is thrown as a `Trap`, or as what `fail` was given.
	 * @param type when it is left out, a `blocking` call returns a promise always
	 * @param deferrable whether a `blocking` call can be put off where the host has invited it: see `Relay.invite`
	 */
	wrapExport(exported: WasmExtern, blocking: boolean, type?: CoreFunctionType, deferrable = false): CoreFunction {
		if (typeof exported !== "function") throw new TypeError("not a core function");
		const fn = exported as CoreFunction;
		const direct = this.#direct(fn, type);
		if (!blocking) return direct;
		if (deferrable && type !== undefined && canRelay(type)) return this.#relayed(fn, type, direct);
		return type !== undefined && canAnnounce(type)
			? this.#announced((done) => announce(fn, type, done), fn, direct)
			: this.#promising(fn, direct);
	}

	/**
	 * The host begins a call of the guest: from now to `release` the guest holds the thread, so that what is called in between needs no
	 * wrapping. False where a guest holds it already, and no `release` is to follow.
	 */
	hold(): boolean {
		if (this.#account.begins && this.#schedule.current === undefined) this.begin();
		return this.#schedule.hold(this.#account);
	}

	release(): void {
		if (!this.#deferred) this.#schedule.release();
		else {
			// It is not called yet: what it takes is not to be known by this.
			this.#deferred = false;
			this.#schedule.leave(undefined, false);
		}
	}

	/** After `release`, where nothing of the host's is called by the guest: see `BRIEF_CALLS`. */
	lease(): void {
		this.#schedule.lease(this.#account);
	}

	/** Nothing goes by untold from now on: the guest is not to be entered, or the next call is to say what it may. */
	tellAll(): void {
		this.#schedule.endLease(this.#account);
	}

	/** What calls look at that nobody need be told of. */
	get brief(): BriefCalls {
		return { ...BRIEF_CALLS, words: interruptFlag().words, lease: this.#account.lease };
	}

	/** From now on, each call by the host begins anew: `begin` need not be called. */
	beginEachCall(): void {
		this.tellAll();
		this.#account.begins = true;
	}

	/** The guest asked for a wait that cannot be, or for more of the host than the stack had room for: `reason` is to be thrown. */
	get stuck(): boolean {
		return this.#pending !== undefined || (this.#broken && !this.#failed);
	}

	#direct(fn: CoreFunction, type: CoreFunctionType | undefined): CoreFunction {
		const schedule = this.#schedule;
		const account = this.#account;
		if (type !== undefined && type.params.length <= 4) {
			return (a, b, c, d) => {
				const { current, suspendable } = schedule;
				const held = schedule.hold(account);
				if (!held) schedule.enter(account, false);
				let result: CoreValue | undefined;
				try {
					result = fn(a, b, c, d) as CoreValue | undefined;
				} catch (error) {
					throw this.reason(error);
				} finally {
					if (held) schedule.release();
					else schedule.leave(current, suspendable);
				}
				if (this.stuck) throw this.reason(undefined);
				return result;
			};
		}
		return (...args) => {
			const { current, suspendable } = schedule;
			const held = schedule.hold(account);
			if (!held) schedule.enter(account, false);
			let result: CoreValue | undefined;
			try {
				result = fn(...args) as CoreValue | undefined;
			} catch (error) {
				throw this.reason(error);
			} finally {
				if (held) schedule.release();
				else schedule.leave(current, suspendable);
			}
			if (this.stuck) throw this.reason(undefined);
			return result;
		};
	}

	/**
	 * On a stack of its own; returns what the guest does when it does so without a wait.
	 * @param create makes the function that is called, which tells `done` of its result
	 * @param fn serves where there is none
	 * @param direct serves where nothing can wait
	 */
	#announced(
		create: (done: (result?: CoreValue) => void) => WasmExtern,
		fn?: CoreFunction,
		direct?: CoreFunction,
	): (...args: unknown[]) => CoreValue | undefined | Promise<CoreValue | undefined> {
		let done = false;
		let returned: CoreValue | undefined;
		const tell = (result?: CoreValue): void => {
			done = true;
			returned = result;
		};
		let promising: ((...args: unknown[]) => Promise<CoreValue | undefined>) | undefined;
		const schedule = this.#schedule;
		const account = this.#account;
		return (...args) => {
			if (this.#starting && direct !== undefined) return direct(...(args as CoreValue[]));
			promising ??= webAssembly().promising((create(tell) ?? fn) as (...args: unknown[]) => CoreValue | undefined);
			this.#stacks++;
			const { current, suspendable } = schedule;
			const held = schedule.hold(account);
			schedule.enter(account, true);
			done = false;
			// It returns when the guest waits for the first time, or has ended.
			const result = promising(...args);
			if (held) schedule.release();
			schedule.leave(current, suspendable);
			if (!done) return this.#settle(result);
			done = false;
			this.#stacks--;
			return returned;
		};
	}

	/** As an announced one, but where the host can put the call off until there is a stack for it. */
	#relayed(fn: CoreFunction, type: CoreFunctionType, direct: CoreFunction): CoreFunction {
		const announced = this.#announced((done) => announce(fn, type, done), fn, direct);
		const turn = {
			enter: () => {
				if (this.#failed) return false;
				this.#schedule.enter(this.#account, true);
				return true;
			},
			leave: () => this.#schedule.finish(this.#account),
			drop: () => this.#ended(),
		};
		let relay: Relay | undefined;
		let fits: boolean | undefined;
		return (first, second) => {
			relay ??= threadRelay();
			if (!relay.invited || this.#starting) return announced(first, second);
			fits ??= relay.fits(fn);
			if (!fits) return announced(first, second);
			this.#stacks++;
			this.#deferred = this.#schedule.current === this.#account;
			return this.#settle(relay.defer(fn, first, second, turn));
		};
	}

	#promising(fn: CoreFunction, direct: CoreFunction): CoreFunction {
		const promising = webAssembly().promising(fn as (...args: CoreValue[]) => CoreValue | undefined);
		const schedule = this.#schedule;
		return (...args) => {
			if (this.#starting) return direct(...args);
			this.#stacks++;
			const { current, suspendable } = schedule;
			schedule.enter(this.#account, true);
			// It returns when the guest waits for the first time, or has ended.
			const result = promising(...args);
			schedule.leave(current, suspendable);
			return this.#settle(result);
		};
	}

	/** What the promise of a call becomes, once the guest has come to its end. */
	#settle(result: Promise<CoreValue | undefined>): Promise<CoreValue | undefined> {
		return result.then(
			(value) => {
				this.#ended();
				return value;
			},
			(error: unknown) => {
				this.#ended();
				throw this.reason(error);
			},
		);
	}

	#ended(): void {
		this.#stacks--;
		this.#schedule.finish(this.#account);
	}

	/**
	 * A function that calls guests, on stacks of its own, as threads begin in it: the result is a promise only where the guest did not
	 * end at once.
	 * @param create makes the function, which tells `done` of its result
	 */
	wrapEntry(
		create: (done: (result?: CoreValue) => void) => WasmExtern,
	): (...args: unknown[]) => CoreValue | undefined | Promise<CoreValue | undefined> {
		return this.#announced(create);
	}

	/**
	 * Instantiates a core module; its start function runs, and cannot wait.
	 * @param origin what its frames in traps are known by
	 * @param complete brings the instance to life, which includes its start function
	 */
	instantiate(
		module: WasmModule,
		imports: Record<string, Record<string, WasmExtern>>,
		origin: ModuleOrigin | undefined,
		complete?: (instance: WasmInstance) => void,
	): WasmInstance {
		const { Instance } = webAssembly();
		this.#starting = true;
		const { current, suspendable } = this.#schedule;
		this.#schedule.enter(this.#account, false);
		try {
			return withOrigin(
				origin,
				() => new Instance(module, imports),
				(error) => this.#refusal(error),
				complete,
			);
		} finally {
			this.#starting = false;
			this.#schedule.leave(current, suspendable);
		}
	}

	#refusal(error: unknown): unknown {
		if (!(error instanceof webAssembly().LinkError || error instanceof TypeError)) return this.reason(error);
		const message = error.message.replace(/^WebAssembly\.Instance\(\): /, "");
		return new SkerryError("link/instantiation", `Cannot instantiate a core module: ${message}`, { cause: error });
	}

	/** Why a guest really ended: `error` is what V8 reported. */
	reason(error: unknown): unknown {
		// A wait that was asked for and never began: V8 refused it.
		if (this.#pending !== undefined) this.fail(new Trap(CANNOT_BLOCK, { cause: error }));
		if (this.#broken && !this.#failed) this.fail(outOfStack());
		if (isUnreachable(error)) {
			const stopped = this.#schedule.takeHit(this.#account);
			if (stopped !== undefined) this.fail(stopped);
		} else if (isOutOfBounds(error)) {
			const stopped = this.#schedule.takeStrike(this.#account, isOwnTrap(error));
			if (stopped !== undefined) this.fail(stopped);
		}
		return this.#failed ? this.#fault : toTrap(error);
	}
}
