import type { CoreFunction, CoreValue } from "../abi/mod.ts";
import type { CoreFunctionType } from "../component/mod.ts";
import { SkerryError, Trap } from "../fault/mod.ts";
import { interruptFlag } from "./flag.ts";
import { leaveOut, type ModuleOrigin, withOrigin } from "./frames.ts";
import { STATUS_DONE, STATUS_FAILED, STATUS_WAITING, TRAMPOLINE_IMPORTS } from "./trampolines.ts";
import { hostFault, isUnreachable, toTrap } from "./traps.ts";
import { webAssembly, type WasmExtern, type WasmGlobal, type WasmInstance, type WasmModule } from "./v8.ts";

interface Waiter {
	readonly settle: (ticket: number) => void;
}

const KILLED = -1;

const CANNOT_BLOCK = "cannot block a synchronous task before returning";

/**
 * The border between one sandbox's guests and the host. Every host function is called through it, so that the guest can wait,
 * and so that an error of the host or a kill ends the guest whatever handlers it has; every call into the guest goes through it,
 * so that the error which ended the guest is the one the caller sees.
 */
export class Gate {
	readonly #status: WasmGlobal = new (webAssembly().Global)({ value: "i32", mutable: true }, STATUS_DONE);
	#pending: Promise<CoreValue | undefined> | undefined;
	/** Why the guest was ended. Once set, each of the sandbox's host calls ends in a trap. */
	#fault: unknown;
	#failed = false;
	/** A start function is on the stack, which V8 cannot suspend. */
	#starting = false;
	/** Host functions on the stack: calls into the guest that are made now are part of a call of the guest's own. */
	#hosting = 0;
	readonly #flag = interruptFlag();
	readonly #waiters = new Set<Waiter>();
	/** Calls into the guest that have not returned: how to reject them. */
	readonly #calls = new Set<(reason: unknown) => void>();
	/** Stacks of guests that have not been left, abandoned or not. */
	#stacks = 0;
	#calledWhileStarting = false;
	readonly #results = new Map<number, CoreValue | undefined>();
	#nextTicket = 0;
	readonly #shared: Record<string, WasmExtern>;
	/** What `#status` holds: writing to a global of V8's takes longer than to remember it. Guests only read it. */
	#written = STATUS_DONE;

	constructor() {
		const take = (ticket: number): CoreValue | undefined => {
			const result = this.#results.get(ticket);
			this.#results.delete(ticket);
			return result;
		};
		this.#shared = {
			[TRAMPOLINE_IMPORTS.status]: this.#status,
			[TRAMPOLINE_IMPORTS.wait]: new (webAssembly().Suspending)(() => this.#wait()),
		};
		for (const type of ["i32", "i64", "f32", "f64"]) this.#shared[TRAMPOLINE_IMPORTS.take(type)] = take;
	}

	/**
	 * A call is under way, yet the guest waits for nothing. Between turns of the event loop that means that its stack was taken down
	 * from outside, as a watchdog does: it will never return.
	 */
	get lost(): boolean {
		return this.#calls.size > this.#waiters.size;
	}

	/** No guest is on any stack: what is left of it is its state. */
	get quiet(): boolean {
		return this.#stacks === 0;
	}

	/** A host function ran during instantiation: what it gave is in the guest's state. */
	get calledWhileStarting(): boolean {
		return this.#calledWhileStarting;
	}

