import type { FunctionType } from "../../component/mod.ts";
import type { CallScope } from "../handles.ts";
import type { CanonicalOptions, ComponentInstance } from "../store.ts";
import { Parked } from "./parked.ts";

/** The index of a thread that is to have one when anybody asks: most calls are over before. */
export const UNLISTED = -1;

/** How a lifted function returns. */
export interface TaskOptions extends CanonicalOptions {
	readonly async: boolean;
	readonly callback: boolean;
}

/** The task of a thread, as its code sees it: `Task`. */
export interface ThreadTask {
	readonly instance: {
		readonly instance: ComponentInstance;
		readonly enteredFromHost: readonly ComponentInstance[] | null;
	};
	readonly type: FunctionType;
	readonly options: TaskOptions;
	readonly scope: CallScope;
	readonly carried: boolean;
	readonly needsExclusive: boolean;
	via: number;
	readonly onTold: (() => boolean) | null;
	isImplicit(thread: Thread): boolean;
	register(thread: Thread): void;
	unregister(thread: Thread): void;
	deliverPendingCancel(cancellable: boolean): boolean;
	return(value: unknown): void;
	cancel(): void;
}

/** Whose turn it is: `Scheduler`. */
export interface Turns {
	/** The thread whose code runs, suspended or not by a host function that it called. */
	readonly current: Thread | null;
	/** The same, where there must be one. */
	readonly thread: Thread;
	/** Threads that wait, the first to come first. */
	readonly waiting: Thread[];
	resume(thread: Thread, cancelled?: boolean): void | Promise<void>;
}

/** What a thread does: it ends in `finish` or in `fail`, and never rejects. */
type Body = (thread: Thread) => void | Promise<void>;

/** Told when a thread that was let run stops, or fails. */
export interface StopListener {
	stopped(): void;
	failed(error: unknown): void;
}

type State = "suspended" | "waiting" | "running" | "done" | "failed";

/**
 * CanonicalABI.md `Thread`: one flow of control of a task. The guest's part of it runs on stacks of its own (V8's), which are suspended on
 * promises that only the thread's resumption settles. Of all threads of a store at most one runs.
 */
export class Thread {
	readonly task: ThreadTask;
	readonly turns: Turns;
	#storage: [number, number] | null = null;
	/** In the instance's table of threads; 0 before it is there, or `UNLISTED`. */
	index = 0;
	/** Whether its wait ends when its task is cancelled. */
	cancellable = false;
	/** What it waits for; `null` where only another thread can resume it. */
	ready: (() => boolean) | null = null;
	#state: State = "suspended";
	#body: Body | null;
	#error: unknown;
	#wake: ((cancelled: boolean) => void) | null = null;
	#listener: StopListener | null = null;
	#next: Thread | null = null;
	/** What `park` gives; what comes of it, and what makes it go on, which are made once: there may be a wait for each chunk of a stream. */
	#parked: Parked<unknown> | null = null;
	#then: (() => unknown) | null = null;
	#wakeParked: (() => void) | null = null;
	#wakeLater: (() => void) | null = null;

	/** @param body `null` where it runs already, on the stack of whoever makes it */
	constructor(task: ThreadTask, turns: Turns, body: Body | null) {
		this.task = task;
		this.turns = turns;
		this.#body = body;
		if (body !== null) return;
		this.#state = "running";
		this.index = UNLISTED;
	}

