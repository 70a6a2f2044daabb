import type { FunctionType } from "../component/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { checkArguments } from "./check.ts";
import { Context } from "./context.ts";
import { FlatReader, FlatWriter } from "./flat.ts";
import { CallScope } from "./handles.ts";
import { hasMany } from "./host-size.ts";
import { layoutOf } from "./layout.ts";
import { liftFlat } from "./lift-flat.ts";
import { load } from "./load.ts";
import { lowerFlatTuple } from "./lower-flat.ts";
import { type Signature, signatureOf } from "./signature.ts";
import {
	type CanonicalOptions,
	type ComponentInstance,
	type CoreFunction,
	type CoreValue,
	enterInstances,
	leaveInstances,
} from "./store.ts";
import { storeValue } from "./store-value.ts";
import { trap } from "./traps.ts";

/** The thread, which the guest has to hold while it is called. */
interface Turn {
	/** False where a guest holds it already: there is nothing to be released then. */
	hold(): boolean;
	release(): void;
	/** After a call that went well: the next may go by as `BriefCalls` says. */
	lease(): void;
	/** The guest asked for a wait that cannot be. */
	readonly stuck: boolean;
	/** What is to be thrown for what the guest threw; for `undefined` where it is stuck. */
	reason(error: unknown): unknown;
}

/**
 * How a call of the guest goes by with nobody told, where the guest cannot call the host: if the word `call` is in the `most` values
 * above `lease.last`, and `attentive` is `lease.attended`. Then it is -n; the call makes it n + 1, and that, `shift`ed, the word `entry`,
 * and -(n + 1) in the end; unless it is another by then, or `seen` is n + 1: then the turn is to be released.
 */
export interface BriefCalls {
	readonly words: Int32Array;
	readonly lease: { readonly last: number; readonly attended: number };
	/** Indices of words. */
	readonly entry: number;
	readonly call: number;
	readonly seen: number;
	readonly attentive: number;
	readonly shift: number;
	readonly most: number;
}

/** The guest's functions as they are, for a caller that holds the thread and throws what `turn` says. */
export interface Bare {
	readonly turn: Turn;
	readonly core: CoreFunction;
	readonly realloc: CanonicalOptions["realloc"];
	/** `null` where the guest calls the host. */
	readonly brief: BriefCalls | null;
	/** Whether a call of `core` is over so soon, and comes to nobody else, that the turn need not be told of it. */
	readonly isBrief: boolean;
}

/** The same for a caller that is a guest: nothing that is called can wait. */
export type NestedBare = Omit<Bare, "turn" | "brief" | "isBrief"> & { readonly turn: Pick<Turn, "stuck" | "reason"> };

/** What `canon lift` is given. */
export interface Lift {
	readonly type: FunctionType;
	readonly core: CoreFunction;
	/** In the place of `core` when another guest calls. */
	readonly nested: CoreFunction;
	/** For calls of other guests, which have the thread; `null` where `nested` is all there is. */
	readonly nestedBare: NestedBare | null;
	readonly options: CanonicalOptions;
	readonly instance: ComponentInstance;
	/** For calls of the host; `null` where `core` is all there is. */
	readonly bare: Bare | null;
	/** Under which the host calls it, for errors. */
	name?: string;
}

/**
 * Lowers a result into the guest that called: CanonicalABI.md `on_resolve`, which comes before the callee's post-return. What the callee
 * returned may still lie in its memory. All but the result is the caller's, and passed through.
 */
export type Deliver = (
	result: unknown,
	scope: CallScope | null,
	epoch: object,
	out: CoreValue | undefined,
) => CoreValue | undefined;

/** A guest's function as another guest calls it: gives what `deliver` gave. Values are carried (see `Context.carried`). */
export type CallFrom = (
	entered: readonly ComponentInstance[] | null,
	args: readonly unknown[],
	deliver: Deliver,
	scope: CallScope | null,
	epoch: object,
	out: CoreValue | undefined,
) => CoreValue | undefined | Promise<CoreValue | undefined>;

/** CanonicalABI.md `canon_lift`, for a synchronous function, step by step: the oracle of what is generated, and what serves what is not. */
export class InterpretedLift {
	readonly instance: ComponentInstance;
	readonly #lift: Lift;
	readonly #signature: Signature;
	readonly #context: Context;
	readonly #enteredFromHost: readonly ComponentInstance[] | null;

	constructor(lift: Lift) {
		this.instance = lift.instance;
		this.#lift = lift;
		this.#signature = signatureOf(lift.type);
		this.#context = new Context(lift.options, lift.instance);
		this.#enteredFromHost = lift.instance.enteredFrom(null);
	}

