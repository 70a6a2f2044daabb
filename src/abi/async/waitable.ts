import type { TableElement } from "../handles.ts";
import { trap } from "../traps.ts";
import type { Parked } from "./parked.ts";
import type { Thread } from "./thread.ts";

/** CanonicalABI.md `EventCode`. */
export const EVENT = {
	none: 0,
	subtask: 1,
	streamRead: 2,
	streamWrite: 3,
	futureRead: 4,
	futureWrite: 5,
	taskCancelled: 6,
} as const;

type EventCode = (typeof EVENT)[keyof typeof EVENT];

/** Code, index of the waitable, and what came of it. */
export type Event = readonly [EventCode, number, number];

/** Something has happened: what it is, when it is delivered. What has happened until then counts. */
export interface Happening {
	take(): Event;
}

export const NO_EVENT: Event = [EVENT.none, 0, 0];
export const TASK_CANCELLED: Event = [EVENT.taskCancelled, 0, 0];

/** What a builtin returns that has to be waited for: CanonicalABI.md `BLOCKED`, as the i32 it is. */
export const BLOCKED = -1;

const SHARED = "waitable cannot be used synchronously while added to a waitable set";

/** CanonicalABI.md `Waitable`: something in a handle table that comes to have an event. */
export abstract class Waitable implements TableElement {
	set: WaitableSet | null = null;
	#pending: Happening | null = null;
	/** A thread waits for this one alone. */
	#alone = false;
	/** What such a thread waits for, and what it is given then: made once, as there may be a wait for each chunk of a stream. */
	#isThere: (() => boolean) | null = null;
	#takesAlone: (() => number) | null = null;

	/** A newer event takes the place of one that was not delivered. */
	setPending(happening: Happening): void {
		this.#pending = happening;
	}

	get hasPending(): boolean {
		return this.#pending !== null;
	}

	takePending(): Event {
		const pending = this.#pending;
		if (pending === null) throw new Error("a waitable without an event was asked for it");
		this.#pending = null;
		return pending.take();
	}

	/** Stops the thread until there is an event, which no set may take meanwhile; gives what came of it. */
	waitAlone(thread: Thread): Promise<number> {
		this.#alone = true;
		this.#isThere ??= () => this.hasPending;
		return thread.blockFor(this.#isThere, (this.#takesAlone ??= () => this.#takeAlone()));
	}

	/** The same for who has the thread's stack suspended: see `Thread.park`. */
	parkAlone(thread: Thread, later: boolean): Parked<number> {
		this.#alone = true;
		this.#isThere ??= () => this.hasPending;
		return thread.park(this.#isThere, (this.#takesAlone ??= () => this.#takeAlone()), later);
	}

	#takeAlone(): number {
		this.#alone = false;
		return this.takePending()[2];
	}

	/** Traps where it is in a set. `hint` is what else there is to say. */
	checkAlone(hint = ""): void {
		if (this.set !== null) trap(SHARED + hint);
	}

	checkShared(): void {
		if (this.#alone) trap(SHARED);
	}

	join(set: WaitableSet | null): void {
		this.set?.elements.delete(this);
		this.set = set;
		set?.elements.add(this);
	}

	abstract release(): void;
}

/** CanonicalABI.md `WaitableSet`. Of several events the one of the waitable that joined first is delivered first. */
export class WaitableSet implements TableElement {
	readonly elements: Set<Waitable> = new Set();
	#waiting = 0;

	get hasPending(): boolean {
		for (const element of this.elements) if (element.hasPending) return true;
		return false;
	}

	#take(): Event {
		for (const element of this.elements) if (element.hasPending) return element.takePending();
		throw new Error("a waitable set without an event was asked for one");
	}

	/** The next event, once there is one and `ready` holds. */
	async wait(thread: Thread, cancellable: boolean, ready: () => boolean): Promise<Event> {
		this.#waiting++;
		const cancelled = await thread.wait(() => ready() && this.hasPending, cancellable);
		this.#waiting--;
		return cancelled ? TASK_CANCELLED : this.#take();
	}

	poll(thread: Thread, cancellable: boolean): Event {
		if (thread.task.deliverPendingCancel(cancellable)) return TASK_CANCELLED;
		return this.hasPending ? this.#take() : NO_EVENT;
	}

	drop(): void {
		if (this.elements.size > 0) trap("cannot drop non-empty waitable set");
		if (this.#waiting > 0) trap("cannot drop waitable set with waiters");
	}

	release(): void {}
}
