import { findUnsupported, isAsync } from "../../abi/mod.ts";
import {
	type BuiltinCanon,
	builtinSignature,
	type Canon,
	type CanonOptions,
	type CoreFunctionType,
	flattenAsyncLower,
	flattenFunctionType,
	flattenTaskReturn,
	type FunctionType,
	resolveValueType,
} from "../../component/mod.ts";
import { isReturnedPlainly } from "../../abi/mod.ts";
import { compileTrampolines } from "../../engine/mod.ts";
import { checkFeature, type Features, unsupported } from "./features.ts";
import type { Builtin, LiftedFunction, PlanOptions, Step, Trampoline } from "./plan.ts";
import type { Scope } from "./scope.ts";

/**
 * The canonical definitions of a plan: functions that are lifted, and trampolines, which are core functions of the host's, made for guests:
 * functions that are lowered, and built-ins.
 */
export class CanonicalDefinitions {
	readonly #features: Features;
	readonly #steps: Step[];
	readonly #lifted: LiftedFunction[] = [];
	#async = false;
	#trampolines = 0;
	/** Trampolines that no step has made yet: they are made together, before the next step that may use them. */
	#waiting: { trampoline: Trampoline; type: CoreFunctionType }[] = [];

	/** @param steps of the plan, to which those are added that make trampolines */
	constructor(features: Features, steps: Step[]) {
		this.#features = features;
		this.#steps = steps;
	}

	get lifted(): readonly LiftedFunction[] {
		return this.#lifted;
	}

	/** Anything of it is asynchronous. */
	get async(): boolean {
		return this.#async;
	}

	/** Adds what the definition defines to the scope. */
	define(canon: Canon, scope: Scope, offset: number): void {
		switch (canon.op) {
			case "lift": {
				const options = this.#options(canon.options, scope, offset);
				const type = this.#supported(scope.functionType(canon.type), offset);
				if (options.async && options.callback === null) {
					checkFeature(this.#features, "stackful", "an async function that is lifted without a callback", offset);
				}
				const index = this.#lifted.length;
				const coreType = liftedType(type, options.async, options.callback !== null);
				const core = scope.coreItem("func", canon.func);
				// What lowers it is made after it, which may be next
				const items = [core, options.realloc, options.postReturn, options.callback];
				if (items.some((item) => item?.kind === "trampoline")) this.flush();
				this.#lifted.push({ core, coreType, options, type, instance: scope.instance });
				scope.funcs.push({ kind: "lift", index, type });
				break;
			}
			case "lower": {
				const callee = scope.func(canon.func);
				const options = this.#options(canon.options, scope, offset);
				const type = this.#supported(callee.type, offset);
				const coreType = options.async ? flattenAsyncLower(type) : flattenFunctionType(type, "lower");
				this.#trampoline(scope, { kind: "lower", callee, options, instance: scope.instance }, coreType);
				break;
			}
			case "resource.new":
			case "resource.rep":
			case "resource.drop": {
				const resource = scope.resourceType(canon.type);
				const results = canon.op === "resource.drop" ? [] : ["i32"];
				this.#trampoline(scope, { kind: canon.op, resource, instance: scope.instance }, { params: ["i32"], results });
				break;
			}
			default:
				this.#builtin(canon, scope, offset);
		}
	}

	#builtin(canon: BuiltinCanon, scope: Scope, offset: number): void {
		this.#async = true;
		const { op, async = false, cancellable = false, slot } = canon;
		const threads = op.startsWith("thread.") && op !== "thread.yield";
		if (threads) checkFeature(this.#features, "threads", `the canonical built-in ${op}`, offset);
		if (op === "subtask.cancel" && async) checkFeature(this.#features, "asyncCancel", `an async ${op}`, offset);
		const result = canon.result === null || canon.result === undefined ? null : resolveValueType(canon.result, scope);
		const given = canon.options ?? (canon.memory === undefined ? undefined : { ...NO_OPTIONS, memory: canon.memory });
		const builtin: Builtin = {
			kind: "builtin",
			op,
			instance: scope.instance,
			result,
			async: async || canon.options?.async === true,
			cancellable,
			...(canon.type === undefined ? {} : { type: scope.valueType(canon.type) }),
			...(given === undefined ? {} : { options: this.#options(given, scope, offset) }),
			...(slot === undefined ? {} : { slot }),
			...(canon.table === undefined ? {} : { table: scope.coreItem("table", canon.table) }),
		};
		const type = op === "task.return" ? flattenTaskReturn(result) : (builtinSignature(op) ?? contextType(op, offset));
		this.#trampoline(scope, builtin, type);
	}

	#supported(type: FunctionType, offset: number): FunctionType {
		const feature = findUnsupported(type);
		if (feature !== null) throw unsupported(feature, offset);
		this.#async ||= isAsync(type);
		return type;
	}

	#options(options: CanonOptions, scope: Scope, offset: number): PlanOptions {
		this.#async ||= options.async;
		if (options.gc || options.coreType !== null) throw unsupported("the canonical option gc", offset);
		return {
			encoding: options.encoding,
			memory: options.memory === null ? null : scope.coreItem("memory", options.memory),
			realloc: options.realloc === null ? null : scope.coreItem("func", options.realloc),
			postReturn: options.postReturn === null ? null : scope.coreItem("func", options.postReturn),
			async: options.async,
			callback: options.callback === null ? null : scope.coreItem("func", options.callback),
		};
	}

	#trampoline(scope: Scope, trampoline: Trampoline, type: CoreFunctionType): void {
		scope.core.func.push({ kind: "trampoline", index: this.#trampolines++ });
		this.#waiting.push({ trampoline, type });
	}

	/** Makes a step of those that no step has made. */
	flush(): void {
		if (this.#waiting.length === 0) return;
		const types = this.#waiting.map((w) => w.type);
		const returning = [...this.#waiting.keys()].filter((i) => returnsPlainly(this.#waiting[i]!.trampoline));
		this.#steps.push({
			kind: "trampolines",
			first: this.#trampolines - this.#waiting.length,
			trampolines: this.#waiting.map((w) => w.trampoline),
			types,
			returning,
			module: compileTrampolines(types, returning),
		});
		this.#waiting = [];
	}
}

function returnsPlainly(trampoline: Trampoline): boolean {
	return (
		trampoline.kind === "builtin" && trampoline.op === "task.return" && isReturnedPlainly(trampoline.result ?? null)
	);
}

const NO_OPTIONS: CanonOptions = {
	encoding: "utf8",
	memory: null,
	realloc: null,
	postReturn: null,
	async: false,
	callback: null,
	coreType: null,
	gc: false,
};

function contextType(op: BuiltinCanon["op"], offset: number): CoreFunctionType {
	if (op === "context.get") return { params: [], results: ["i32"] };
	if (op === "context.set") return { params: ["i32"], results: [] };
	throw unsupported(`the canonical built-in ${op}`, offset);
}

/** The type of the core function that is lifted. */
function liftedType(type: FunctionType, async: boolean, callback: boolean): CoreFunctionType {
	const sync = flattenFunctionType(type, "lift");
	return async ? { params: sync.params, results: callback ? ["i32"] : [] } : sync;
}
