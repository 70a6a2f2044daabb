import { LimitExceeded, Trap } from "../../fault/mod.ts";
import type { Pledges, StorePart } from "../store-part.ts";
import { type ComponentInstance, enterInstances, leaveInstances, refusal, type Store } from "../store.ts";
import { type HostCall, HostCalls } from "./host-calls.ts";
import { AsyncInstance, DEADLOCK } from "./instance.ts";
import { nextTurn } from "./next-turn.ts";
import type { StopListener, Thread, Turns } from "./thread.ts";

/** Whoever looks at the limits of a sandbox while no guest of it is on any stack. */
export interface Watch {
	/** It waits for the host, or for a turn. */
	wait(): void;
	/** It has come to an end by itself. */
	leave(): void;
}

/** So many threads run in one turn of the event loop: then the host gets to do something for them, or to end them. */
const TURN = 64;

/** What came of a tick: it is over, or there was nothing to do, or a thread runs of which the pump is told; or whatever it is that settles. */
type Ticked = "done" | "idle" | "runs" | Promise<void>;

/** What the pump is told of, in which tick. */
interface PumpedRun extends StopListener {
	thread: Thread;
	/** Left once it has stopped. */
	entered: readonly ComponentInstance[] | null;
	turns: number;
}

const NOTHING: Promise<void> = Promise.resolve();

/**
 * CanonicalABI.md `Store`, its threads: which one runs, and which are next. They take turns in the order in which they came to wait;
 * no timer has a part in it, so that the same calls give the same order every time.
 */
export class Scheduler implements Pledges, StorePart, Turns {
	readonly store: Store;
	/** The thread whose code runs, suspended or not by a host function that it called. */
	current: Thread | null = null;
	/** Threads that wait, the first to come first. */
	waiting: Thread[] = [];
	readonly #instances = new Map<ComponentInstance, AsyncInstance>();
	#pumping = false;
	/** A thread runs, or code of the host's between threads; or what comes after it in JavaScript is still to come. */
	#ticking = false;
	#inHost = false;
	/** What the host brought: results of its functions, calls. Done between threads. */
	#work: (() => void | Promise<void>)[] = [];
	readonly #calls = new HostCalls();
	/** What the host can still do by itself: promises it has not settled, ends of streams that it holds. */
	#pledges = 0;
	#quiet: (() => void)[] = [];
	readonly #watch: Watch | null;

	/** @param watch called with what ends the sandbox's calls */
	constructor(store: Store, watch: ((end: (reason: unknown) => void) => Watch) | null = null) {
		this.store = store;
		this.#watch = watch?.((reason) => this.#fail(store.fail(this.#explain(reason)))) ?? null;
		store.parts.push(this);
		store.pledges = this;
	}

	/** Where no call is under way, it is what the host has in its hands that kept the sandbox: it is told so. */
	#explain(reason: unknown): unknown {
		if (!(reason instanceof LimitExceeded) || reason.limit !== "wall" || this.#calls.size > 0) return reason;
		const ends = [...this.store.held];
		const unread = ends.filter(({ reads }) => reads).length;
		if (ends.length === 0) return reason;
		const state =
			unread > 0
				? `streams or futures that the host has neither read to the end nor cancelled: ${unread}`
				: `streams or futures that the host gives and that have not ended: ${ends.length}`;
		return new LimitExceeded("wall", reason.allowed, reason.app, state);
	}

	instance(of: ComponentInstance): AsyncInstance {
		let found = this.#instances.get(of);
		if (found === undefined) this.#instances.set(of, (found = new AsyncInstance(of, this)));
		return found;
	}

	/** The running thread; start functions of core modules run in none. */
	get thread(): Thread {
		if (this.current === null) throw new Trap("cannot block a synchronous task before returning");
		return this.current;
	}

	/** Runs a thread until it stops, and whichever it stops in favour of. A promise where that is not at once. */
	resume(thread: Thread, cancelled = false): void | Promise<void> {
		const saved = this.current;
		const running = this.#runAtOnce(thread, cancelled);
		if (running !== null) return this.#runOn(running, saved);
		this.current = saved;
		return undefined;
	}

