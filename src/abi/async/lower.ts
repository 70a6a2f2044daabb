import type { FunctionType } from "../../component/mod.ts";
import { checkValue } from "../check.ts";
import { Context } from "../context.ts";
import { HostComponentFunction } from "../host-function.ts";
import type { CanonicalOptions, ComponentFunction, CoreValue } from "../store.ts";
import { trap } from "../traps.ts";
import { after } from "./after.ts";
import { checkMayLeave } from "./copy-builtins.ts";
import { type FlatValues, loweredParams, loweredResults } from "./flat-values.ts";
import { HostCallee } from "./host-callee.ts";
import type { AsyncInstance } from "./instance.ts";
import { AsyncLiftedFunction, type Callee } from "./lift.ts";
import type { Scheduler } from "./scheduler.ts";
import { Subtask, SUBTASK } from "./subtask.ts";
import { CANCELLED, type Outcome } from "./task.ts";
import { EVENT } from "./waitable.ts";

export interface AsyncLower {
	readonly type: FunctionType;
	readonly callee: ComponentFunction;
	readonly options: CanonicalOptions & { readonly async: boolean };
	readonly instance: AsyncInstance;
}

type Lowered = CoreValue | undefined | Promise<CoreValue | undefined>;

/** `canon lower` in a component that knows of tasks: CanonicalABI.md `canon_lower`. */
export class AsyncLoweredFunction {
	readonly #lower: AsyncLower;
	readonly #callee: Callee;
	readonly #host: HostComponentFunction | null;
	readonly #params: FlatValues;
	readonly #results: FlatValues;
	readonly #context: Context;

	constructor(lower: AsyncLower, scheduler: Scheduler) {
		const { type, callee, options, instance } = lower;
		this.#lower = lower;
		this.#host = callee instanceof HostComponentFunction ? callee : null;
		if (callee instanceof AsyncLiftedFunction) this.#callee = callee;
		else this.#callee = new HostCallee(callee, scheduler);
		this.#params = loweredParams(type, options.async);
		this.#results = loweredResults(type, options.async);
		this.#context = new Context(options, instance.instance, this.#callee.carried);
	}

	call(flat: readonly CoreValue[]): Lowered {
		const { type, options, instance } = this.#lower;
		checkMayLeave(instance);
		if (type.async && !options.async) instance.checkMayBlock();
		const subtask = new Subtask();
		let result: readonly CoreValue[] = [];
		let progress = (): void => {};
		const onStart = (): readonly unknown[] => {
			progress();
			subtask.state = SUBTASK.started;
			const cx = this.#context;
			cx.carried = cx.passes = this.#callee.carried;
			cx.scope = subtask.scope;
			return this.#params.lift(cx, flat);
		};
		const onResolve = (outcome: Outcome): void => {
			progress();
			if (outcome === CANCELLED) {
				const started = subtask.state === SUBTASK.started;
				subtask.state = started ? SUBTASK.cancelledBeforeReturned : SUBTASK.cancelledBeforeStarted;
				return;
			}
			subtask.state = SUBTASK.returned;
			result = this.#lowerResult(outcome.value, flat);
		};
		const started = this.#callee.start(instance, onStart, onResolve);
		subtask.cancel = () => started.cancel();
		const { stopped } = started;
		if (options.async) {
			return after(stopped, () => {
				if (!subtask.resolved) return this.#add(subtask, (report) => (progress = report));
				subtask.deliverResolve();
				return subtask.state;
			});
		}
		const finish = (): CoreValue | undefined => {
			subtask.deliverResolve();
			return result[0];
		};
		return after(stopped, () => {
			if (subtask.resolved) return finish();
			return instance.turns.thread.blockFor(() => subtask.resolved, finish);
		});
	}

	/** The caller is told later: it gets a handle for the call. */
	#add(subtask: Subtask, set: (report: () => void) => void): number {
		const index = this.#lower.instance.instance.handles.add(subtask);
		set(() => {
			subtask.setPending({
				take: () => {
					if (subtask.resolved) subtask.deliverResolve();
					return [EVENT.subtask, index, subtask.state];
				},
			});
		});
		return subtask.state | (index << 4);
	}

	#lowerResult(value: unknown, flat: readonly CoreValue[]): readonly CoreValue[] {
		const { type, instance } = this.#lower;
		const { store } = instance.instance;
		if (store.disposed) trap("cannot enter component instance");
		if (type.result === null) return [];
		if (!this.#callee.carried) {
			const path = this.#host === null || this.#host.path === "" ? "result" : `${this.#host.path} → result`;
			checkValue(store, type.result, value, path);
		}
		const cx = this.#context;
		cx.carried = this.#callee.carried;
		return this.#results.lower(cx, [value], this.#results.spilled ? flat[this.#params.slots.length] : undefined);
	}
}
