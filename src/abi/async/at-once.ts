import type { FunctionType, ValueType } from "../../component/mod.ts";
import { canonLift } from "../call.ts";
import type { Returns } from "../generate/brief-function.ts";
import { type Brief, generateBrief } from "../generate/mod.ts";
import type { Bare, BriefCalls } from "../interpret-lift.ts";
import { isAsync } from "../signature.ts";
import { type ComponentFunction, type CoreFunction, leaveInstances } from "../store.ts";
import type { AsyncInstance } from "./instance.ts";
import type { Scheduler } from "./scheduler.ts";
import { CANCELLED, Task } from "./task.ts";
import { type TaskOptions, Thread } from "./thread.ts";

export interface AsyncLift {
	readonly type: FunctionType;
	/** A guest's function: gives its result at once, or a promise when it was suspended. */
	readonly core: CoreFunction;
	readonly callback: CoreFunction | null;
	readonly options: TaskOptions;
	readonly instance: AsyncInstance;
	/** Where the guest's code never has to be suspended: for calls by the host, on its own stack. */
	readonly bare: Bare | null;
	/** Then, too, for calls that go by untold. */
	readonly border: Border | null;
}

/** Who tells of calls, where they are not to be told of. */
interface Border {
	readonly brief: BriefCalls;
	readonly returns: Returns;
	/** Calls of the host that the guest has made since its call began. */
	readonly hostCalls: number;
	/** As `Turn.lease`, where each call that goes by untold begins anew; else there are none. */
	leaseBegun(): void;
	/** Whether they do. */
	readonly begins: boolean;
	/** Whether a call that has just begun is told of as soon as its guest calls the host: it may return without. */
	tells: boolean;
	told(): void;
}

/** CanonicalABI.md `CallbackCode.EXIT` */
export const CALLBACK_EXIT = 0;

type Call = (...args: unknown[]) => unknown;

/** Calls of a function in a row that came to nothing of the host's but its return, before others go by untold. */
const PROOFS = 8;
/** So many times more after one that did. */
const MORE_PROOFS = 8;
const MOST_PROOFS = 2 ** 30;

/** What came of a call that went by untold until something came up: what the host is given for it, as by any other. */
export class Surfaced {
	readonly given: unknown;

	constructor(given: unknown) {
		this.given = given;
	}
}

/** A task and its first thread, that run on the stack of the host, and the built-in through which it returned. */
interface Spare {
	readonly task: Task;
	readonly thread: Thread;
}

/**
 * Calls by the host of a function that needs no stack of its own, where nothing else goes on: most return before they stop. Those that
 * come to nothing of the host's but the built-in which returns go by as `BriefCalls` says, once that is known of some.
 */
export class AtOnceCalls {
	readonly #lift: AsyncLift;
	readonly #scheduler: Scheduler;
	/** Calls the guest's function until it first returns, and gives what it returned. */
	readonly #first: ComponentFunction;
	#called: Call | undefined;
	readonly #callOn: (task: Task, thread: Thread, returned: number) => void;
	/** Of the last call that returned at once, for the next one: objects that are old already cost least. */
	#spare: Spare | null = null;
	/** What generated code looks at: `null` while calls are to be told. */
	readonly #state: { thread: Thread | null; number: number } = { thread: null, number: 0 };
	#brief: Brief | null | undefined;
	/** The call that goes by untold is told of, before it has returned to the host. */
	#told = false;
	#proofs = 0;
	#needed = PROOFS;

	private constructor(
		lift: AsyncLift,
		scheduler: Scheduler,
		first: ComponentFunction,
		callOn: (task: Task, thread: Thread, returned: number) => void,
	) {
		this.#lift = lift;
		this.#scheduler = scheduler;
		this.#first = first;
		this.#callOn = callOn;
	}

	/**
	 * `null` where the function may be suspended.
	 * @param callOn goes on with a task whose function has returned, and which is not over
	 */
	static of(
		lift: AsyncLift,
		scheduler: Scheduler,
		callOn: (task: Task, thread: Thread, returned: number) => void,
	): AtOnceCalls | null {
		const first = liftFirst(lift);
		return first === null ? null : new AtOnceCalls(lift, scheduler, first, callOn);
	}

	/** See `ComponentFunction.known`. */
	known(name: string): void {
		this.#first.known?.(name);
	}

	/**
	 * For calls with as many arguments as there are parameters, by who has each of them begin anew if it goes by untold: gives what it
	 * returns, `null` where it has not begun, and otherwise what it `Surfaced` with. Nothing until such calls are known to be worth it.
	 */
	get brief(): Call | undefined {
		return this.#brief?.brief;
	}

	call(args: readonly unknown[]): unknown {
		const { type, instance, border, options } = this.#lift;
		const scheduler = this.#scheduler;
		const { task, thread } = this.#spare ?? this.#createSpare();
		const before = border!.hostCalls;
		const arms = options.async && this.#state.thread !== null && before === 0;
		let begun = false;
		let returned: unknown;
		scheduler.enter(thread);
		if (!type.async) instance.syncCalls++;
		try {
			const first = (this.#called ??= this.#first.invoke as Call);
			if (arms) this.#arm();
			returned = args.length === 1 ? first(args[0]) : first(...args);
			begun = true;
			if (arms) this.#disarm();
			return this.#finish(task, thread, returned, border!.hostCalls - before);
		} catch (error) {
			if (arms) this.#sinkReturn();
			if (begun || instance.instance.store.poison !== undefined) return this.#fail(error);
			// The arguments are not what the function takes: the guest never heard of it.
			if (!type.async) instance.syncCalls--;
			scheduler.leave();
			return Promise.reject(error);
		}
	}

	/** The call, which is told of, may return with nobody told. */
	#arm(): void {
		const { words, state } = this.#lift.border!.returns;
		words[state] = this.#state.number;
		this.#lift.border!.tells = true;
	}

