import { type FunctionType, MAX_FLAT_PARAMS, type ValueType } from "../../component/mod.ts";
import { canonLower } from "../call.ts";
import { Context } from "../context.ts";
import { hostFunction } from "../host-function.ts";
import { canonicalNan } from "../load.ts";
import { isAsync } from "../signature.ts";
import type { CanonicalOptions, CoreFunction, CoreValue } from "../store.ts";
import { trap } from "../traps.ts";
import { after } from "./after.ts";
import { checkMayLeave } from "./copy-builtins.ts";
import { FlatValues } from "./flat-values.ts";
import type { AsyncInstance } from "./instance.ts";
import { sameType } from "./same-type.ts";
import { Subtask } from "./subtask.ts";
import type { ThreadTask } from "./thread.ts";
import { BLOCKED, Waitable, WaitableSet } from "./waitable.ts";

/** What is lifted of one value without a look at memory, for hosts and guests alike. */
const PLAIN: { readonly [K in ValueType["kind"]]?: (flat: number) => unknown } = {
	bool: (flat) => flat !== 0,
	u8: (flat) => flat & 0xff,
	s8: (flat) => (flat << 24) >> 24,
	u16: (flat) => flat & 0xffff,
	s16: (flat) => (flat << 16) >> 16,
	u32: (flat) => flat >>> 0,
	s32: (flat) => flat | 0,
	f32: canonicalNan,
	f64: canonicalNan,
};

/** Whether what is returned can be left where `number` of `canonTaskReturn` says: nothing of it is in memory, and nothing to be checked. */
export function isReturnedPlainly(result: ValueType | null): boolean {
	return result === null || result.kind === "u64" || result.kind === "s64" || PLAIN[result.kind] !== undefined;
}

/**
 * `canon task.return`
 * @param number what tasks know it by that may return with nobody told; 0: none
 */
export function canonTaskReturn(
	instance: AsyncInstance,
	result: ValueType | null,
	options: CanonicalOptions,
	number = 0,
): CoreFunction {
	let checked: ThreadTask | null = null;
	let returning: ThreadTask;
	/** The task that returns, if it is one that may do so here. */
	const current = (): ThreadTask => {
		checkMayLeave(instance);
		const { task } = instance.turns.thread;
		returning = task;
		task.via = number;
		if (checked?.type === task.type && checked.options === task.options) return task;
		const { async, memory, encoding } = task.options;
		// A return of what needs no memory may leave it out, as the suite's guests do; the reference asks for the same one even then.
		const elsewhere = options.memory !== null && options.memory !== memory;
		const same = async && sameType(instance.instance.store, result, task.type.result);
		if (!same || elsewhere || options.encoding !== encoding) {
			trap("invalid `task.return` signature and/or options for current task");
		}
		checked = task;
		return task;
	};
	if (result === null) {
		return () => {
			current().return(undefined);
			return undefined;
		};
	}
	const plain = PLAIN[result.kind];
	if (plain !== undefined) {
		return (flat: CoreValue) => {
			current().return(plain(flat as number));
			return undefined;
		};
	}
	const values = new FlatValues([result], MAX_FLAT_PARAMS);
	const cx = new Context(options, instance.instance);
	const toHost = returnToHost(instance, result, options, (value) => returning.return(value));
	const lift = (task: ThreadTask, flat: readonly CoreValue[]): undefined => {
		cx.carried = cx.passes = task.carried;
		const [value] = values.lift(cx, flat);
		task.return(value);
	};
	const { length } = values.slots;
	if (toHost === null || length > 1) {
		return (...flat: CoreValue[]) => {
			const task = current();
			return task.carried || toHost === null ? lift(task, flat) : toHost(...flat);
		};
	}
	// Most results are one value, or a pointer to it: without an array.
	return (flat: CoreValue) => {
		const task = current();
		return task.carried ? lift(task, length === 0 ? [] : [flat]) : length === 0 ? toHost() : toHost(flat);
	};
}

/** The same for a result that the host gets: what is returned is lowered like the argument of one of its functions. */
function returnToHost(
	instance: AsyncInstance,
	result: ValueType,
	options: CanonicalOptions,
	give: (value: unknown) => void,
): CoreFunction | null {
	const params = [{ name: "result", type: result }];
	const type: FunctionType = { kind: "func", async: false, params, result: null };
	if (isAsync(type)) return null;
	return canonLower(type, hostFunction(type, give), options, instance.instance);
}

/** `canon task.cancel` */
export function canonTaskCancel(instance: AsyncInstance): CoreFunction {
	return () => {
		checkMayLeave(instance);
		const { task } = instance.turns.thread;
		if (!task.options.async) trap("invalid `task.cancel` in a task that is not async");
		task.cancel();
		return undefined;
	};
}

