import type { FunctionType, ValueType } from "../component/mod.ts";
import { layoutOf } from "./layout.ts";
import { isNumeric } from "./numeric-list.ts";
import { refuseAllocated } from "./context.ts";
import { type Signature, signatureOf } from "./signature.ts";
import type { ComponentInstance } from "./store.ts";

const SCALARS = ["bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64"] as const;

/** A value of one slot. */
export type PassedScalar = (typeof SCALARS)[number];

/** Bytes of `count` elements, which are copied as they are; `text` is UTF-8. */
export interface PassedBytes {
	readonly kind: "text" | "numbers";
	/** Of an element, and their alignment. */
	readonly size: number;
}

/** What a call between two guests passes, where nothing of it needs more than to be looked at and copied. */
export interface Passing extends Pick<Signature, "paramSlots" | "resultSlots"> {
	readonly params: readonly (PassedScalar | PassedBytes)[];
	readonly result: PassedScalar | null;
}

const known = new WeakMap<FunctionType, { readonly passing: Passing | null }>();

/** One for each type that can be lifted without tasks; `null` where more has to be known. */
export function passingOf(type: FunctionType): Passing | null {
	let found = known.get(type);
	if (found === undefined) known.set(type, (found = { passing: toPassing(type) }));
	return found.passing;
}

function toPassing(type: FunctionType): Passing | null {
	const { params, paramsSpilled, paramSlots, result, resultSpilled, resultSlots } = signatureOf(type);
	const passed = params.elements.map(toPassed);
	const returned = result === null ? null : toScalar(result);
	if (paramsSpilled || resultSpilled || passed.includes(undefined) || returned === undefined) return null;
	return { params: passed as Passing["params"], result: returned, paramSlots, resultSlots };
}

function toScalar({ kind }: ValueType): PassedScalar | undefined {
	return SCALARS.find((scalar) => scalar === kind);
}

function toPassed(type: ValueType): Passing["params"][number] | undefined {
	if (type.kind === "string") return { kind: "text", size: 1 };
	if (type.kind !== "list" || type.length !== undefined) return toScalar(type);
	const { element } = type;
	// The bits of a NaN are not passed on.
	if (!isNumeric(element) || element.kind === "f32" || element.kind === "f64") return undefined;
	return { kind: "numbers", size: layoutOf(element).size };
}

/** Of a call between two guests of one store that comes to no import of the callee's: while it lasts, nobody asks where it is. */
export class PassedSides {
	readonly #caller: ComponentInstance;
	readonly #entered: readonly ComponentInstance[];

	/** @param entered what `enteredFrom` has of the callee */
	constructor(caller: ComponentInstance, entered: readonly ComponentInstance[]) {
		this.#caller = caller;
		this.#entered = entered;
	}

	/**
	 * Whether the call can be made with nothing to be said of it.
	 * @param most bytes that are passed in lists
	 */
	mayEnter(most: number): boolean {
		const { mayLeave, store } = this.#caller;
		if (!mayLeave || store.shut || store.maxValues < most) return false;
		const entered = this.#entered;
		for (let i = 0; i < entered.length; i++) if (entered[i]!.entered) return false;
		return true;
	}

	fail(error: unknown): unknown {
		return this.#caller.store.fail(error);
	}

	refusal(pointer: number, alignment: number): unknown {
		try {
			return refuseAllocated(pointer, alignment);
		} catch (error) {
			return error;
		}
	}
}
