import type { FunctionType } from "../component/mod.ts";
import { generateLower } from "./generate/mod.ts";
import type { Bare, NestedBare } from "./interpret-lift.ts";
import { InterpretedLower, type Lower } from "./interpret-lower.ts";
import { lazily } from "./lazily.ts";
import { LiftedFunction } from "./lifted.ts";
import { signatureOf } from "./signature.ts";
import type { CanonicalOptions, ComponentFunction, ComponentInstance, CoreFunction } from "./store.ts";

/**
 * `canon lift`: the component function that calls `core`; `nested` in its place when another guest calls.
 * @param bare what a call of the host can use in place of `core` and realloc
 * @param nestedBare what a call of another guest can use in place of `nested` and realloc
 */
export function canonLift(
	type: FunctionType,
	core: CoreFunction,
	options: CanonicalOptions,
	instance: ComponentInstance,
	nested: CoreFunction = core,
	bare: Bare | null = null,
	nestedBare: NestedBare | null = null,
): ComponentFunction {
	return new LiftedFunction({ type, core, nested, nestedBare, options, instance, bare });
}

/** `canon lower`: the core function that calls `callee`. It returns a promise when the callee does. */
export function canonLower(
	type: FunctionType,
	callee: ComponentFunction,
	options: CanonicalOptions,
	instance: ComponentInstance,
): CoreFunction {
	const guest = callee instanceof LiftedFunction ? { callee, entered: callee.instance.enteredFrom(instance) } : null;
	const lower: Lower = { type, callee, guest, options, instance };
	const { paramSlots, resultSpilled } = signatureOf(type);
	let interpreted: InterpretedLower | undefined;
	const interpret = (): InterpretedLower => (interpreted ??= new InterpretedLower(lower));
	const known = generateLower(lower, interpret, true);
	if (known !== null) return known;
	return lazily(
		paramSlots.length + (resultSpilled ? 1 : 0),
		() => generateLower(lower, interpret, false) ?? ((...flat) => interpret().call(flat)),
	);
}
