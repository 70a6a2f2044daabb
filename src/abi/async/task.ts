import type { FunctionType } from "../../component/mod.ts";
import { CallScope } from "../handles.ts";
import { enterInstances, leaveInstances } from "../store.ts";
import { trap } from "../traps.ts";
import { after } from "./after.ts";
import type { AsyncInstance } from "./instance.ts";
import { type TaskOptions, type Thread, type ThreadTask, UNLISTED } from "./thread.ts";

const UNRESOLVED = "async-lifted export failed to produce a result";

type State = "initial" | "pending-cancel" | "cancel-delivered" | "resolved";

/** CanonicalABI.md `Task`: a call, as the callee sees it. */
export class Task implements ThreadTask {
	readonly instance: AsyncInstance;
	readonly type: FunctionType;
	readonly options: TaskOptions;
	#scope: CallScope | null = null;
	/** Whether a guest called it: see `Context.carried`. */
	readonly carried: boolean;
	#resolve: ((outcome: Outcome) => void) | null;
	/** What it returned, where nobody was told. */
	value: unknown = undefined;
	/** The number of the built-in through which it returned, if that has one. */
	via = 0;
	/** Told when a call that went by untold does so no more; whether it has returned by then. */
	onTold: (() => boolean) | null = null;
	#state: State = "initial";
	#waitingToEnter: Thread | null = null;
	#implicit: Thread | null = null;
	#implicitRuns = false;
	/** Its threads beyond that one; most tasks have none. */
	#others: Set<Thread> | null = null;

	/** @param resolve told of its outcome; `null` where whoever began it looks for himself */
	constructor(
		instance: AsyncInstance,
		type: FunctionType,
		options: TaskOptions,
		carried: boolean,
		resolve: ((outcome: Outcome) => void) | null,
	) {
		this.instance = instance;
		this.type = type;
		this.options = options;
		this.carried = carried;
		this.#resolve = resolve;
	}

