import type { BriefCalls, CoreFunction, CoreValue, PassedSides } from "../../abi/mod.ts";
import type { CoreFunctionType } from "../../component/mod.ts";
import { isErrorOf, messageOf, nameApp, SkerryError } from "../../fault/mod.ts";
import { Account, type AccountOptions, type Accounted, LEASED_CALLS } from "../stop/account.ts";
import { ATTENTIVE_WORD, CALL_WORD, ENTRY_WORD, interruptFlag, NUMBER_SHIFT, SEEN_WORD } from "../stop/flag.ts";
import { isOwnTrap, type ModuleOrigin, withOrigin } from "../v8/frames.ts";
import { GuestCalls, type MayWait } from "./guest-calls.ts";
import { HostCalls } from "./host-calls.ts";
import { MOST_PASSED, type PassedCall, passFirst } from "./pass-calls.ts";
import { type Returns, threadReturns } from "./returns.ts";
import { type Schedule, threadSchedule } from "../stop/schedule.ts";
import type { Reading } from "./readings.ts";
import { hostFault, isOutOfBounds, isUnreachable, toTrap } from "../v8/traps.ts";
import { webAssembly, type WasmExtern, type WasmInstance, type WasmModule } from "../v8/v8.ts";
import { Waits } from "./waits.ts";

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

/** Where the words are that `Schedule.lease` tells of. */
const BRIEF_CALLS = {
	entry: ENTRY_WORD,
	call: CALL_WORD,
	seen: SEEN_WORD,
	attentive: ATTENTIVE_WORD,
	shift: NUMBER_SHIFT,
	most: LEASED_CALLS,
} as const;

const NONE: ReadonlyMap<number, number> = new Map();

/**
 * The border between one sandbox's guests and the host. Every host function is called through it, so that the guest can wait,
 * and so that an error of the host or a kill ends the guest whatever handlers it has; every call into the guest goes through it,
 * so that the error which ended the guest is the one the caller sees.
 */
export class Gate implements Accounted {
	readonly #schedule: Schedule = threadSchedule();
	readonly #account: Account;
	readonly #waits: Waits;
	readonly #hostCalls: HostCalls;
	readonly #guestCalls: GuestCalls;
	/** Why the guest was ended. Once set, each of the sandbox's host calls ends in a trap. */
	#fault: unknown;
	#failed = false;
	#pauses = 0;
	#beginsWhereHeld = false;
	/** Told when a call that went by untold does so no more, of a guest that has tasks; true where it has returned by then. */
	onTold: (() => boolean) | null = null;