	call(args: readonly unknown[]): unknown {
		checkArguments(this.instance.store, this.#lift.type.params, args, this.#lift.name);
		return this.#call(this.#enteredFromHost, args, null);
	}

	/** `CallFrom` */
	callFrom(...[entered, args, deliver, ...caller]: Parameters<CallFrom>): ReturnType<CallFrom> {
		return this.#call(entered, args, (result) => deliver(result, ...caller)) as ReturnType<CallFrom>;
	}

	/** A call that enters `entered`. @param deliver where another guest calls */
	#call(
		entered: readonly ComponentInstance[] | null,
		args: readonly unknown[],
		deliver: ((result: unknown) => CoreValue | undefined) | null,
	): unknown {
		const carried = deliver !== null;
		enterInstances(entered);
		const { store } = this.instance;
		const { epoch } = store;
		const scope = this.#signature.borrows ? new CallScope() : null;
		const flat = this.#lowerArguments(args, scope, entered, carried);
		let result: CoreValue | undefined | Promise<CoreValue | undefined>;
		try {
			result = carried ? this.#lift.nested(...flat) : this.#lift.core(...flat);
			if (!(result instanceof Promise)) return this.#return(result, scope, entered, deliver);
		} catch (error) {
			throw this.instance.store.fail(error);
		}
		return result
			.then((value) => {
				if (store.epoch !== epoch) trap("cannot enter component instance");
				return this.#return(value, scope, entered, deliver);
			})
			.catch((error: unknown) => {
				// A call that ends after its sandbox did says nothing of the next use.
				throw store.epoch === epoch ? store.fail(error) : error;
			});
	}

	#lowerArguments(
		args: readonly unknown[],
		scope: CallScope | null,
		entered: readonly ComponentInstance[] | null,
		carried: boolean,
	): readonly CoreValue[] {
		const cx = this.#context;
		cx.scope = scope;
		cx.carried = carried;
		cx.refresh();
		this.instance.mayLeave = false;
		try {
			const flat = this.#lowerAll(args);
			this.instance.mayLeave = true;
			return flat;
		} catch (error) {
			// A host that gives one resource away twice is told so; only what the guest did ends the guest.
			if (!(error instanceof SkerryError) || error.code !== "call/bad-value") throw this.instance.store.fail(error);
			this.#exit(entered, undefined);
			throw error;
		}
	}

	#lowerAll(args: readonly unknown[]): readonly CoreValue[] {
		const cx = this.#context;
		const { params, paramSlots, paramsSpilled } = this.#signature;
		if (paramsSpilled) {
			const { size, alignment } = layoutOf(params);
			const pointer = cx.realloc(0, 0, alignment, size);
			storeValue(cx, params, args, pointer);
			return [pointer];
		}
		const flat = new FlatWriter(paramSlots);
		lowerFlatTuple(cx, params.elements, args, flat);
		return flat.values;
	}

	#return(
		value: CoreValue | undefined,
		scope: CallScope | null,
		entered: readonly ComponentInstance[] | null,
		deliver: ((result: unknown) => CoreValue | undefined) | null,
	): unknown {
		const { store } = this.instance;
		if (store.disposed) trap("cannot enter component instance");
		const lifted = this.#liftResult(value, deliver !== null);
		if (scope !== null && scope.borrows > 0) trap("borrow handles still remain at the end of the call");
		const result = deliver === null ? lifted : deliver(lifted);
		const { postReturn } = this.#lift.options;
		if (postReturn !== null) {
			this.instance.mayLeave = false;
			const returned = value === undefined ? postReturn() : postReturn(value);
			if (returned instanceof Promise) return returned.then(() => this.#exit(entered, result));
		}
		return this.#exit(entered, result);
	}

	#liftResult(value: CoreValue | undefined, carried: boolean): unknown {
		const cx = this.#context;
		const { result, resultSlots, resultSpilled } = this.#signature;
		if (result === null) return undefined;
		cx.carried = carried;
		cx.begin(hasMany(result));
		cx.refresh();
		const flat = new FlatReader([value!], resultSpilled ? ["i32"] : resultSlots);
		if (!resultSpilled) return liftFlat(cx, result, flat);
		const { size, alignment } = layoutOf(result);
		const pointer = flat.i32();
		cx.checkRange(pointer, size, alignment, "pointer out of bounds of memory");
		return load(cx, result, pointer);
	}

	#exit(entered: readonly ComponentInstance[] | null, result: unknown): unknown {
		this.instance.mayLeave = true;
		leaveInstances(entered);
		return result;
	}
}
