import type { CoreFunctionType } from "../../wasm/mod.ts";
import type { Canon, CanonDefinition, CanonOptions } from "../ast.ts";
import {
	flattenAsyncLower,
	flattenFunctionType,
	flattenTaskReturn,
	flattenType,
	MAX_FLAT_ASYNC_PARAMS,
	MAX_FLAT_PARAMS,
} from "../flatten.ts";
import type { FunctionType, ValueType } from "../types.ts";
import { resolveValueType } from "../resolve.ts";
import { validateBuiltin } from "./builtins.ts";
import { checkOptions, sameSignature, wrongSignature } from "./canon-options.ts";
import { unsupported } from "./gates.ts";
import { invalid } from "./invalid.ts";
import { infoOf } from "./measure.ts";
import type { Scope } from "./scope.ts";

const LIFT: ReadonlySet<"async" | "callback" | "post-return"> = new Set(["async", "callback", "post-return"] as const);
const LOWER: ReadonlySet<"async" | "callback" | "post-return"> = new Set(["async"] as const);
const NONE: ReadonlySet<never> = new Set();

export function validateCanon(scope: Scope, { canon, offset }: CanonDefinition): void {
	switch (canon.op) {
		case "lift":
			validateLift(scope, canon, offset);
			break;
		case "lower":
			addFunction(scope, validateLower(scope, canon, offset));
			break;
		case "resource.new":
		case "resource.rep":
		case "resource.drop":
			addFunction(scope, validateResource(scope, canon, offset));
			break;
		case "task.return":
			addFunction(scope, validateTaskReturn(scope, canon, offset));
			break;
		default:
			addFunction(scope, validateBuiltin(scope, canon, offset));
	}
}

function addFunction(scope: Scope, type: CoreFunctionType): void {
	scope.addCore({ kind: "func", type });
}

function valuesOf(type: FunctionType): { params: readonly ValueType[]; results: readonly ValueType[] } {
	return { params: type.params.map((param) => param.type), results: type.result === null ? [] : [type.result] };
}

const hasPointers = (types: readonly ValueType[]): boolean => types.some((type) => infoOf(type).pointers);

function flatCount(scope: Scope, types: readonly ValueType[]): number {
	let count = 0;
	for (const type of types) {
		// Flattening visits each node once, and cheaply
		scope.work.step(Math.ceil(infoOf(type).size / 16));
		count += flattenType(type).length;
	}
	return count;
}

function checkAsync(options: CanonOptions, type: FunctionType, offset: number): void {
	if (options.async && !type.async) {
		throw invalid("the `async` canonical option requires an async function type", offset);
	}
}

function validateLift(scope: Scope, canon: Extract<Canon, { op: "lift" }>, offset: number): void {
	const { options } = canon;
	const type = scope.functionType(canon.type);
	const core = scope.coreFuncs.get(canon.func, offset).type;
	checkAsync(options, type, offset);
	const { params, results } = valuesOf(type);
	const spills = flatCount(scope, params) > MAX_FLAT_PARAMS;
	const paramsInMemory = spills || hasPointers(params);
	// An async lift returns through `task.return`, which has the same memory
	const mostResults = options.async ? MAX_FLAT_PARAMS : 1;
	const resultsInMemory = hasPointers(results) || flatCount(scope, results) > mostResults;
	const use = {
		memory: paramsInMemory || resultsInMemory,
		realloc: paramsInMemory,
		allows: LIFT,
		title: "liftings",
	};
	checkOptions(scope, options, use, offset);
	const expected = liftedSignature(type, options);
	if (core.params.join() !== expected.params.join()) {
		throw mismatch("parameter", expected.params, core.params, offset);
	}
	if (core.results.join() !== expected.results.join()) {
		throw mismatch("result", expected.results, core.results, offset);
	}
	if (options.postReturn !== null) {
		if (options.async) throw invalid("canonical option `post-return` cannot be specified for async liftings", offset);
		const postReturn = scope.coreFuncs.get(options.postReturn, offset).type;
		if (!sameSignature(postReturn, core.results, [])) throw wrongSignature("post-return", offset);
	}
	scope.funcs.add(type, offset);
}

/** The signature of the core function that is lifted. A callback's is given the state in an i32; without one, the stack holds it. */
function liftedSignature(type: FunctionType, options: CanonOptions): CoreFunctionType {
	const sync = flattenFunctionType(type, "lift");
	if (!options.async) return sync;
	return { params: sync.params, results: options.callback === null ? [] : ["i32"] };
}

function mismatch(what: string, expected: readonly string[], found: readonly string[], offset: number): Error {
	const list = (types: readonly string[]): string => `[${types.map((type) => type.toUpperCase()).join(", ")}]`;
	return invalid(`lowered ${what} types \`${list(expected)}\` do not match ${what} types \`${list(found)}\``, offset);
}

function validateLower(scope: Scope, canon: Extract<Canon, { op: "lower" }>, offset: number): CoreFunctionType {
	const { options } = canon;
	const type = scope.funcs.get(canon.func, offset);
	checkAsync(options, type, offset);
	const { params, results } = valuesOf(type);
	const mostParams = options.async ? MAX_FLAT_ASYNC_PARAMS : MAX_FLAT_PARAMS;
	const resultSpills = options.async ? results.length > 0 : flatCount(scope, results) > 1;
	const use = {
		memory: hasPointers(params) || flatCount(scope, params) > mostParams || hasPointers(results) || resultSpills,
		realloc: hasPointers(results),
		allows: LOWER,
		title: "lowerings",
	};
	checkOptions(scope, options, use, offset);
	return options.async ? flattenAsyncLower(type) : flattenFunctionType(type, "lower");
}

function validateResource(
	scope: Scope,
	canon: Extract<Canon, { op: "resource.new" | "resource.rep" | "resource.drop" }>,
	offset: number,
): CoreFunctionType {
	const resource = scope.resourceType(canon.type);
	if (canon.op === "resource.drop") return { params: ["i32"], results: [] };
	if (!scope.localResources.has(resource)) throw invalid(`type index ${canon.type} is not a local resource`, offset);
	return { params: ["i32"], results: ["i32"] };
}

function validateTaskReturn(
	scope: Scope,
	canon: { readonly result?: Parameters<typeof resolveValueType>[0] | null; readonly options?: CanonOptions },
	offset: number,
): CoreFunctionType {
	const types = canon.result === null || canon.result === undefined ? [] : [resolveValueType(canon.result, scope)];
	if (types.some((type) => type.kind === "error-context")) throw unsupported("error-context", offset);
	if (types.some((type) => infoOf(type).borrows)) throw invalid("`task.return` cannot return a `borrow` type", offset);
	const flat = types.flatMap((type) => flattenType(type));
	const spills = flat.length > MAX_FLAT_PARAMS;
	const use = {
		memory: spills || hasPointers(types),
		realloc: false,
		allows: NONE,
		title: "`task.return`",
		refusesRealloc: true,
	};
	if (canon.options !== undefined) checkOptions(scope, canon.options, use, offset);
	return flattenTaskReturn(types[0] ?? null);
}