	constructor(options: AccountOptions = {}) {
		const account = (this.#account = new Account(this, options));
		this.#waits = new Waits(this.#schedule, account);
		this.#hostCalls = new HostCalls(this.#schedule, account, this.#waits, options.limits);
		this.#guestCalls = new GuestCalls(this.#schedule, account, this.#hostCalls, (error) => this.reason(error));
	}

	/** What is known of the call so far. */
	get usage(): GateUsage {
		return {
			cpu: this.#schedule.cpuUsed(this.#account),
			fuel: this.#schedule.fuelUsed(this.#account),
			hostCalls: this.#hostCalls.made,
			pauses: this.#pauses,
		};
	}

	/** Calls of the host that the guest has made since its call began. */
	get hostCalls(): number {
		return this.#hostCalls.made;
	}

	/** The sandbox's guests have been ended, or are about to be. */
	get failed(): boolean {
		return this.#failed;
	}

	/** The sandbox is another app's from the next `begin` or `reset` on. */
	adopt(options: Omit<AccountOptions, "metering">): void {
		this.#schedule.endLease(this.#account);
		this.#account.adopt(options);
		this.#hostCalls.limit(options.limits);
	}

	/** A call begins: its limits count from here. */
	begin(): void {
		this.#schedule.endLease(this.#account);
		this.#account.begin();
		this.#hostCalls.begin();
		this.#pauses = 0;
	}

	/** No guest is on any stack: what is left of it is its state. */
	get quiet(): boolean {
		return !this.#guestCalls.any;
	}

	/** A host function ran during instantiation: what it gave is in the guest's state. */
	get calledWhileStarting(): boolean {
		return this.#hostCalls.calledWhileStarting;
	}

	/** As new. Only when `quiet`. */
	reset(): void {
		this.#failed = false;
		this.#fault = undefined;
		this.#hostCalls.reset();
		this.begin();
		this.#waits.clear();
	}

	/**
	 * Wraps host functions for guests. `module` was made by `compileTrampolines(types)`.
	 * @param readings of functions without parameters whose result is an i64: what is asked before them
	 * @param returning the numbers of those that `module` was told of as returning, by index
	 */
	wrapImports(
		module: WasmModule,
		types: readonly CoreFunctionType[],
		functions: readonly CoreFunction[],
		readings: readonly (Reading | undefined)[] = [],
		returning: ReadonlyMap<number, number> = NONE,
	): WasmExtern[] {
		return this.#hostCalls.wrap(module, types, functions, readings, returning);
	}

	/**
	 * A function for a guest that calls another, as `slow` does, one that `wrapImports` made.
	 */
	pass(call: PassedCall, slow: WasmExtern, sides: PassedSides): WasmExtern {
		const fail = (error: unknown): void => this.#hostCalls.failPassed(sides.fail(this.reason(error)));
		return passFirst(call, slow, {
			enter: () => (sides.mayEnter(MOST_PASSED) && this.#hostCalls.passes() ? 0 : 1),
			refuse: (pointer, alignment) => fail(sides.refusal(pointer, alignment)),
			fail: (again) => {
				try {
					again();
				} catch (error) {
					fail(error);
				}
			},
		});
	}

	/** Runs inside the guest's stack, which V8 suspends on the promise, for `Schedule.pause`. */
	pause(): Promise<number> {
		this.#pauses++;
		return this.#waits.queue();
	}

	/** Ends the sandbox's guests: the ones that wait trap now, the others at their next host call. The first reason is kept. */
	fail(reason: unknown): void {
		this.tellAll();
		if (!this.#failed) {
			this.#failed = true;
			this.#fault = reason;
		}
		this.#hostCalls.end(this.#guestCalls.any);
		this.#waits.end();
	}

	/**
	 * For a sandbox that can wait without a stack: between `wait` and `leave` its wall limit is looked at, and `end` is told what its guests
	 * are ended with.
	 */
	watch(end: (reason: unknown) => void): { wait(): void; leave(): void } {
		return this.#waits.watch(() => end(this.#fault));
	}

	/**
	 * Wraps a guest's export for its callers. With `blocking`, the call can wait in host functions and returns a promise then, unless a
	 * start function makes it: there nothing can wait. What ends the call is thrown as a `Trap`, or as what `fail` was given.
	 * @param type when it is left out, a `blocking` call returns a promise always
	 * @param deferrable whether a `blocking` call can be put off where the host has invited it: see `Relay.invite`
	 */
	wrapExport(exported: WasmExtern, blocking: boolean, type?: CoreFunctionType, deferrable = false): CoreFunction {
		return this.#guestCalls.wrap(exported, blocking, type, deferrable);
	}

	/**
	 * The host begins a call of the guest: from now to `release` the guest holds the thread, so that what is called in between needs no
	 * wrapping. False where a guest holds it already, and no `release` is to follow.
	 */
	hold(): boolean {
		if (this.#beginsWhereHeld && this.#schedule.current === undefined) this.begin();
		return this.#schedule.hold(this.#account);
	}

	release(): void {
		if (this.#guestCalls.takeDeferred()) this.#schedule.leave(undefined, false);
		else this.#schedule.release();
	}

	/** After `release`, where nothing of the host's is called by the guest: see `BRIEF_CALLS`. */
	lease(): void {
		this.#schedule.lease(this.#account);
	}

	/** Nothing goes by untold from now on: the guest is not to be entered, or the next call is to say what it may. */
	tellAll(): void {
		this.#schedule.endLease(this.#account);
	}

	/** Whether each call that goes by untold begins anew. */
	get begins(): boolean {
		return this.#account.begins;
	}

	/** As `lease`, where each call that goes by untold begins anew; else there are none. */
	leaseBegun(): void {
		if (this.#account.begins) this.#schedule.lease(this.#account);
	}

	/** What calls look at that nobody need be told of. */
	get brief(): BriefCalls {
		return { ...BRIEF_CALLS, words: interruptFlag().words, lease: this.#account.lease };
	}

	/** Where tasks leave what they return. */
	get returns(): Returns {
		return threadReturns();
	}

	/** A number for a built-in through which tasks return. */
	numberReturn(): number {
		return threadReturns().next();
	}

	/**
	 * From now on, each call by the host begins anew: `begin` need not be called.
	 * @param all false where that is so only of calls that go by untold
	 */
	beginEachCall(all: boolean): void {
		this.tellAll();
		this.#account.begins = true;
		this.#beginsWhereHeld = all;
	}

	/** A call that has just begun may return with nobody told, though it is not one that goes by untold: it is if it calls the host. */
	get tells(): boolean {
		return this.#hostCalls.tells;
	}

	set tells(tells: boolean) {
		this.#hostCalls.tells = tells;
	}

	/** A call that has begun anew, and went by untold, does so no more. */
	told(): void {
		this.tells = false;
		this.#hostCalls.begin();
		this.#pauses = 0;
		if (this.onTold?.() === true) this.#hostCalls.count();
	}

	/** The guest asked for a wait that cannot be, or for more of the host than the stack had room for: `reason` is to be thrown. */
	get stuck(): boolean {
		return this.#hostCalls.stuck;
	}

	/**
	 * A function that calls guests, on stacks of its own, as threads begin in it: the result is a promise only where the guest did not
	 * end at once.
	 * @param create makes the function, which tells `done` of its result
	 */
	wrapEntry(create: (done: (result?: CoreValue) => void) => WasmExtern): MayWait {
		return this.#guestCalls.announced(create);
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
		this.#hostCalls.starting = true;
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
			this.#hostCalls.starting = false;
			this.#schedule.leave(current, suspendable);
		}
	}

	#refusal(error: unknown): unknown {
		if (!isErrorOf(error, webAssembly().LinkError) && !isErrorOf(error, TypeError)) return this.reason(error);
		const message = messageOf(error).replace(/^WebAssembly\.Instance\(\): /, "");
		return new SkerryError("link/instantiation", `Cannot instantiate a core module: ${message}`, { cause: error });
	}

	/** Why a guest really ended: `error` is what V8 reported. */
	reason(error: unknown): unknown {
		this.#hostCalls.failIfStuck(error);
		if (isUnreachable(error)) {
			const stopped = this.#schedule.takeHit(this.#account);
			if (stopped !== undefined) this.fail(stopped);
		} else if (isOutOfBounds(error)) {
			const stopped = this.#schedule.takeStrike(this.#account, isOwnTrap(error));
			if (stopped !== undefined) this.fail(stopped);
		}
		// At the stack's end there was no room to look at what was thrown.
		return nameApp(this.#failed ? hostFault(this.#fault) : toTrap(error), this.#account.app);
	}
}
