import { containsKind, type FunctionType } from "../../component/mod.ts";
import { checkArguments } from "../check.ts";
import { Context } from "../context.ts";
import {
	type ComponentFunction,
	type ComponentInstance,
	type CoreFunction,
	type CoreValue,
	enterInstances,
	leaveInstances,
} from "../store.ts";
import { trap } from "../traps.ts";
import { after } from "./after.ts";
import { type AsyncLift, AtOnceCalls, CALLBACK_EXIT } from "./at-once.ts";
import { type FlatValues, liftedParams, liftedResults } from "./flat-values.ts";
import { type AsyncInstance, CANNOT_BLOCK } from "./instance.ts";
import type { Scheduler } from "./scheduler.ts";
import { CANCELLED, type Outcome, Task } from "./task.ts";
import { Thread } from "./thread.ts";
import { type Event, NO_EVENT, TASK_CANCELLED, WaitableSet } from "./waitable.ts";

/** A call that has begun. */
export interface Started {
	/** Asks it to end early. */
	cancel(): void | Promise<void>;
	/** A promise where the callee is still at it: neither returned, nor waiting for its turn. */
	readonly stopped: void | Promise<void>;
}

/** CanonicalABI.md `FuncInst`: what `canon lower` calls. */
export interface Callee {
	/** Lists its values in the form that two guests use among themselves. */
	readonly carried: boolean;
	start(
		caller: AsyncInstance | null,
		onStart: () => readonly unknown[],
		onResolve: (outcome: Outcome) => void,
	): Started;
}

/** CanonicalABI.md `CallbackCode`, beyond `CALLBACK_EXIT`. */
const CALLBACK = { yield: 1, wait: 2 } as const;

/** `canon lift` in a component that knows of tasks: CanonicalABI.md `canon_lift`. */
export class AsyncLiftedFunction implements ComponentFunction, Callee {
	readonly type: FunctionType;
	readonly carried = true;
	/** As `call` without a signal. */
	readonly invoke: (...args: unknown[]) => unknown;
	readonly #lift: AsyncLift;
	#name: string | undefined;
	readonly #scheduler: Scheduler;
	readonly #params: FlatValues;
	readonly #results: FlatValues;
	readonly #context: Context;
	readonly #borrows: boolean;
	/** `null` where it may be suspended. */
	readonly #atOnce: AtOnceCalls | null;

	constructor(lift: AsyncLift, scheduler: Scheduler) {
		this.type = lift.type;
		this.#lift = lift;
		this.#scheduler = scheduler;
		this.#params = liftedParams(lift.type);
		this.#results = liftedResults(lift.type, lift.options.async);
		this.#context = new Context(lift.options, lift.instance.instance);
		// What is borrowed is given back before the task returns, which may be later than the guest's function does.
		this.#borrows = lift.type.params.some(({ type }) => containsKind(type, "borrow"));
		this.#atOnce = this.#borrows
			? null
			: AtOnceCalls.of(lift, scheduler, (...returned) => void this.#goOn(...returned));
		const atOnce = this.#atOnce;
		this.invoke = (...args) => {
			if (atOnce === null || !scheduler.atRest || !lift.instance.free) return this.#callLater(args);
			return atOnce.call(args);
		};
	}

	known(name: string): void {
		this.#name ??= name;
		this.#atOnce?.known(name);
	}

	/** See `AtOnceCalls.brief`. */
	get brief(): ((...args: unknown[]) => unknown) | undefined {
		return this.#atOnce?.brief;
	}

	/**
	 * A call by the host: a promise, unless the guest returns at once. When `signal` is aborted its task is cancelled, as `subtask.cancel`
	 * does.
	 */
	call(args: readonly unknown[], signal?: AbortSignal): unknown {
		return signal === undefined ? this.invoke(...args) : this.#callLater(args, signal);
	}

	#callLater(args: readonly unknown[], signal?: AbortSignal): unknown {
		const scheduler = this.#scheduler;
		const { instance } = this.#lift.instance;
		checkArguments(instance.store, this.type.params, args, this.#name);
		if (signal !== undefined) return this.#callCancellable(args, signal);
		return scheduler.call(instance, (resolve) => {
			const onResolve = (outcome: Outcome): void => resolve(outcome === CANCELLED ? undefined : outcome.value);
			return this.#start(null, () => args, onResolve, false).stopped;
		});
	}

	async #callCancellable(args: readonly unknown[], signal: AbortSignal): Promise<unknown> {
		const { instance } = this.#lift.instance;
		const scheduler = this.#scheduler;
		signal.throwIfAborted();
		let cancel = (): void | Promise<void> => {};
		// Between threads, as all that the host brings; not in a later use of the store.
		const { epoch } = instance.store;
		const abort = (): void => {
			if (!instance.store.isOver(epoch)) scheduler.enqueue(() => cancel());
		};
		signal.addEventListener("abort", abort, { once: true });
		try {
			const outcome = await scheduler.call(instance, (resolve) => {
				if (signal.aborted) return resolve(CANCELLED);
				const started = this.#start(null, () => args, resolve, false);
				cancel = () => started.cancel();
				return started.stopped;
			});
			if (outcome === CANCELLED) throw signal.reason;
			return (outcome as { readonly value: unknown }).value;
		} finally {
			signal.removeEventListener("abort", abort);
		}
	}