	#disarm(): void {
		const { border } = this.#lift;
		if (border!.tells) border!.told();
		this.#told = false;
	}

	#fail(error: unknown): unknown {
		this.#forget();
		this.#scheduler.fail(error);
		return Promise.reject(error);
	}

	#forget(): void {
		this.#spare = this.#state.thread = null;
	}

	/** The guest's function has returned. @param made calls of the host until then; `null` where that is no news */
	#finish(task: Task, thread: Thread, returned: unknown, made: number | null): unknown {
		const { type, options, instance } = this.#lift;
		const scheduler = this.#scheduler;
		if (!type.async) instance.syncCalls--;
		if (!options.async) task.return(returned);
		else if (returned !== CALLBACK_EXIT) return this.#goOn(task, thread, returned as number);
		const { value, via } = task;
		if (task.endAtOnce(thread)) {
			thread.renew();
			if (made !== null) this.#prove(options.async ? made <= 1 && via !== 0 : made === 0, via);
		} else this.#forget();
		scheduler.leave();
		if (this.#state.thread !== null && scheduler.isFree) this.#lift.border!.leaseBegun();
		return value;
	}

	/** @param only whether a call came to nothing of the host's but the built-in `via` */
	#prove(only: boolean, via: number): void {
		const state = this.#state;
		if (!this.#lift.border!.begins) return;
		if (!only) {
			state.thread = null;
			this.#proofs = 0;
			return;
		}
		if (++this.#proofs < this.#needed || this.#brief === null) return;
		this.#proofs = this.#needed;
		this.#brief ??= this.#generate();
		if (this.#brief === null) return;
		state.thread = this.#spare!.thread;
		state.number = via;
	}

	#generate(): Brief | null {
		const { type, options, instance, bare, border } = this.#lift;
		if (options.postReturn !== null) return null;
		const { brief: calls, returns } = border!;
		return generateBrief({
			type,
			options,
			core: bare!.core,
			own: instance,
			calls,
			returns,
			scheduler: this.#scheduler,
			state: this.#state,
			surface: (returned) => new Surfaced(this.#surface(returned)),
			failed: (error) => new Surfaced(this.#sink(error)),
		});
	}

	/** Whether the task has returned through its built-in with nobody told; from now on, it does so as any other. */
	#takeReturn(task: Task): boolean {
		const { words, state, nobody, taken } = this.#lift.border!.returns;
		const returned = words[state] === taken;
		words[state] = nobody;
		if (returned) {
			task.via = this.#state.number;
			task.return(this.#brief!.read());
		}
		return returned;
	}

	/** A call that went by untold is one like any other now. */
	#surface(returned: unknown): unknown {
		const { bare, instance, options } = this.#lift;
		const { task, thread } = this.#spare!;
		const { turn } = bare!;
		if (turn.stuck) return this.#sink(undefined);
		const told = this.#told;
		leaveInstances(instance.enteredFromHost);
		// Is told, if it was not before
		turn.release();
		this.#told = false;
		if (told || (options.async && returned !== CALLBACK_EXIT)) this.#doubt();
		try {
			return this.#finish(task, thread, options.async ? returned : this.#brief!.read(returned), null);
		} catch (error) {
			return this.#fail(error);
		}
	}

	/** It has failed. */
	#sink(error: unknown): unknown {
		const { bare, instance } = this.#lift;
		this.#sinkReturn();
		const { turn } = bare!;
		try {
			return this.#fail(instance.instance.store.fail(turn.reason(error)));
		} finally {
			turn.release();
			this.#told = false;
		}
	}

	#sinkReturn(): void {
		const { words, state, nobody } = this.#lift.border!.returns;
		words[state] = nobody;
		this.#lift.border!.tells = this.#told = false;
	}

	#doubt(): void {
		this.#state.thread = null;
		this.#proofs = 0;
		this.#needed = Math.min(this.#needed * MORE_PROOFS, MOST_PROOFS);
	}

	#createSpare(): Spare {
		const { type, options, instance } = this.#lift;
		const task = new Task(instance, type, options, false, null);
		const thread = new Thread(task, this.#scheduler, null);
		task.beginAtOnce(thread);
		task.onTold = () => {
			this.#told = true;
			return this.#takeReturn(task);
		};
		return (this.#spare = { task, thread });
	}

	/** What comes after the guest's function has returned. */
	#goOn(task: Task, thread: Thread, returned: number): unknown {
		const scheduler = this.#scheduler;
		this.#forget();
		task.begin(thread);
		this.#callOn(task, thread, returned);
		void thread.stopped;
		if (task.resolved) {
			scheduler.leave();
			return task.value;
		}
		const promise = scheduler.promise((resolve) =>
			task.tell((outcome) => resolve(outcome === CANCELLED ? undefined : outcome.value)),
		);
		scheduler.leave();
		return promise;
	}
}

/**
 * Until it first returns, a function that needs no stack of its own is like one that is not async, whose result is what it returns to the
 * scheduler.
 */
function liftFirst({ type, core, options, instance, bare }: AsyncLift): ComponentFunction | null {
	const result: ValueType | null = options.async ? { kind: "u32" } : type.result;
	const first: FunctionType = { ...type, async: false, result };
	if (bare === null || isAsync(first)) return null;
	return canonLift(first, core, options, instance.instance, core, bare);
}
