/**
 * JavaScript made for each type of function: lifting and lowering written out, with nothing left to decide in a call but what the
 * values decide. `null` from these functions means that the interpreter serves.
 */
import { Context } from "../context.ts";
import { HostComponentFunction } from "../host-function.ts";
import type { BriefCalls, CallFrom, InterpretedLift, Lift } from "../interpret-lift.ts";
import type { InterpretedLower, Lower } from "../interpret-lower.ts";
import type { CanonicalOptions, ComponentFunction, ComponentInstance, CoreFunction } from "../store.ts";
import { compile, useKey } from "./compile.ts";
import { writeLift } from "./lift-function.ts";
import { type Callee, writeLower } from "./lower-function.ts";
import { isTextOf, loadStringOf, passStringOf, storeStringOf } from "./text.ts";

/** A call of a lifted function by the host; arguments that do not have their types are left to `interpret`. */
export function generateLift(lift: Lift, interpret: () => InterpretedLift): ((...args: unknown[]) => unknown) | null {
	const { type, core, options, instance, bare } = lift;
	const code = compile(type, useKey("lift host", options), (out) => writeLift(out, type, "host"), false);
	if (code === null) return null;
	const entered = instance.enteredFrom(null);
	const names = { ...bindings(lift, false), postReturn: options.postReturn, entered, interpret };
	const bind = (more: object): ((...args: unknown[]) => unknown) =>
		code.bind({ ...names, ...more }, code.resources) as (...args: unknown[]) => unknown;
	if (bare === null) return bind({ core, turn: null, isBrief: false, words: null });
	const { turn, realloc, isBrief, brief } = bare;
	let other: ((...args: unknown[]) => unknown) | undefined;
	// Where a guest holds the thread already, the calls of this one are told one by one.
	const guarded = (...args: unknown[]): unknown =>
		(other ??= bind({ core, turn: null, isBrief: false, words: null }))(...args);
	return bind({
		...contextOf({ ...options, realloc }, instance, false),
		core: bare.core,
		turn,
		guarded,
		isBrief,
		...briefly(brief),
	});
}

function briefly(brief: BriefCalls | null): object {
	if (brief === null) return { words: null };
	const { words, lease, entry, call, seen, attentive, shift, most } = brief;
	const indices = { entryWord: entry, callWord: call, seenWord: seen, attentiveWord: attentive };
	return { words, lease, ...indices, numberShift: shift, mostLeased: most };
}

/** A call of a lifted function by another guest. */
export function generateNestedLift(lift: Lift): CallFrom | null {
	const { type, nested, nestedBare, options, instance } = lift;
	const code = compile(type, useKey("lift guest", options), (out) => writeLift(out, type, "guest"), false);
	if (code === null) return null;
	const names: Record<string, unknown> = {
		...bindings(lift, true),
		// The caller is given its result before this guest goes on.
		loadString: passStringOf(options.encoding),
		core: nested,
		turn: null,
		postReturn: options.postReturn,
	};
	if (nestedBare !== null) {
		const { turn, core, realloc } = nestedBare;
		Object.assign(names, { ...contextOf({ ...options, realloc }, instance, true), turn, core });
	}
	return code.bind(names, code.resources) as CallFrom;
}

/**
 * A lowered function; a host's result that does not have its type is left to `interpret`.
 * @param known only where there is code for its type already
 */
export function generateLower(lower: Lower, interpret: () => InterpretedLower, known: boolean): CoreFunction | null {
	const { type, callee, guest, options } = lower;
	const kind = guest === null ? calleeKind(callee) : "guest";
	const code = compile(type, useKey(`lower ${kind}`, options), (out) => writeLower(out, type, kind), known);
	if (code === null) return null;
	const fn = callee instanceof HostComponentFunction ? callee.fn : null;
	const names = {
		...bindings(lower, guest !== null),
		loadString: guest === null ? loadStringOf(options.encoding, false) : passStringOf(options.encoding),
		fn,
		callee: guest?.callee ?? callee,
		entered: guest?.entered ?? null,
		interpret,
	};
	return code.bind(names, code.resources) as CoreFunction;
}

function calleeKind(callee: ComponentFunction): Callee {
	if (!(callee instanceof HostComponentFunction)) return "other";
	return callee.store === null ? "plain" : "context";
}

function bindings({ options, instance }: Lift | Lower, carried: boolean): Readonly<Record<string, unknown>> {
	return {
		instance,
		store: instance.store,
		...contextOf(options, instance, carried),
		loadString: loadStringOf(options.encoding, carried),
		storeString: storeStringOf(options.encoding, carried),
		isText: isTextOf(options.encoding),
	};
}

function contextOf(
	options: CanonicalOptions,
	instance: ComponentInstance,
	carried: boolean,
): Readonly<Record<"cx" | "memory" | "realloc", unknown>> {
	const cx = new Context(options, instance, carried);
	return { cx, memory: cx.memory, realloc: options.realloc };
}