	start(
		caller: AsyncInstance | null,
		onStart: () => readonly unknown[],
		onResolve: (outcome: Outcome) => void,
	): Started {
		return this.#start(caller, onStart, onResolve, true);
	}

	#start(
		caller: AsyncInstance | null,
		onStart: () => readonly unknown[],
		onResolve: (outcome: Outcome) => void,
		carried: boolean,
	): Started {
		const { type, options, instance } = this.#lift;
		const entered = caller === null ? instance.enteredFromHost : instance.instance.enteredFrom(caller.instance);
		enterInstances(entered);
		const task = new Task(instance, type, options, carried, onResolve);
		const thread = new Thread(task, this.#scheduler, (self) => this.#run(task, self, onStart));
		const cancel = (): void | Promise<void> => task.requestCancellation(caller);
		const stopped = this.#drive(task, thread, entered);
		return { cancel, stopped };
	}

	/** Runs the call's thread until it stops; where the function is not async, until it has returned. */
	#drive(task: Task, thread: Thread, entered: readonly ComponentInstance[] | null): void | Promise<void> {
		const { instance, type } = this.#lift;
		if (type.async) {
			return after(this.#scheduler.resume(thread), () =>
				after(this.#letIn(task, thread), () => leaveInstances(entered)),
			);
		}
		instance.syncCalls++;
		const leave = (): undefined => {
			instance.syncCalls--;
			return leaveInstances(entered);
		};
		return after(this.#scheduler.resume(thread), () => after(this.#untilResolved(task), leave));
	}

	/**
	 * A call that finds the instance taken by a thread which can go on lets it, and may have its turn right after. When a thread that is ready
	 * runs is for the host to say: the reference picks one at random, Wasmtime lets all that was ready before a call go first, and
	 * `async/sync-streams.wast` of the suite has the callee STARTED here, not STARTING.
	 */
	#letIn(task: Task, thread: Thread): void | Promise<void> {
		const { exclusive } = this.#lift.instance;
		if (!task.isFirstToEnter || exclusive?.waiting !== true || exclusive.ready?.() !== true) return undefined;
		return after(this.#scheduler.resume(exclusive), () =>
			thread.waiting && thread.ready?.() === true ? this.#scheduler.resume(thread) : undefined,
		);
	}

	#untilResolved(task: Task): void | Promise<void> {
		const { instance } = this.#lift;
		while (!task.resolved) {
			const candidate = instance.candidate();
			if (candidate === undefined) trap(CANNOT_BLOCK);
			const stopped = this.#scheduler.resume(candidate);
			if (stopped instanceof Promise) return stopped.then(() => this.#untilResolved(task));
		}
		return undefined;
	}

	/** Most calls are over before anything has to wait: these make no promise. */
	#run(task: Task, thread: Thread, onStart: () => readonly unknown[]): void {
		try {
			if (!task.free) return void this.#runLater(task, thread, onStart);
			const returned = this.#begin(task, thread, onStart);
			if (!this.#isLast(returned)) return void this.#goOn(task, thread, returned);
			task.unregister(thread);
			thread.finish();
		} catch (error) {
			thread.fail(error);
		}
	}

	async #runLater(task: Task, thread: Thread, onStart: () => readonly unknown[]): Promise<void> {
		try {
			if (!(await task.enter(thread))) return thread.finish();
			void this.#goOn(task, thread, this.#begin(task, thread, onStart));
		} catch (error) {
			thread.fail(error);
		}
	}

	#begin(task: Task, thread: Thread, onStart: () => readonly unknown[]): ReturnType<CoreFunction> {
		task.begin(thread);
		const cx = this.#context;
		const args = onStart();
		cx.carried = task.carried;
		cx.scope = this.#borrows ? task.scope : null;
		return this.#lift.core(...this.#params.lower(cx, args, undefined));
	}

	/** Whether nothing comes after what the guest's function returned. */
	#isLast(returned: ReturnType<CoreFunction>): boolean {
		const { callback, options } = this.#lift;
		if (!options.async || returned instanceof Promise) return false;
		return callback === null || returned === CALLBACK_EXIT;
	}

	async #goOn(task: Task, thread: Thread, returned: ReturnType<CoreFunction>): Promise<void> {
		const { callback, options } = this.#lift;
		try {
			let value = returned instanceof Promise ? await returned : returned;
			if (!options.async) {
				const posted = this.#return(task, value);
				if (posted instanceof Promise) await posted;
			} else if (callback !== null) {
				for (let event = this.#next(task, thread, value as number); event !== null;) {
					const [code, index, payload] = event instanceof Promise ? await event : event;
					task.instance.exclusive = thread;
					const called = callback(code, index, payload);
					value = called instanceof Promise ? await called : called;
					event = this.#next(task, thread, value as number);
				}
			}
			task.unregister(thread);
			thread.finish();
		} catch (error) {
			thread.fail(error);
		}
	}

	#return(task: Task, value: CoreValue | undefined): void | Promise<unknown> {
		const { options, instance } = this.#lift;
		const cx = this.#context;
		cx.carried = cx.passes = task.carried;
		const [result] = this.#results.lift(cx, value === undefined ? [] : [value]);
		task.return(result);
		const { postReturn } = options;
		if (postReturn === null) return undefined;
		instance.instance.mayLeave = false;
		const posted = value === undefined ? postReturn() : postReturn(value);
		return after(posted as undefined, () => {
			instance.instance.mayLeave = true;
		});
	}

	/** What a callback is called with next, according to what it returned; `null` when it is done. */
	#next(task: Task, thread: Thread, packed: number): Event | Promise<Event> | null {
		const { instance } = task;
		const code = packed & 0xf;
		if (code > CALLBACK.wait) trap(`unsupported callback code: ${code}`);
		if (code === CALLBACK_EXIT) return null;
		const free = (): boolean => instance.exclusive === null;
		if (code === CALLBACK.yield) {
			instance.exclusive = null;
			return after(thread.wait(free, true), (cancelled) => (cancelled ? TASK_CANCELLED : NO_EVENT));
		}
		const set = instance.instance.handles.get(packed >>> 4);
		if (!(set instanceof WaitableSet)) trap(`handle index ${packed >>> 4} is not a waitable set`);
		instance.exclusive = null;
		return set.wait(thread, true, free);
	}
}
