/**
 * Guests that are called one after another, on one stack. To make a stack for a guest that may have to wait takes V8 longer than many a
 * call, and what the host does between two calls cannot be below a guest on its stack. So a function of WebAssembly has the stack, and asks
 * the host for the next call when one has returned:
 *
 *   (func (export "run") (local $call i32)
 *     (loop $next
 *       (local.set $call (call $step (local.get $call)))       ;; tells of the call that has returned
 *       (if (i32.eqz (local.get $call)) (then (return)))
 *       (call_indirect (type $guest) (i32.load (i32.const 0)) (i32.load (i32.const 4)) (i32.const 0))
 *       (br $next)))
 *
 * A guest that waits keeps the stack, for itself: those after it are called on another.
 */
import type { CoreFunction, CoreValue } from "../../abi/mod.ts";
import type { CoreFunctionType } from "../../component/mod.ts";
import { Writer } from "../../bytes/mod.ts";
import { announce } from "./announcers.ts";
import { leaveOut } from "../v8/frames.ts";
import { Soon } from "./soon.ts";
import { webAssembly, type WasmInstance, type WasmTable } from "../v8/v8.ts";

/** Node's timers need not keep the process alive; a browser's are numbers. */
interface Timer {
	unref?(): unknown;
}

/** A guest's function that is to be called on the stack of the relay. */
interface Call {
	readonly id: number;
	readonly fn: CoreFunction;
	readonly first: CoreValue;
	readonly second: CoreValue;
	/** Before it is called; false: it is not to be called any more. */
	readonly enter: () => boolean;
	/** Where it has not come to its end. */
	readonly leave: () => void;
	/** In place of all else: who asked for it has failed, and waits for nothing. */
	readonly drop: () => void;
	readonly soon: Soon<undefined>;
}

const ID_MASK = 0x3fff_ffff;

/** Milliseconds after which the guest that was called last is let go of, if no other was called. */
const IDLE = 1_000;

/** Whether functions of this type can be called so. */
export function canRelay({ params, results }: CoreFunctionType): boolean {
	return results.length === 0 && params.length === 2 && params.every((type) => type === "i32");
}

const CALLED: CoreFunctionType = { params: ["i32", "i32"], results: [] };

export class Relay {
	readonly #words: Int32Array;
	readonly #table: WasmTable;
	readonly #run: () => Promise<unknown>;
	/** The function that is in the table. */
	#callee: CoreFunction | undefined;
	/** Gives the next pieces of work, while a stack asks for them. */
	#work: (() => boolean) | undefined;
	/** The host is between two calls, so that one can be put off until it is done. */
	#between = false;
	#invited = false;
	#deferred: Call | undefined;
	/** The call that has the stack which was made last. */
	#current: Call | undefined;
	readonly #late = new Map<number, Call>();
	#last = 0;
	#failure: { readonly error: unknown } | undefined;
	/** Since the last look at what is kept for nothing. */
	#used = false;
	#watched = false;

