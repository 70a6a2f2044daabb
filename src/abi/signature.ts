import {
	containsKind,
	flattenFunctionType,
	flattenType,
	type FlatType,
	type FunctionType,
	MAX_FLAT_PARAMS,
	MAX_FLAT_RESULTS,
	type ValueType,
} from "../component/mod.ts";
import { SkerryError } from "../fault/mod.ts";

/** What is derived from a function type once and used in every call. */
export interface Signature {
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

export function signatureOf(type: FunctionType): Signature {
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
	if (isAsync(type)) throw new SkerryError("cli/internal", "Cannot call an asynchronous function: its calls are tasks");
	const resultSlots = type.result === null ? [] : flattenType(type.result);
	return {
		params: { kind: "tuple", elements },
		result: type.result,
		paramSlots: flattenFunctionType(type, "lift").params as FlatType[],
		paramsSpilled: elements.reduce((count, element) => count + flattenType(element).length, 0) > MAX_FLAT_PARAMS,
		resultSlots,
		resultSpilled: resultSlots.length > MAX_FLAT_RESULTS,
		borrows: elements.some((element) => containsKind(element, "borrow")),
	};
}

/** What keeps a function from being lifted or lowered here, in the plural; `null` when nothing does. */
export function findUnsupported(type: FunctionType): string | null {
	return holds(type, "error-context") ? "error-context values" : null;
}

/** Whether calls of it are tasks: it is async itself, or streams or futures pass through it. */
export function isAsync(type: FunctionType): boolean {
	return type.async || holds(type, "stream") || holds(type, "future");
}

function holds(type: FunctionType, kind: ValueType["kind"]): boolean {
	if (type.result !== null && containsKind(type.result, kind)) return true;
	return type.params.some((param) => containsKind(param.type, kind));
}
