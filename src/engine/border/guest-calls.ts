import type { CoreFunction, CoreValue } from "../../abi/mod.ts";
import type { CoreFunctionType } from "../../component/mod.ts";
import type { Account } from "../stop/account.ts";
import { announce, canAnnounce } from "./announcers.ts";
import type { HostCalls } from "./host-calls.ts";
import { canRelay, type Relay, threadRelay } from "./relay.ts";
import type { Schedule } from "../stop/schedule.ts";
import { webAssembly, type WasmExtern } from "../v8/v8.ts";

/** A call that may wait returns a promise where it does. */
export type MayWait = (...args: unknown[]) => CoreValue | undefined | Promise<CoreValue | undefined>;

/**
 * How the host calls the guests of one sandbox: on its own stack, where nothing can wait; on a stack that V8 makes for the call; or, where
 * the host invites to it, on that of the thread's relay. The schedule is told who has the thread meanwhile.
 */
export class GuestCalls {
	readonly #schedule: Schedule;
	readonly #account: Account;
	readonly #hostCalls: HostCalls;
	readonly #reason: (error: unknown) => unknown;
	/** Stacks of their own that guests have not left. */
	#stacks = 0;
	/** The call for which the host holds the thread is put off. */
	#deferred = false;

	/** @param reason why a guest really ended: `error` is what V8 reported */
	constructor(schedule: Schedule, account: Account, hostCalls: HostCalls, reason: (error: unknown) => unknown) {
		this.#schedule = schedule;
		this.#account = account;
		this.#hostCalls = hostCalls;
		this.#reason = reason;
	}

	/** A guest is on a stack, be it one that waits. */
	get any(): boolean {
		return this.#stacks > 0 || this.#schedule.current === this.#account;
	}

	/** Whether the call that was just made is put off: what it takes is not to be known by what the host has done. Asked once. */
	takeDeferred(): boolean {
		if (!this.#deferred) return false;
		this.#deferred = false;
		return true;
	}

	/** See `Gate.wrapExport`. */
	wrap(exported: WasmExtern, blocking: boolean, type: CoreFunctionType | undefined, deferrable: boolean): CoreFunction {
		if (typeof exported !== "function") throw new TypeError("not a core function");
		const fn = exported as CoreFunction;
		const direct = this.#direct(fn, type);
		if (!blocking) return direct;
		if (deferrable && type !== undefined && canRelay(type)) return this.#relayed(fn, type, direct);
		return type !== undefined && canAnnounce(type)
			? this.announced((done) => announce(fn, type, done), fn, direct)
			: this.#promising(fn, direct);
	}

	#direct(fn: CoreFunction, type: CoreFunctionType | undefined): CoreFunction {
		const hostCalls = this.#hostCalls;
		const reason = this.#reason;
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
					throw reason(error);
				} finally {
					if (held) schedule.release();
					else schedule.leave(current, suspendable);
				}
				if (hostCalls.stuck) throw reason(undefined);
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
				throw reason(error);
			} finally {
				if (held) schedule.release();
				else schedule.leave(current, suspendable);
			}
			if (hostCalls.stuck) throw reason(undefined);
			return result;
		};
	}

	/**
	 * On a stack of its own; returns what the guest does when it does so without a wait.
	 * @param create makes the function that is called, which tells `done` of its result
	 * @param fn serves where there is none
	 * @param direct serves where nothing can wait
	 */
	announced(
		create: (done: (result?: CoreValue) => void) => WasmExtern,
		fn?: CoreFunction,
		direct?: CoreFunction,
	): MayWait {
		let done = false;
		let returned: CoreValue | undefined;
		const tell = (result?: CoreValue): void => {
			done = true;
			returned = result;
		};
		let promising: ((...args: unknown[]) => Promise<CoreValue | undefined>) | undefined;
		const hostCalls = this.#hostCalls;
		const schedule = this.#schedule;
		const account = this.#account;
		return (...args) => {
			if (direct !== undefined && hostCalls.starting) return direct(...(args as CoreValue[]));
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
		const announced = this.announced((done) => announce(fn, type, done), fn, direct);
		const hostCalls = this.#hostCalls;
		const turn = {
			enter: () => {
				if (hostCalls.failed) return false;
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
			if (!relay.invited || hostCalls.starting) return announced(first, second);
			fits ??= relay.fits(fn);
			if (!fits) return announced(first, second);
			this.#stacks++;
			this.#deferred = this.#schedule.current === this.#account;
			return this.#settle(relay.defer(fn, first, second, turn));
		};
	}

	#promising(fn: CoreFunction, direct: CoreFunction): CoreFunction {
		const promising = webAssembly().promising(fn as (...args: CoreValue[]) => CoreValue | undefined);
		const hostCalls = this.#hostCalls;
		const schedule = this.#schedule;
		return (...args) => {
			if (hostCalls.starting) return direct(...args);
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
				throw this.#reason(error);
			},
		);
	}

	#ended(): void {
		this.#stacks--;
		this.#schedule.finish(this.#account);
	}
}