	/** @returns the thread that does not stop at once */
	#runAtOnce(thread: Thread, cancelled: boolean): Thread | null {
		for (let next: Thread | null = thread; next !== null; cancelled = false) {
			this.current = next;
			if (next.waiting) this.#remove(next);
			if (!next.run(cancelled)) return next;
			next = next.takeNext();
		}
		return null;
	}

	/** Once they have stopped, `saved` is current again. */
	async #runOn(thread: Thread, saved: Thread | null): Promise<void> {
		const { epoch } = this.store;
		let running: Thread | null = thread;
		for (let turns = 1; running !== null; turns++) {
			await hasStopped(running);
			const next: Thread | null = running.takeNext();
			if (next !== null && turns % TURN === 0) await this.#giveHostItsTurn(epoch);
			running = next === null ? null : this.#runAtOnce(next, false);
		}
		this.current = saved;
	}

	/** Between threads of which one stops in favour of the next, which they may do for ever. @throws where the sandbox has ended in it */
	async #giveHostItsTurn(epoch: object): Promise<void> {
		await this.#nextTurn();
		const { store } = this;
		if (store.isOver(epoch) || store.poison !== undefined)
			throw store.poison ?? new Trap("cannot enter component instance");
	}

	/**
	 * The same for the pump, in its tick `turns`, which goes on with it. Without a promise for each stop.
	 * @returns false where it is not at once: then the pump goes on in a microtask of its own
	 */
	#runForPump(thread: Thread, entered: readonly ComponentInstance[] | null, turns: number, epoch: object): boolean {
		for (let next: Thread | null = thread; next !== null;) {
			this.current = next;
			if (next.waiting) this.#remove(next);
			if (!next.run(false)) {
				const run: PumpedRun = {
					thread: next,
					entered,
					turns,
					stopped: () => {
						// The guest's stack, from which it is told, is still to be left.
						if (!this.#handOver(run, epoch)) void NOTHING.then(goOn);
					},
					failed: (reason) => void NOTHING.then(() => this.#stopFor(reason, epoch)),
				};
				const goOn = (): void => this.#goOn(run, epoch);
				next.whenStopped(run);
				return false;
			}
			next = next.takeNext();
		}
		this.#leaveThread(entered);
		return true;
	}

	#goOn({ thread, entered, turns }: PumpedRun, epoch: object): void {
		try {
			const then = thread.takeNext();
			if (then === null) this.#leaveThread(entered);
			else if (turns + 1 >= TURN) return void this.#goOnLater(then, entered, epoch);
			else if (!this.#runForPump(then, entered, turns + 1, epoch)) return;
		} catch (error) {
			return this.#stopFor(error, epoch);
		}
		this.#pumpOn(turns + 1, epoch);
	}

	async #goOnLater(thread: Thread, entered: readonly ComponentInstance[] | null, epoch: object): Promise<void> {
		try {
			await this.#giveHostItsTurn(epoch);
			if (!this.#runForPump(thread, entered, 0, epoch)) return;
		} catch (error) {
			return this.#stopFor(error, epoch);
		}
		this.#pumpOn(1, epoch);
	}

	/**
	 * The next tick, where all that there is to do in it is to tell a thread that it can go on, on its own stack: then one may do so on
	 * another's.
	 */
	#handOver(run: PumpedRun, epoch: object): boolean {
		const isMore = this.#work.length > 0 || this.#calls.areTellable || run.thread.hasNext;
		const { store } = this;
		if (isMore || run.turns + 1 >= TURN || store.isOver(epoch) || store.poison !== undefined) return false;
		leaveInstances(run.entered);
		const next = this.#nextThread();
		if (next?.isUnderWay !== true) {
			enterInstances(run.entered);
			return false;
		}
		const entered = next.task.instance.enteredFromHost;
		enterInstances(entered);
		run.thread = this.current = next;
		run.entered = entered;
		run.turns++;
		this.#remove(next);
		next.run(false);
		next.whenStopped(run);
		return true;
	}

	#leaveThread(entered: readonly ComponentInstance[] | null): void {
		this.current = null;
		leaveInstances(entered);
	}

	#remove(thread: Thread): void {
		const { waiting } = this;
		// `splice` makes an array of what it takes out.
		for (let i = waiting.indexOf(thread) + 1; i < waiting.length; i++) waiting[i - 1] = waiting[i] as Thread;
		waiting.pop();
	}

	/**
	 * A call by the host into `instance`, for when no thread runs: `start` is given what tells the result. A host function cannot call
	 * back into an instance that waits for it.
	 */
	call(
		instance: ComponentInstance,
		start: (resolve: (value: unknown) => void) => void | Promise<void>,
	): Promise<unknown> {
		return new Promise((resolve, reject) => {
			const refused = this.#inHost || !this.#pumping ? this.#refusal(instance) : undefined;
			if (refused !== undefined) return reject(refused);
			const call: HostCall = { resolve, reject };
			this.#calls.add(call);
			this.enqueue(() => {
				const late = this.#refusal(instance);
				if (late === undefined) return start((value) => this.#calls.resolve(call, value));
				return this.#calls.refuse(call, late);
			});
		});
	}

	/** At rest, and the host owes nobody anything: `quiet` settles at once. */
	get isQuiet(): boolean {
		return this.atRest && this.#pledges === 0 && this.#calls.size === 0;
	}

	/** Quiet, and nothing keeps the host's next call from being let in. */
	get isFree(): boolean {
		if (!this.isQuiet) return false;
		for (const instance of this.#instances.values()) if (!instance.free) return false;
		return true;
	}

	/** A call by the host can begin at once: nothing runs, or waits for its turn. */
	get atRest(): boolean {
		const { store } = this;
		if (this.#pumping || this.#inHost || this.waiting.length > 0) return false;
		return this.current === null && store.poison === undefined && !store.disposed;
	}

	/** `thread` runs on the stack of the host, which calls it where all is at rest, until `leave` or `fail`. */
	enter(thread: Thread): void {
		this.#pumping = this.#ticking = true;
		this.current = thread;
	}

	/** It has stopped. What is left to be done is done now. */
	leave(): void {
		this.current = null;
		this.#pumping = this.#ticking = false;
		const idle = this.#work.length === 0 && this.waiting.length === 0 && this.#quiet.length === 0;
		if (!idle || this.#pledges > 0 || this.#calls.size > 0) this.#pump();
	}

	/** It has ended, and nothing has come of it. */
	exit(): void {
		this.current = null;
		this.#pumping = this.#ticking = false;
	}

	/** A call that went by untold does so no more; whether it has returned by then. */
	told(): boolean {
		return this.current?.task.onTold?.() === true;
	}

	/** It has failed, and with it all others. */
	fail(error: unknown): void {
		this.#ticking = false;
		this.#fail(this.store.fail(error));
	}

	/** What a call by the host that has stopped, and not returned, will give; `tell` is given what tells the result. */
	promise(tell: (resolve: (value: unknown) => void) => void): Promise<unknown> {
		return new Promise((resolve, reject) => {
			const call: HostCall = { resolve, reject };
			this.#calls.add(call);
			tell((value) => this.#calls.resolve(call, value));
		});
	}

	#refusal(instance: ComponentInstance): Trap | undefined {
		const { poison, disposed } = this.store;
		if (poison === undefined && !disposed && !isEntered(instance)) return undefined;
		return refusal(this.store);
	}

	/** Runs a function of the host: what it calls before it returns, it calls from inside of its caller. */
	inHost<T>(run: () => T): T {
		const saved = this.#inHost;
		this.#inHost = true;
		try {
			return run();
		} finally {
			this.#inHost = saved;
		}
	}

	/** Something that the host does for its guests: `then` has its turn once `promise` has settled, of which `came` is told at once. */
	pledge<T>(
		promise: PromiseLike<T>,
		then: (value: T) => void,
		failed?: (error: unknown) => void,
		came?: (value: T) => void,
	): void {
		const { store } = this;
		const { epoch } = store;
		this.#pledges++;
		const settle = (work: () => void): void => {
			if (store.isOver(epoch)) return;
			this.#pledges--;
			this.enqueue(work);
		};
		promise.then(
			(value) => {
				came?.(value);
				settle(() => then(value));
			},
			(error: unknown) =>
				settle(() => {
					if (failed === undefined) throw error;
					failed(error);
				}),
		);
	}

	/** The host holds something through which it can act at any time, until the function returned is called. */
	hold(): () => void {
		this.#pledges++;
		const { epoch } = this.store;
		let held = true;
		return () => {
			if (!held) return;
			held = false;
			if (this.store.isOver(epoch)) return;
			this.#pledges--;
			// What waits for it may wait for ever now.
			this.enqueue(() => {});
		};
	}

	/** To be done when no thread runs. */
	enqueue(work: () => void | Promise<void>): void {
		this.#work.push(work);
		if (!this.#pumping) this.#pump();
	}

	/** Nothing of a thread goes on: after `end` the store may be reset. */
	get idle(): boolean {
		return !this.#ticking;
	}

	/** Settles once no thread can run and the host owes nothing: the sandbox has come to its end, or waits for ever. */
	get quiet(): Promise<void> {
		const { size } = this.#calls;
		if (!this.#pumping && this.#pledges === 0 && this.waiting.length === 0 && size === 0) return NOTHING;
		return new Promise((resolve) => {
			this.#quiet.push(resolve);
			this.enqueue(() => {});
		});
	}

	/** CanonicalABI.md `Store.tick`, until there is nothing to do. */
	#pump(): void {
		this.#pumping = true;
		this.#pumpFrom(0, this.store.epoch);
	}

	/** The same after so many ticks in this turn of the event loop. */
	#pumpFrom(turns: number, epoch: object): void {
		let ticked: Ticked = "done";
		// Most calls are over before anybody has to wait: these make no promise.
		try {
			for (; turns < TURN && ticked === "done" && !this.store.isOver(epoch); turns++) {
				this.#ticking = true;
				ticked = this.#tick(turns, epoch);
				this.#ticking = ticked === "runs" || ticked instanceof Promise;
				if (ticked === "done") this.#calls.tell();
			}
		} catch (error) {
			return this.#stopFor(error, epoch);
		}
		if (ticked === "runs") return;
		if (ticked === "idle" || ticked === "done") {
			const over = ticked === "idle" && (this.#pledges > 0 || this.#calls.size === 0);
			if (over || this.store.isOver(epoch)) return this.#stop(epoch);
		}
		void this.#pumpLater(ticked, turns, epoch);
	}

	/** A tick that was not over at once is. */
	#pumpOn(turns: number, epoch: object): void {
		// Also of a sandbox that has ended meanwhile: it is put back once nothing goes on
		this.#ticking = false;
		try {
			this.#calls.tell();
		} catch (error) {
			return this.#stopFor(error, epoch);
		}
		this.#pumpFrom(turns, epoch);
	}

	async #pumpLater(ticked: Ticked, turns: number, epoch: object): Promise<void> {
		try {
			if (ticked instanceof Promise) {
				await ticked;
				return this.#pumpOn(turns, epoch);
			}
			// Where there is nothing to do, the host may be about to make the call that the others wait for.
			await this.#nextTurn();
			if (ticked === "idle" && this.#idle()) return this.#stop(epoch);
		} catch (error) {
			return this.#stopFor(error, epoch);
		}
		this.#pumpFrom(0, epoch);
	}

	#stopFor(error: unknown, epoch: object): void {
		this.#ticking = false;
		if (this.store.epoch === epoch) this.#fail(this.store.fail(error));
	}

	#stop(epoch: object): void {
		if (this.store.epoch !== epoch) return;
		this.#pumping = false;
		if (this.#pledges > 0) return this.#watch?.wait();
		this.#watch?.leave();
		if (this.#calls.size > 0) this.#fail(this.store.fail(new Trap(DEADLOCK)));
		if (this.#quiet.length > 0) for (const resolve of this.#quiet.splice(0)) resolve();
	}

	#nextTurn(): Promise<void> {
		this.#watch?.wait();
		return nextTurn();
	}

	#idle(): boolean {
		return this.#work.length === 0 && !this.waiting.some((thread) => thread.ready?.() === true);
	}

	/** Work of the host or a thread that is ready. */
	#tick(turns: number, epoch: object): Ticked {
		// Most often there is one, and V8's `pop` takes much less than its `shift`.
		const work = this.#work.length === 1 ? this.#work.pop() : this.#work.shift();
		if (work !== undefined) return work() ?? "done";
		const thread = this.#nextThread();
		if (thread === null) return "idle";
		const entered = thread.task.instance.enteredFromHost;
		enterInstances(entered);
		return this.#runForPump(thread, entered, turns, epoch) ? "done" : "runs";
	}

	#nextThread(): Thread | null {
		// Once every call has returned, what is left runs only while somebody waits for it.
		if (this.#calls.size === 0 && this.#pledges === 0 && this.#quiet.length === 0) return null;
		for (const thread of this.waiting) {
			const entered = thread.task.instance.enteredFromHost;
			if (entered !== null && !isAnyEntered(entered) && thread.ready?.() === true) return thread;
		}
		return null;
	}

	#fail(error: unknown): void {
		this.#pumping = false;
		for (const call of this.#clear()) call.reject(error);
		for (const end of this.store.held) end.end(error);
	}

	/** @returns the calls that were under way */
	#clear(): HostCall[] {
		this.#watch?.leave();
		this.current = null;
		this.waiting = [];
		this.#work = [];
		this.#pledges = 0;
		const calls = this.#calls.drain();
		for (const resolve of this.#quiet.splice(0)) resolve();
		return calls;
	}

	/** The sandbox ends: its calls are rejected with the reason. */
	end(reason: unknown): void {
		this.#fail(reason);
	}

	reset(): void {
		this.#clear();
		this.#pumping = false;
		for (const instance of this.#instances.values()) instance.reset();
	}
}

function hasStopped(thread: Thread): Promise<void> {
	return new Promise((resolve, reject) => thread.whenStopped({ stopped: resolve, failed: reject }));
}

function isAnyEntered(instances: readonly ComponentInstance[]): boolean {
	for (const { entered } of instances) if (entered) return true;
	return false;
}

/** Whether a call of the host would come into an instance, or one around it, that is being called. */
function isEntered(instance: ComponentInstance): boolean {
	for (let next: ComponentInstance | null = instance; next !== null; next = next.parent) if (next.entered) return true;
	return false;
}