	/** As new. Only when `quiet`. */
	reset(): void {
		this.#setStatus(STATUS_DONE);
		this.#pending = undefined;
		this.#failed = false;
		this.#fault = undefined;
		// Clearing an empty collection still makes a new one inside.
		if (this.#waiters.size > 0) this.#waiters.clear();
		if (this.#calls.size > 0) this.#calls.clear();
		if (this.#results.size > 0) this.#results.clear();
	}

	#setStatus(status: number): void {
		if (this.#written === status) return;
		this.#written = status;
		this.#status.value = status;
	}

	/** Rejects the calls that are still under way with the reason given to `fail`: for guests that will never return. */
	abandon(): void {
		if (this.#calls.size === 0) return;
		const calls = [...this.#calls];
		this.#calls.clear();
		for (const reject of calls) reject(this.#fault);
	}

	/** Wraps host functions for guests. `module` was made by `compileTrampolines(types)`. */
	wrapImports(
		module: WasmModule,
		types: readonly CoreFunctionType[],
		functions: readonly CoreFunction[],
	): WasmExtern[] {
		const imports = { ...this.#shared };
		for (const [i, fn] of functions.entries()) {
			imports[TRAMPOLINE_IMPORTS.fast(i)] = this.#guard(fn, types[i]?.results[0]);
		}
		const instance: WasmInstance = new (webAssembly().Instance)(module, { [TRAMPOLINE_IMPORTS.module]: imports });
		leaveOut(instance);
		return functions.map((_, i) => instance.exports[String(i)]);
	}

	#guard(fn: CoreFunction, result: string | undefined): CoreFunction {
		const nothing = result === undefined ? undefined : result === "i64" ? 0n : 0;
		return (...args) => {
			// The last wait never began: V8 refused it, and the guest caught the refusal.
			if (this.#pending !== undefined) this.fail(new Trap(CANNOT_BLOCK));
			const stopped = this.#flag.takeRaised();
			if (stopped !== undefined) this.fail(stopped.reason);
			if (this.#failed) return nothing;
			if (this.#starting) this.#calledWhileStarting = true;
			this.#hosting++;
			try {
				const value = fn(...args);
				if (!(value instanceof Promise)) return value;
				this.#pending = value;
				if (this.#starting) this.fail(new Trap(CANNOT_BLOCK));
				else if (this.#failed) this.fail(this.#fault);
				else this.#setStatus(STATUS_WAITING);
			} catch (error) {
				this.fail(hostFault(error));
			} finally {
				this.#hosting--;
			}
			return nothing;
		};
	}

	/** Runs inside the guest's stack, which V8 suspends on the promise. It never rejects: a rejection could be caught by the guest. */
	#wait(): Promise<number> {
		const pending = this.#pending;
		this.#pending = undefined;
		this.#setStatus(STATUS_DONE);
		return new Promise((resolve) => {
			if (pending === undefined) {
				resolve(KILLED);
				return;
			}
			const waiter: Waiter = { settle: resolve };
			this.#waiters.add(waiter);
			pending.then(
				(value) => {
					if (!this.#waiters.delete(waiter)) return;
					const ticket = this.#nextTicket;
					this.#nextTicket = (ticket + 1) & 0x3fff_ffff;
					if (value !== undefined) this.#results.set(ticket, value);
					resolve(ticket);
				},
				(error: unknown) => {
					if (!this.#waiters.delete(waiter)) return;
					this.fail(hostFault(error));
					resolve(KILLED);
				},
			);
		});
	}

	/** Ends the sandbox's guests: the ones that wait trap now, the others at their next host call. The first reason is kept. */
	fail(reason: unknown): void {
		if (!this.#failed) {
			this.#failed = true;
			this.#fault = reason;
		}
		this.#setStatus(STATUS_FAILED);
		// Nobody will wait for it any more: should it fail, that is no news.
		this.#pending?.catch(() => {});
		this.#pending = undefined;
		if (this.#waiters.size === 0) return;
		const waiters = [...this.#waiters];
		this.#waiters.clear();
		for (const waiter of waiters) waiter.settle(KILLED);
	}

	/**
	 * Wraps a guest's export for its callers. With `blocking`, the call can wait in host functions and returns a promise, unless a
	 * start function makes it: there nothing can wait. What ends the call is thrown as a `Trap`, or as what `fail` was given.
	 */
	wrapExport(exported: WasmExtern, blocking: boolean): CoreFunction {
		if (typeof exported !== "function") throw new TypeError("not a core function");
		const fn = exported as CoreFunction;
		const direct: CoreFunction = (...args) => {
			if (this.#hosting === 0) this.#flag.enter();
			let result: CoreValue | undefined;
			try {
				result = fn(...args) as CoreValue | undefined;
			} catch (error) {
				throw this.reason(error);
			}
			if (this.#pending !== undefined) throw this.reason(undefined);
			return result;
		};
		if (!blocking) return direct;
		const promising = webAssembly().promising(fn as (...args: CoreValue[]) => CoreValue | undefined);
		return (...args) => {
			if (this.#starting) return direct(...args);
			const { promise, resolve, reject } = Promise.withResolvers<CoreValue | undefined>();
			// When the guest's stack is taken down in its first turn, so is the caller's: nobody is left to handle what `abandon` rejects.
			promise.catch(() => {});
			this.#calls.add(reject);
			this.#stacks++;
			if (this.#hosting === 0) this.#flag.enter();
			promising(...args).then(
				(value) => {
					this.#stacks--;
					this.#calls.delete(reject);
					resolve(value);
				},
				(error: unknown) => {
					this.#stacks--;
					this.#calls.delete(reject);
					reject(this.reason(error));
				},
			);
			return promise;
		};
	}

	/**
	 * Instantiates a core module; its start function runs, and cannot wait.
	 * @param origin what its frames in traps are known by
	 */
	instantiate(
		module: WasmModule,
		imports: Record<string, Record<string, WasmExtern>>,
		origin?: ModuleOrigin,
	): WasmInstance {
		const { Instance } = webAssembly();
		this.#starting = true;
		this.#flag.enter();
		try {
			return withOrigin(
				origin,
				() => new Instance(module, imports),
				(error) => this.#refusal(error),
			);
		} finally {
			this.#starting = false;
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
		if (isUnreachable(error)) {
			const stopped = this.#flag.takeHit();
			if (stopped !== undefined) this.fail(stopped.reason);
		}
		return this.#failed ? this.#fault : toTrap(error);
	}
}
