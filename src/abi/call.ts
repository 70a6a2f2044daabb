import {
	flattenFunctionType,
	flattenType,
	type FlatType,
	type FunctionType,
	MAX_FLAT_PARAMS,
	MAX_FLAT_RESULTS,
	type ValueType,
} from "../component/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { checkArguments, checkValue } from "./check.ts";
import { Context } from "./context.ts";
import { FlatReader, FlatWriter } from "./flat.ts";
import { CallScope } from "./handles.ts";
import { layoutOf } from "./layout.ts";
import { liftFlat, liftFlatTuple } from "./lift-flat.ts";
import { load, loadTuple } from "./load.ts";
import { lowerFlat, lowerFlatTuple } from "./lower-flat.ts";
import {
	type CanonicalOptions,
	type ComponentFunction,
	type ComponentInstance,
	type CoreFunction,
	type CoreValue,
	enterInstances,
	leaveInstances,
} from "./store.ts";
import { storeValue } from "./store-value.ts";
import { trap } from "./traps.ts";

/** What is derived from a function type once and used in every call. */
interface Signature {
	readonly params: ValueType & { kind: "tuple" };
	readonly result: ValueType | null;
	/** Slots of the parameters; they are in memory when `paramsSpilled`. */
	readonly paramSlots: readonly FlatType[];
	readonly paramsSpilled: boolean;
	readonly resultSlots: readonly FlatType[];
	readonly resultSpilled: boolean;
	/** Results never hold borrows: validation refuses that. */
	readonly borrows: boolean;
}

const signatures = new WeakMap<FunctionType, Signature>();

function signatureOf(type: FunctionType): Signature {
	let signature = signatures.get(type);
	if (signature === undefined) signatures.set(type, (signature = toSignature(type)));
	return signature;
}

function toSignature(type: FunctionType): Signature {
	const elements = type.params.map((param) => param.type);
	const gated = findUnsupported(type);
	if (gated !== null) {
		throw new SkerryError("link/unsupported", `Cannot link a function: ${gated} are not supported yet`);
	}
	const resultSlots = type.result === null ? [] : flattenType(type.result);
	return {
		params: { kind: "tuple", elements },
		result: type.result,
		paramSlots: flattenFunctionType(type, "lift").params as FlatType[],
		paramsSpilled: elements.reduce((count, element) => count + flattenType(element).length, 0) > MAX_FLAT_PARAMS,
		resultSlots,
		resultSpilled: resultSlots.length > MAX_FLAT_RESULTS,
		borrows: elements.some((element) => contains(element, "borrow")),
	};
}

/** The types directly inside of `type`. */
function parts(type: ValueType): readonly ValueType[] {
	switch (type.kind) {
		case "list":
		case "option":
			return [type.element];
		case "map":
			return [type.key, type.value];
		case "tuple":
			return type.elements;
		case "record":
			return type.fields.map((field) => field.type);
		case "variant":
			return type.cases.map((c) => c.type).filter((payload) => payload !== null);
		case "result":
			return [type.ok, type.err].filter((payload) => payload !== null);
		default:
			return [];
	}
}

function contains(type: ValueType, kind: ValueType["kind"]): boolean {
	return type.kind === kind || parts(type).some((part) => contains(part, kind));
}

/** What keeps a function from being lifted or lowered here, in the plural; `null` when nothing does. */
export function findUnsupported(type: FunctionType): string | null {
	if (type.async) return "async functions";
	const types = type.params.map((param) => param.type);
	if (type.result !== null) types.push(type.result);
	return types.map(findGated).find((found) => found !== null) ?? null;
}

function findGated(type: ValueType): string | null {
	for (const kind of ["stream", "future", "error-context"] as const) {
		if (contains(type, kind)) return `${kind} values`;
	}
	return null;
}

/** CanonicalABI.md `canon_lift`, for a synchronous function. */
class LiftedFunction implements ComponentFunction {
	readonly type: FunctionType;
	readonly instance: ComponentInstance;
	readonly #signature: Signature;
	readonly #core: CoreFunction;
	readonly #nested: CoreFunction;
	readonly #postReturn: CoreFunction | null;
	readonly #context: Context;
	readonly #enteredFromHost: readonly ComponentInstance[] | null;

	constructor(
		type: FunctionType,
		core: CoreFunction,
		options: CanonicalOptions,
		instance: ComponentInstance,
		nested: CoreFunction,
	) {
		this.type = type;
		this.instance = instance;
		this.#signature = signatureOf(type);
		this.#core = core;
		this.#nested = nested;
		this.#postReturn = options.postReturn;
		this.#context = new Context(options, instance);
		this.#enteredFromHost = instance.enteredFrom(null);
	}