	constructor() {
		const api = webAssembly();
		const instance: WasmInstance = new api.Instance(new api.Module(encodeRelay()), {
			"": { step: (id: number) => this.#step(id) },
		});
		leaveOut(instance);
		const { exports } = instance;
		this.#words = new Int32Array((exports["memory"] as { readonly buffer: ArrayBuffer }).buffer);
		this.#table = exports["table"] as WasmTable;
		this.#run = api.promising(exports["run"] as () => undefined);
	}

	/**
	 * Calls `work` until it returns false. A call of a guest that it makes through `invite` may begin only when `work` has returned, and
	 * comes to its end, or to a wait, before `work` is called again.
	 */
	run(work: () => boolean): void {
		if (this.#work !== undefined) {
			// Within another: those calls are as any others.
			const between = this.#between;
			this.#between = false;
			try {
				while (work());
			} finally {
				this.#between = between;
			}
			return;
		}
		this.#work = work;
		this.#used = true;
		try {
			for (;;) {
				const stack = this.#run();
				const call = this.#current;
				if (call === undefined) break;
				this.#current = undefined;
				this.#wait(call, stack);
			}
		} finally {
			this.#work = undefined;
			if (!this.#watched && this.#callee !== undefined) this.#watch();
		}
		const failure = this.#failure;
		this.#failure = undefined;
		if (failure !== undefined) throw failure.error;
	}

	/** The table keeps the guest that was called last, with its whole instance: for a while, as it is most likely the next one too. */
	#watch(): void {
		this.#watched = true;
		this.#used = false;
		const timer: Timer = setTimeout(() => {
			this.#watched = false;
			if (this.#used) this.#watch();
			else {
				this.#callee = undefined;
				this.#table.set(0, null);
			}
		}, IDLE);
		timer.unref?.();
	}

	/** It waits, or has trapped, of which V8 tells later. */
	#wait(call: Call, stack: Promise<unknown>): void {
		call.leave();
		this.#late.set(call.id, call);
		stack.catch((error: unknown) => {
			this.#late.delete(call.id);
			call.soon.reject(error);
		});
		call.soon.delay();
	}

	/** What `call` returns is a `Soon` if it calls a guest that can be put off. */
	invite<T>(call: () => T): T {
		this.#invited = this.#between;
		try {
			return call();
		} catch (error) {
			this.#deferred?.drop();
			this.#deferred = undefined;
			throw error;
		} finally {
			this.#invited = false;
		}
	}

	/** Whether the next call may be put off. */
	get invited(): boolean {
		return this.#invited;
	}

	/** Whether V8 takes the function, which `canRelay`, for one of this type: not where its type has subtypes, or belongs to others. */
	fits(fn: CoreFunction): boolean {
		return announce(fn, CALLED, ignore) !== undefined;
	}

	/**
	 * Has a guest's function, of a type that can be relayed, called later. Once for each invitation.
	 * @param turn told when it is called, and when that call has led to a wait or a trap; or that it will not be called
	 */
	defer(
		fn: CoreFunction,
		first: CoreValue,
		second: CoreValue,
		turn: Pick<Call, "enter" | "leave" | "drop">,
	): Soon<undefined> {
		this.#invited = false;
		this.#last = (this.#last & ID_MASK) + 1;
		const soon = new Soon<undefined>();
		const { enter, leave, drop } = turn;
		this.#deferred = { id: this.#last, fn, first, second, enter, leave, drop, soon };
		return soon;
	}

	/** Asked by a stack, which tells whose call has returned on it: what to call next, or 0. */
	#step(id: number): number {
		const late = id === 0 ? undefined : this.#late.get(id);
		if (late !== undefined) {
			this.#late.delete(id);
			late.soon.resolve(undefined);
			return 0;
		}
		try {
			const call = this.#current;
			this.#current = undefined;
			this.#between = true;
			call?.soon.resolve(undefined);
			return this.#next();
		} catch (error) {
			// Who began it is told: the exception would end the stack, but say so to nobody in time.
			this.#failure = { error };
			const call = this.#deferred;
			this.#deferred = undefined;
			call?.soon.reject(error);
			return 0;
		} finally {
			this.#between = false;
		}
	}

	#next(): number {
		const work = this.#work;
		for (;;) {
			this.#between = true;
			if (work === undefined || !work()) return 0;
			const call = this.#deferred;
			if (call === undefined) continue;
			this.#deferred = undefined;
			this.#between = false;
			if (!call.enter()) {
				call.soon.reject(undefined);
				continue;
			}
			// In a server that has found its pace it is the same function each time.
			if (this.#callee !== call.fn) {
				this.#table.set(0, call.fn);
				this.#callee = call.fn;
			}
			this.#words[0] = Number(call.first);
			this.#words[1] = Number(call.second);
			this.#current = call;
			return call.id;
		}
	}
}

function encodeRelay(): Uint8Array {
	const [I32, FUNCREF] = [0x7f, 0x70];
	const [guestType, stepType, runType] = [0, 1, 2];
	const [step, run] = [0, 1];
	const types = new Writer().u32(3);
	types.u8(0x60).u32(2).u8(I32).u8(I32).u32(0);
	types.u8(0x60).u32(1).u8(I32).u32(1).u8(I32);
	types.u8(0x60).u32(0).u32(0);
	const body = new Writer().u32(1).u32(1).u8(I32);
	body.u8(0x03).u8(0x40); // loop
	body.u8(0x20).u32(0).u8(0x10).u32(step).u8(0x22).u32(0); // local.get, call, local.tee
	body.u8(0x45).u8(0x04).u8(0x40).u8(0x0f).u8(0x0b); // i32.eqz, if, return, end
	for (const offset of [0, 4]) body.u8(0x41).s32(0).u8(0x28).u32(2).u32(offset); // i32.const, i32.load
	body.u8(0x41).s32(0).u8(0x11).u32(guestType).u32(0); // i32.const, call_indirect
	body.u8(0x0c).u32(0).u8(0x0b).u8(0x0b); // br, end, end
	const exports = new Writer().u32(3);
	exports.name("memory").u8(0x02).u32(0);
	exports.name("table").u8(0x01).u32(0);
	exports.name("run").u8(0x00).u32(run);
	return new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, types)
		.section(2, new Writer().u32(1).name("").name("step").u8(0x00).u32(stepType))
		.section(3, new Writer().u32(1).u32(runType))
		.section(4, new Writer().u32(1).u8(FUNCREF).u8(0x00).u32(1))
		.section(5, new Writer().u32(1).u8(0x00).u32(1))
		.section(7, exports)
		.section(10, new Writer().u32(1).sized(body.finish()))
		.finish();
}

function ignore(): void {}

let relay: Relay | undefined;

/** The relay of this thread. */
export function threadRelay(): Relay {
	return (relay ??= new Relay());
}