	/** The slots of `context.get` and `context.set`. */
	get storage(): [number, number] {
		return (this.#storage ??= [0, 0]);
	}

	/** As new, where it ran on its maker's stack, never stopped, and was not asked for. */
	renew(): void {
		this.#storage = null;
	}

	get suspended(): boolean {
		return this.#state === "suspended";
	}

	get waiting(): boolean {
		return this.#state === "waiting";
	}

	/** Runs it until it waits, is suspended, or has ended: false where that is not at once. Only for `Scheduler`. */
	run(cancelled: boolean): boolean {
		this.#state = "running";
		const body = this.#body;
		if (body === null) {
			const wake = this.#wake;
			this.#wake = null;
			// It goes on once those who wait for promises are told.
			wake?.(cancelled);
			return false;
		}
		this.#body = null;
		void body(this);
		return this.stopped;
	}

	/** Where `run` has said false: the listener is told, maybe from inside of the guest. */
	whenStopped(listener: StopListener): void {
		this.#listener = listener;
	}

	/** Whether it waits in its midst: to run on, it has only to be told. */
	get isUnderWay(): boolean {
		return this.#body === null;
	}

	/** Whether it waits, is suspended, or has ended. @throws what it failed with */
	get stopped(): boolean {
		if (this.#state === "failed") throw this.#error;
		return this.#state !== "running";
	}

	/**
	 * Stops the running thread until `ready` (where it is given) and resumed, and lets `next` run before whoever resumed this one.
	 * @returns whether it was resumed because its task is cancelled
	 */
	block(ready: (() => boolean) | null, cancellable: boolean, next: Thread | null = null): Promise<boolean> {
		return new Promise((resolve) => this.#block(ready, cancellable, next, resolve));
	}

	/** As `block`, for what cannot be cancelled: gives what `then` makes of it when it is resumed. */
	blockFor<T>(ready: () => boolean, then: () => T): Promise<T> {
		return new Promise((resolve, reject) => {
			this.#block(ready, false, null, () => {
				try {
					resolve(then());
				} catch (error) {
					reject(error);
				}
			});
		});
	}

	/**
	 * The same for who has the thread's stack suspended, and returns what this does to the engine.
	 * @param later whether it goes on a little later than it could: what `then` makes of it is made at once all the same
	 */
	park<T>(ready: () => boolean, then: () => T, later = false): Parked<T> {
		const parked = (this.#parked ??= new Parked()).renew();
		this.#then = then;
		const wake = later
			? (this.#wakeLater ??= this.#createWakeLater())
			: (this.#wakeParked ??= () => this.#goOnParked());
		this.#block(ready, false, null, wake);
		return parked as Parked<T>;
	}

	#goOnParked(): void {
		let value: unknown;
		try {
			value = this.#then?.();
		} catch (error) {
			return this.#parked?.reject(error);
		}
		this.#parked?.resolve(value);
	}

	#createWakeLater(): () => void {
		let value: unknown;
		const goOn = (): void => this.#parked?.resolve(value);
		return () => {
			try {
				value = this.#then?.();
			} catch (error) {
				return this.#parked?.reject(error);
			}
			void NOTHING.then(goOn);
		};
	}

	#block(
		ready: (() => boolean) | null,
		cancellable: boolean,
		next: Thread | null,
		wake: (cancelled: boolean) => void,
	): void {
		this.#state = ready === null ? "suspended" : "waiting";
		this.ready = ready;
		this.cancellable = cancellable;
		this.#next = next;
		if (ready !== null) this.turns.waiting.push(this);
		this.#wake = wake;
		this.#stop();
	}

	/** As `block`; at once when the task's cancellation is pending and can be delivered here. */
	wait(ready: (() => boolean) | null, cancellable: boolean, next: Thread | null = null): boolean | Promise<boolean> {
		if (this.task.deliverPendingCancel(cancellable)) return true;
		return this.block(ready, cancellable, next);
	}

	/** Makes a suspended thread wait for its turn. */
	resumeLater(): void {
		this.#state = "waiting";
		this.ready = always;
		this.turns.waiting.push(this);
	}

	/** Whether it stopped in favour of another. */
	get hasNext(): boolean {
		return this.#next !== null;
	}

	/** The thread that is to run next, where it stopped in favour of one. */
	takeNext(): Thread | null {
		const next = this.#next;
		this.#next = null;
		return next;
	}

	finish(): void {
		this.#state = "done";
		this.#stop();
	}

	fail(error: unknown): void {
		// It can also be ended while it waits: with its sandbox, when nobody resumed it.
		const listener = this.#listener;
		this.#state = "failed";
		this.#error = error;
		this.#listener = null;
		listener?.failed(error);
	}

	#stop(): void {
		const listener = this.#listener;
		this.#listener = null;
		listener?.stopped();
	}
}

const NOTHING: Promise<void> = Promise.resolve();

function always(): boolean {
	return true;
}
