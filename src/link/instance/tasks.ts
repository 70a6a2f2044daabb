import {
	AsyncLiftedFunction,
	AsyncLoweredFunction,
	type CanonicalOptions,
	canonBackpressure,
	canonCancelCopy,
	canonContextGet,
	canonContextSet,
	canonCopy,
	canonDropEnd,
	canonJoin,
	canonNew,
	canonResumeLater,
	canonSetDrop,
	canonSetNew,
	canonSetPoll,
	canonSetWait,
	canonSubtaskCancel,
	canonSubtaskDrop,
	canonSuspend,
	canonSwitch,
	canonTaskCancel,
	canonTaskReturn,
	canonThreadIndex,
	canonThreadNew,
	canonYield,
	type ComponentFunction,
	type ComponentInstance,
	type CoreFunction,
	type CoreValue,
	type ResourceImplementation,
	Scheduler,
	type Store,
	type TaskOptions,
} from "../../abi/mod.ts";
import type { CoreFunctionType, FunctionType, ValueType } from "../../component/mod.ts";
import { createThreadEntry, type Gate, isThreadStart, type WasmExtern, type WasmTable } from "../../engine/mod.ts";
import { Trap } from "../../fault/mod.ts";
import type { Builtin } from "../plan/plan.ts";

type EndType = ValueType & { readonly kind: "stream" | "future" };

const NO_OPTIONS: CanonicalOptions = { encoding: "utf8", memory: null, realloc: null, postReturn: null };

const DESTRUCTOR: FunctionType = {
	kind: "func",
	async: false,
	params: [{ name: "rep", type: { kind: "u32" } }],
	result: null,
};

const CALLBACK: CoreFunctionType = { params: ["i32", "i32", "i32"], results: ["i32"] };

type Realloc = CanonicalOptions["realloc"];

/** What a function is lifted from, as it is. */
interface CoreParts {
	readonly core: WasmExtern;
	readonly coreType: CoreFunctionType;
	readonly callback: WasmExtern;
	readonly realloc: WasmExtern;
	/** Whether it may have to wait in the midst of its code. */
	readonly stackful: boolean;
}

/** What the functions of a sandbox are made of where calls are tasks: the ABI's tasks on the engine's stacks. */
export class Tasks {
	readonly #gate: Gate;
	readonly #scheduler: Scheduler;
	readonly #lenientCancel: boolean;

	constructor(gate: Gate, store: Store, lenientCancel: boolean) {
		this.#gate = gate;
		this.#scheduler = new Scheduler(store, (end) => gate.watch(end));
		gate.onTold = () => this.#scheduler.told();
		this.#lenientCancel = lenientCancel;
	}

	/** Nothing of a task goes on. */
	get idle(): boolean {
		return this.#scheduler.idle;
	}

	/** No task goes on or can, and a call begins on its caller's stack where it needs none of its own. */
	get isQuiet(): boolean {
		return this.#scheduler.isQuiet;
	}

	/** Settles once no task can go on, and the host owes none of them anything. */
	get quiet(): Promise<void> {
		return this.#scheduler.quiet;
	}