	call(args: readonly unknown[]): unknown {
		checkArguments(this.instance.store, this.type.params, args);
		return this.callFrom(this.#enteredFromHost, args, false);
	}

	/** A call that enters `entered`. Values are carried (see `Context.carried`) when another guest calls. */
	callFrom(entered: readonly ComponentInstance[] | null, args: readonly unknown[], carried: boolean): unknown {
		enterInstances(entered);
		const scope = this.#signature.borrows ? new CallScope() : null;
		const flat = this.#lowerArguments(args, scope, entered, carried);
		let result: CoreValue | undefined | Promise<CoreValue | undefined>;
		try {
			result = carried ? this.#nested(...flat) : this.#core(...flat);
			if (!(result instanceof Promise)) return this.#return(result, scope, entered, carried);
		} catch (error) {
			throw this.instance.store.fail(error);
		}
		return result
			.then((value) => this.#return(value, scope, entered, carried))
			.catch((error: unknown) => {
				throw this.instance.store.fail(error);
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
		carried: boolean,
	): unknown {
		const { store } = this.instance;
		if (store.disposed) trap("cannot enter component instance");
		const result = this.#liftResult(value, carried);
		if (scope !== null && scope.borrows > 0) trap("borrow handles still remain at the end of the call");
		if (this.#postReturn !== null) {
			this.instance.mayLeave = false;
			const returned = value === undefined ? this.#postReturn() : this.#postReturn(value);
			if (returned instanceof Promise) return returned.then(() => this.#exit(entered, result));
		}
		return this.#exit(entered, result);
	}

	#liftResult(value: CoreValue | undefined, carried: boolean): unknown {
		const cx = this.#context;
		const { result, resultSlots, resultSpilled } = this.#signature;
		if (result === null) return undefined;
		cx.carried = carried;
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

/** `canon lift`: the component function that calls `core`; `nested` in its place when another guest calls. */
export function canonLift(
	type: FunctionType,
	core: CoreFunction,
	options: CanonicalOptions,
	instance: ComponentInstance,
	nested: CoreFunction = core,
): ComponentFunction {
	return new LiftedFunction(type, core, options, instance, nested);
}

/** `canon lower`: the core function that calls `callee`. It returns a promise when the callee does. */
export function canonLower(
	type: FunctionType,
	callee: ComponentFunction,
	options: CanonicalOptions,
	instance: ComponentInstance,
): (...flat: CoreValue[]) => CoreValue | undefined | Promise<CoreValue | undefined> {
	const signature = signatureOf(type);
	const { params, result, paramSlots, paramsSpilled, resultSpilled, borrows } = signature;
	const { store } = instance;
	const cx = new Context(options, instance);
	const guest = callee instanceof LiftedFunction ? callee : null;
	const entered = guest === null ? null : guest.instance.enteredFrom(instance);
	cx.carried = guest !== null;

	function liftArguments(flat: readonly CoreValue[], scope: CallScope | null): unknown[] {
		cx.scope = scope;
		cx.refresh();
		const reader = new FlatReader(flat, paramSlots);
		if (!paramsSpilled) return liftFlatTuple(cx, params.elements, reader);
		const { size, alignment } = layoutOf(params);
		const pointer = reader.i32();
		cx.checkRange(pointer, size, alignment, "pointer out of bounds of memory");
		return loadTuple(cx, params, pointer);
	}

	function lowerResult(value: unknown, flat: readonly CoreValue[], scope: CallScope | null): CoreValue | undefined {
		// The guest may have been ended while it waited; then it does not go on.
		if (store.disposed) trap("cannot enter component instance");
		let returned: CoreValue | undefined;
		if (result !== null) {
			if (guest === null) checkValue(store, result, value, "result");
			cx.refresh();
			instance.mayLeave = false;
			if (resultSpilled) {
				const { size, alignment } = layoutOf(result);
				const pointer = (flat[paramSlots.length] as number) >>> 0;
				cx.checkRange(pointer, size, alignment, "pointer out of bounds of memory");
				storeValue(cx, result, value, pointer);
			} else {
				const writer = new FlatWriter(signature.resultSlots);
				lowerFlat(cx, result, value, writer);
				returned = writer.values[0];
			}
			instance.mayLeave = true;
		}
		scope?.release();
		return returned;
	}

	return (...flat) => {
		if (!instance.mayLeave) trap("cannot leave component instance");
		const scope = borrows ? new CallScope() : null;
		const args = liftArguments(flat, scope);
		let value: unknown;
		try {
			value = guest === null ? callee.call(args) : guest.callFrom(entered, args, true);
		} catch (error) {
			scope?.expire();
			throw error;
		}
		if (!(value instanceof Promise)) return lowerResult(value, flat, scope);
		return value.then(
			(settled: unknown) => lowerResult(settled, flat, scope),
			(error: unknown) => {
				scope?.expire();
				throw error;
			},
		);
	};
}

/** A function of the host: `fn` gets the arguments as values, and may return a promise. */
export function hostFunction(type: FunctionType, fn: (...args: unknown[]) => unknown): ComponentFunction {
	return { type, call: (args) => fn(...args) };
}