	/** Borrows that are made for it. */
	get scope(): CallScope {
		return (this.#scope ??= new CallScope());
	}

	get resolved(): boolean {
		return this.#state === "resolved";
	}

	/** Whether its first thread must have the instance for itself: all but stackful tasks keep state in globals of the guest. */
	get needsExclusive(): boolean {
		return !this.options.async || this.options.callback;
	}

	/** CanonicalABI.md `Task.enter_implicit_thread`. False where the task was cancelled before it began. */
	async enter(thread: Thread): Promise<boolean> {
		const { instance } = this;
		const pressed = (): boolean => instance.backpressure > 0 || (this.needsExclusive && instance.exclusive !== null);
		if (pressed() || instance.waitingToEnter > 0) {
			instance.waitingToEnter++;
			this.#waitingToEnter = thread;
			const cancelled = await thread.block(() => !pressed(), true);
			this.#waitingToEnter = null;
			instance.waitingToEnter--;
			if (cancelled) {
				this.cancel();
				return false;
			}
		}
		return true;
	}

	/** Whether `enter` would let it in at once. */
	get free(): boolean {
		const { instance, type } = this;
		if (!type.async) return true;
		if (instance.backpressure > 0 || instance.waitingToEnter > 0) return false;
		return !this.needsExclusive || instance.exclusive === null;
	}

	/** Whether it waits to be let in, and no other does. */
	get isFirstToEnter(): boolean {
		return this.#waitingToEnter !== null && this.instance.waitingToEnter === 1;
	}

	/** Its first thread begins. */
	begin(thread: Thread): void {
		this.#implicit = thread;
		if (this.type.async && this.needsExclusive) this.instance.exclusive = thread;
		this.register(thread);
	}

	/** Whether it is the thread that the call itself began. */
	isImplicit(thread: Thread): boolean {
		return this.#implicit === thread;
	}

	register(thread: Thread): void {
		if (thread === this.#implicit) this.#implicitRuns = true;
		else (this.#others ??= new Set()).add(thread);
		const { threads } = this.instance;
		// Those that ask who is there see the one that runs.
		if (thread.index <= 0) thread.index = threads.add(thread);
	}

	/**
	 * Its first thread begins on the stack of whoever calls it, and may end there. Until it stops in another way, or is asked for, nothing
	 * is told of it: nobody else gets to run.
	 */
	beginAtOnce(thread: Thread): void {
		this.#implicit = thread;
		this.#implicitRuns = true;
	}

	/** That thread has ended. @returns whether the two can serve another call: nobody knows of them. As new then */
	endAtOnce(thread: Thread): boolean {
		if (this.#others !== null || thread.index !== UNLISTED) {
			this.unregister(thread);
			return false;
		}
		if (this.#state !== "resolved") trap(UNRESOLVED);
		this.#state = "initial";
		this.#scope = null;
		this.value = undefined;
		this.via = 0;
		return true;
	}

	/** A thread has ended. The last one must leave the task resolved. */
	unregister(thread: Thread): void {
		if (thread === this.#implicit) this.#implicitRuns = false;
		else this.#others?.delete(thread);
		this.instance.threads.remove(thread.index);
		if (this.instance.exclusive === thread) this.instance.exclusive = null;
		const none = !this.#implicitRuns && (this.#others === null || this.#others.size === 0);
		if (none && this.#state !== "resolved") trap(UNRESOLVED);
	}

	/** CanonicalABI.md `Task.request_cancellation`; a promise where a thread of the task runs because of it. */
	requestCancellation(caller: AsyncInstance | null): void | Promise<void> {
		// The host may ask at any time: when it is over, or has asked before.
		if (this.#state !== "initial") return undefined;
		const { instance } = this;
		const waiting = this.#waitingToEnter;
		const entered = instance.instance.enteredFrom(caller?.instance ?? null);
		const mayEnter = entered !== null && entered.every((one) => !one.entered);
		if (waiting !== null && mayEnter) {
			this.#state = "cancel-delivered";
			return this.#resume(waiting, entered);
		}
		if (mayEnter && (!this.needsExclusive || instance.exclusive === null || this.#has(instance.exclusive))) {
			for (const thread of this.#threads()) {
				if (!thread.cancellable || !(thread.waiting || thread.suspended)) continue;
				this.#state = "cancel-delivered";
				return this.#resume(thread, entered);
			}
		}
		this.#state = "pending-cancel";
		return undefined;
	}

	*#threads(): Iterable<Thread> {
		if (this.#implicitRuns) yield this.#implicit!;
		if (this.#others !== null) yield* this.#others;
	}

	#has(thread: Thread): boolean {
		return thread === this.#implicit ? this.#implicitRuns : this.#others?.has(thread) === true;
	}

	#resume(thread: Thread, entered: Parameters<typeof leaveInstances>[0]): void | Promise<void> {
		enterInstances(entered);
		return after(thread.turns.resume(thread, true), () => leaveInstances(entered));
	}

	deliverPendingCancel(cancellable: boolean): boolean {
		if (!cancellable || this.#state !== "pending-cancel") return false;
		this.#state = "cancel-delivered";
		return true;
	}

	/** CanonicalABI.md `Task.return_` */
	return(value: unknown): void {
		if (this.#state === "resolved") trap("invalid `task.return` or `task.cancel` called for current task");
		if (this.#scope !== null && this.#scope.borrows > 0) trap("borrow handles still remain at the end of the call");
		this.#state = "resolved";
		if (this.#resolve === null) this.value = value;
		else this.#resolve({ value });
	}

	/** CanonicalABI.md `Task.cancel` */
	cancel(): void {
		if (this.#state !== "cancel-delivered") trap("`task.cancel` called by task which has not been cancelled");
		if (this.#scope !== null && this.#scope.borrows > 0) trap("borrow handles still remain at the end of the call");
		this.#state = "resolved";
		this.#resolve?.(CANCELLED);
	}

	/** Whoever began it goes away before there is an outcome: from now on it is told. */
	tell(resolve: (outcome: Outcome) => void): void {
		this.#resolve = resolve;
	}
}

/** How a call ended: with a value, or cancelled. */
export type Outcome = { readonly value: unknown } | typeof CANCELLED;

export const CANCELLED = "cancelled";