	#entry(exported: WasmExtern, type: CoreFunctionType, stackful = true): CoreFunction {
		return this.#gate.wrapExport(exported, stackful, type);
	}

	lift(
		type: FunctionType,
		{ core, coreType, callback, realloc, stackful }: CoreParts,
		options: TaskOptions,
		instance: ComponentInstance,
	): ComponentFunction {
		const lift = {
			type,
			core: this.#entry(core, coreType, stackful),
			callback: options.callback ? this.#entry(callback, CALLBACK, stackful) : null,
			options,
			instance: this.#scheduler.instance(instance),
			bare: stackful
				? null
				: { turn: this.#gate, core: core as CoreFunction, realloc: realloc as Realloc, brief: null, isBrief: false },
			border: stackful ? null : this.#gate,
		};
		return new AsyncLiftedFunction(lift, this.#scheduler);
	}

	lower(
		callee: ComponentFunction,
		options: CanonicalOptions & { readonly async: boolean },
		instance: ComponentInstance,
	): CoreFunction {
		const lower = { type: callee.type, callee, options, instance: this.#scheduler.instance(instance) };
		const lowered = new AsyncLoweredFunction(lower, this.#scheduler);
		return (...flat) => lowered.call(flat);
	}

	/** A guest's destructor: in its own instance it is called as it is, by others in a task. */
	destructor(core: WasmExtern, instance: ComponentInstance, stackful: boolean): ResourceImplementation {
		const entry = this.#entry(core, { params: ["i32"], results: [] }, stackful);
		const options = { ...NO_OPTIONS, async: false, callback: false };
		const own = this.#scheduler.instance(instance);
		const lift = { type: DESTRUCTOR, core: entry, callback: null, options, instance: own, bare: null, border: null };
		const lifted = new AsyncLiftedFunction(lift, this.#scheduler);
		return {
			instance,
			destructor: (rep) => entry(rep as number),
			task: (caller, rep) => {
				// A representation is an i32 of either sign.
				const args = [(rep as number) >>> 0];
				if (caller === null) return lifted.call(args);
				return lifted.start(this.#scheduler.instance(caller), () => args, ignore).stopped;
			},
		};
	}

	/** @param number of one that returns: see `canonTaskReturn` */
	builtin(
		builtin: Builtin,
		component: ComponentInstance,
		options: CanonicalOptions = NO_OPTIONS,
		table?: WasmExtern,
		number = 0,
	): CoreFunction {
		const instance = this.#scheduler.instance(component);
		const { op, async, cancellable, slot = 0 } = builtin;
		const type = builtin.type as EndType;
		const copies = { ...options, async };
		const make = (): unknown => {
			switch (op) {
				case "task.return":
					return canonTaskReturn(instance, builtin.result ?? null, options, number);
				case "task.cancel":
					return canonTaskCancel(instance);
				case "subtask.cancel":
					return canonSubtaskCancel(instance, async);
				case "subtask.drop":
					return canonSubtaskDrop(instance);
				case "context.get":
					return canonContextGet(instance, slot);
				case "context.set":
					return canonContextSet(instance, slot);
				case "backpressure.inc":
				case "backpressure.dec":
					return canonBackpressure(instance, op === "backpressure.inc");
				case "waitable-set.new":
					return canonSetNew(instance);
				case "waitable-set.wait":
					return canonSetWait(instance, options, cancellable);
				case "waitable-set.poll":
					return canonSetPoll(instance, options, cancellable);
				case "waitable-set.drop":
					return canonSetDrop(instance);
				case "waitable.join":
					return canonJoin(instance);
				case "stream.new":
				case "future.new":
					return canonNew(instance, type);
				case "stream.read":
				case "future.read":
					return canonCopy(instance, type, true, copies);
				case "stream.write":
				case "future.write":
					return canonCopy(instance, type, false, copies);
				case "stream.cancel-read":
				case "future.cancel-read":
					return canonCancelCopy(instance, type, true, async, this.#lenientCancel);
				case "stream.cancel-write":
				case "future.cancel-write":
					return canonCancelCopy(instance, type, false, async, this.#lenientCancel);
				case "stream.drop-readable":
				case "future.drop-readable":
					return canonDropEnd(instance, type, true);
				case "stream.drop-writable":
				case "future.drop-writable":
					return canonDropEnd(instance, type, false);
				case "thread.yield":
					return canonYield(instance, cancellable);
				case "thread.index":
					return canonThreadIndex(instance);
				case "thread.new-indirect":
					return canonThreadNew(instance, { get: (index) => this.#threadStart(table, index) });
				case "thread.resume-later":
					return canonResumeLater(instance);
				case "thread.suspend":
					return canonSuspend(instance, cancellable);
				case "thread.suspend-then-resume":
					return canonSwitch(instance, { yields: false, promotes: false, cancellable });
				case "thread.yield-then-resume":
					return canonSwitch(instance, { yields: true, promotes: false, cancellable });
				case "thread.suspend-then-promote":
					return canonSwitch(instance, { yields: false, promotes: true, cancellable });
				case "thread.yield-then-promote":
					return canonSwitch(instance, { yields: true, promotes: true, cancellable });
				default:
					throw new Error(`the built-in ${op} passed the planner`);
			}
		};
		return make() as CoreFunction;
	}

	#threadEntry: ((...args: unknown[]) => CoreValue | undefined | Promise<CoreValue | undefined>) | undefined;

	/** The function in a table that a thread begins in. */
	#threadStart(table: WasmExtern, index: number): (argument: number) => void | Promise<void> {
		const { length } = table as WasmTable;
		const found = index < length ? (table as WasmTable).get(index) : null;
		if (!isThreadStart(found)) {
			throw new Trap(index < length ? "indirect call type mismatch" : "undefined element");
		}
		const run = (this.#threadEntry ??= this.#gate.wrapEntry(createThreadEntry));
		return (argument) => run(found, argument) as void | Promise<void>;
	}
}

function ignore(): void {}
