import type { FunctionType } from "../component/mod.ts";
import { checkValue } from "./check.ts";
import { Context } from "./context.ts";
import { FlatReader, FlatWriter } from "./flat.ts";
import { CallScope } from "./handles.ts";
import { HostComponentFunction } from "./host-function.ts";
import type { CallFrom, Deliver } from "./interpret-lift.ts";
import { hasMany } from "./host-size.ts";
import { layoutOf } from "./layout.ts";
import { liftFlatTuple } from "./lift-flat.ts";
import { loadTuple } from "./load.ts";
import { lowerFlat } from "./lower-flat.ts";
import { type Signature, signatureOf } from "./signature.ts";
import type { CanonicalOptions, ComponentFunction, ComponentInstance, CoreValue } from "./store.ts";
import { storeValue } from "./store-value.ts";
import { trap } from "./traps.ts";

/** What `canon lower` is given. */
export interface Lower {
	readonly type: FunctionType;
	readonly callee: ComponentFunction;
	/** Where the callee is a guest's: what it is called by, and what that enters. */
	readonly guest: {
		readonly callee: { readonly callFrom: CallFrom };
		readonly entered: readonly ComponentInstance[] | null;
	} | null;
	readonly options: CanonicalOptions;
	readonly instance: ComponentInstance;
}

type Lowered = CoreValue | undefined | Promise<CoreValue | undefined>;

/** CanonicalABI.md `canon_lower`, for a synchronous function, step by step: the oracle of what is generated, and what serves what is not. */
export class InterpretedLower {
	readonly #lower: Lower;
	readonly #signature: Signature;
	readonly #context: Context;
	readonly #deliver: Deliver = (...returned) => this.finish(...returned);

	constructor(lower: Lower) {
		this.#lower = lower;
		this.#signature = signatureOf(lower.type);
		this.#context = new Context(lower.options, lower.instance, lower.guest !== null);
	}

	call(flat: readonly CoreValue[]): Lowered {
		const { callee, guest, instance } = this.#lower;
		if (!instance.mayLeave) trap("cannot leave component instance");
		const { epoch } = instance.store;
		const scope = this.#signature.borrows ? new CallScope() : null;
		const args = this.#liftArguments(flat, scope);
		const out = flat[this.#signature.paramSlots.length];
		if (guest !== null) return guest.callee.callFrom(guest.entered, args, this.#deliver, scope, epoch, out);
		let value: unknown;
		try {
			value = callee.call(args);
		} catch (error) {
			scope?.expire();
			throw error;
		}
		if (!(value instanceof Promise)) return this.finish(value, scope, epoch, out);
		return value.then(
			(settled: unknown) => this.finish(settled, scope, epoch, out),
			(error: unknown) => {
				scope?.expire();
				throw error;
			},
		);
	}

	/** Lowers what the callee returned; `out` is where to, when that is memory. */
	finish(value: unknown, scope: CallScope | null, epoch: object, out: CoreValue | undefined): CoreValue | undefined {
		const { callee, guest, instance } = this.#lower;
		const { store } = instance;
		// The guest may have been ended while it waited; then it does not go on, and its store may serve another use.
		if (store.isOver(epoch)) trap("cannot enter component instance");
		const { result, resultSlots, resultSpilled } = this.#signature;
		let returned: CoreValue | undefined;
		if (result !== null) {
			const cx = this.#context;
			if (guest === null) {
				const path = callee instanceof HostComponentFunction ? callee.path : "";
				checkValue(store, result, value, path === "" ? "result" : `${path} → result`);
			}
			cx.refresh();
			instance.mayLeave = false;
			if (resultSpilled) {
				const { size, alignment } = layoutOf(result);
				const pointer = (out as number) >>> 0;
				cx.checkRange(pointer, size, alignment, "pointer out of bounds of memory");
				storeValue(cx, result, value, pointer);
			} else {
				const writer = new FlatWriter(resultSlots);
				lowerFlat(cx, result, value, writer);
				returned = writer.values[0];
			}
			instance.mayLeave = true;
		}
		scope?.release();
		return returned;
	}

	#liftArguments(flat: readonly CoreValue[], scope: CallScope | null): unknown[] {
		const cx = this.#context;
		const { params, paramSlots, paramsSpilled } = this.#signature;
		cx.scope = scope;
		cx.begin(hasMany(params));
		cx.refresh();
		const reader = new FlatReader(flat, paramSlots);
		if (!paramsSpilled) return liftFlatTuple(cx, params.elements, reader);
		const { size, alignment } = layoutOf(params);
		const pointer = reader.i32();
		cx.checkRange(pointer, size, alignment, "pointer out of bounds of memory");
		return loadTuple(cx, params, pointer);
	}
}