function getSubtask(instance: AsyncInstance, index: number): Subtask {
	const subtask = instance.instance.handles.get(index);
	if (!(subtask instanceof Subtask)) trap(`handle index ${index >>> 0} is not a subtask`);
	return subtask;
}

/** `canon subtask.cancel` */
export function canonSubtaskCancel(
	instance: AsyncInstance,
	async: boolean,
): (index: number) => number | Promise<number> {
	return (index) => {
		checkMayLeave(instance);
		if (!async) instance.checkMayBlock();
		const subtask = getSubtask(instance, index);
		if (!async) subtask.checkAlone();
		if (subtask.resolveDelivered) trap("`subtask.cancel` called after terminal status delivered");
		if (subtask.cancellationRequested) trap("`subtask.cancel` called twice for the same subtask");
		const state = (): number => subtask.takePending()[2];
		if (subtask.resolved) return state();
		subtask.cancellationRequested = true;
		return after(subtask.cancel?.(), () => {
			if (subtask.resolved) return state();
			return async ? BLOCKED : subtask.waitAlone(instance.turns.thread);
		});
	};
}

/** `canon subtask.drop` */
export function canonSubtaskDrop(instance: AsyncInstance): CoreFunction {
	return (index) => {
		checkMayLeave(instance);
		getSubtask(instance, index as number).drop();
		instance.instance.handles.remove(index as number);
		return undefined;
	};
}

/** `canon backpressure.inc`, `backpressure.dec`; allowed where `mayLeave` is false. */
export function canonBackpressure(instance: AsyncInstance, more: boolean): CoreFunction {
	return () => {
		if (more) instance.increaseBackpressure();
		else instance.decreaseBackpressure();
		return undefined;
	};
}

/** `canon context.get`, `context.set`; allowed where `mayLeave` is false. */
export function canonContextGet(instance: AsyncInstance, slot: number): () => number {
	return () => instance.context[slot] ?? 0;
}

export function canonContextSet(instance: AsyncInstance, slot: number): CoreFunction {
	return (value) => {
		instance.context[slot] = value as number;
		return undefined;
	};
}

function getSet(instance: AsyncInstance, index: number): WaitableSet {
	const set = instance.instance.handles.get(index);
	if (!(set instanceof WaitableSet)) trap(`handle index ${index >>> 0} is not a waitable set`);
	return set;
}

/** `canon waitable-set.new` */
export function canonSetNew(instance: AsyncInstance): () => number {
	return () => {
		checkMayLeave(instance);
		return instance.instance.handles.add(new WaitableSet());
	};
}

/** Where an event's index and payload go. */
function eventWriter(instance: AsyncInstance, options: CanonicalOptions) {
	const cx = new Context(options, instance.instance);
	return ([code, index, payload]: readonly [number, number, number], pointer: number): number => {
		cx.refresh();
		cx.checkRange(pointer >>> 0, 8, 4, "pointer out of bounds of memory");
		cx.view.setUint32(pointer >>> 0, index, true);
		cx.view.setUint32((pointer >>> 0) + 4, payload, true);
		return code;
	};
}

/** `canon waitable-set.wait` */
export function canonSetWait(
	instance: AsyncInstance,
	options: CanonicalOptions,
	cancellable: boolean,
): (index: number, pointer: number) => number | Promise<number> {
	const write = eventWriter(instance, options);
	return (index, pointer) => {
		checkMayLeave(instance);
		const set = getSet(instance, index);
		if (set.hasPending) return write(set.poll(instance.turns.thread, cancellable), pointer);
		instance.checkMayBlock();
		return set.wait(instance.turns.thread, cancellable, () => true).then((event) => write(event, pointer));
	};
}

/** `canon waitable-set.poll` */
export function canonSetPoll(
	instance: AsyncInstance,
	options: CanonicalOptions,
	cancellable: boolean,
): (index: number, pointer: number) => number {
	const write = eventWriter(instance, options);
	return (index, pointer) => {
		checkMayLeave(instance);
		return write(getSet(instance, index).poll(instance.turns.thread, cancellable), pointer);
	};
}

/** `canon waitable-set.drop` */
export function canonSetDrop(instance: AsyncInstance): CoreFunction {
	return (index) => {
		checkMayLeave(instance);
		getSet(instance, index as number).drop();
		instance.instance.handles.remove(index as number);
		return undefined;
	};
}

/** `canon waitable.join` */
export function canonJoin(instance: AsyncInstance): CoreFunction {
	return (index, setIndex) => {
		checkMayLeave(instance);
		const waitable = instance.instance.handles.get(index as number);
		if (!(waitable instanceof Waitable)) trap(`handle index ${(index as number) >>> 0} is not a waitable`);
		const set = setIndex === 0 ? null : getSet(instance, setIndex as number);
		if (set !== null) waitable.checkShared();
		waitable.join(set);
		return undefined;
	};
}
