/**
 * JavaScript made for each type of function: lifting and lowering written out, with nothing left to decide in a call but what the
 * values decide. `null` from these functions means that the interpreter serves.
 */
import { Context } from "../context.ts";
import { HostComponentFunction } from "../host-function.ts";
import type { BriefCalls, CallFrom, InterpretedLift, Lift } from "../interpret-lift.ts";
import type { InterpretedLower, Lower } from "../interpret-lower.ts";
import type { FunctionType } from "../../component/mod.ts";
import type { CanonicalOptions, ComponentFunction, ComponentInstance, CoreFunction } from "../store.ts";
import { isBrief, type Returns, writeBrief } from "./brief-function.ts";
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

/** A function of tasks, and what its calls need that go by untold. */
interface BriefTask {
	readonly type: FunctionType;
	readonly options: CanonicalOptions & { readonly async: boolean };
	/** As it is. */
	readonly core: CoreFunction;
	readonly own: { readonly instance: ComponentInstance; syncCalls: number };
	readonly calls: BriefCalls;
	readonly returns: Returns;
	readonly scheduler: { enter(thread: never): void; exit(): void };
	/** The thread that such a call is of, `null` while there are to be none, and the number of the built-in through which it returns. */
	readonly state: { readonly thread: object | null; readonly number: number };
	/** Goes on with a call that is like any other now, after it has returned to the host. */
	surface(returned: unknown): unknown;
	failed(error: unknown): unknown;
}

/** Calls of a task that go by untold, with as many arguments as there are parameters: `null` where one has not begun. */
export interface Brief {
	readonly brief: (...args: unknown[]) => unknown;
	/** The value that was returned, which may be what the function did. */
	read(returned?: unknown): unknown;
}

/** @returns `null` where there is no code for them */
export function generateBrief(task: BriefTask): Brief | null {
	const { type, options, core, own, calls, scheduler, state } = task;
	if (!isBrief(type)) return null;
	const { instance } = own;
	const kind = { type, returns: options.async, alone: instance.parent === null };
	const key = `brief ${kind.returns ? "returns" : ""} ${kind.alone ? "alone" : ""} ${type.async ? "async" : ""}`;
	const code = compile(type, key, (out) => writeBrief(out, kind, calls, task.returns), false);
	if (code === null) return null;
	const { words: returned, floats, wides } = task.returns;
	const names = {
		instance,
		own,
		core,
		scheduler,
		state,
		entered: instance.enteredFrom(null),
		words: calls.words,
		lease: calls.lease,
		returned,
		floats,
		wides,
		surface: (value: unknown) => task.surface(value),
		failed: (error: unknown) => task.failed(error),
	};
	return code.bind(names, code.resources) as Brief;
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
		shared: instance.store.shared,
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
