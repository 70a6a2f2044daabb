import type { CoreFunctionType } from "../../wasm/mod.ts";
import type { BuiltinCanon } from "../ast.ts";
import type { ValueType } from "../types.ts";
import { checkMemory, checkOptions, type OptionUse } from "./canon-options.ts";
import { unsupported } from "./gates.ts";
import { invalid } from "./invalid.ts";
import { infoOf } from "./measure.ts";
import type { Scope } from "./scope.ts";

type Kind = "i32" | "i64";

interface Builtin {
	readonly params: readonly Kind[];
	readonly results: readonly Kind[];
	/** The kind of type that the `type` immediate must denote. */
	readonly of?: "stream" | "future";
	/** Whether the payload is lifted from memory or lowered into it. */
	readonly transfer?: "read" | "write";
}

const NONE: readonly Kind[] = [];
const I32: readonly Kind[] = ["i32"];
const I32X2: readonly Kind[] = ["i32", "i32"];
const I32X3: readonly Kind[] = ["i32", "i32", "i32"];
const I64: readonly Kind[] = ["i64"];

/** CanonicalABI.md, Canonical Definitions: the core signature of each built-in that does not depend on a type. */
const BUILTINS = new Map<BuiltinCanon["op"], Builtin>([
	["task.cancel", { params: NONE, results: NONE }],
	["subtask.cancel", { params: I32, results: I32 }],
	["subtask.drop", { params: I32, results: NONE }],
	["thread.yield", { params: NONE, results: I32 }],
	["stream.new", { params: NONE, results: I64, of: "stream" }],
	["stream.read", { params: I32X3, results: I32, of: "stream", transfer: "read" }],
	["stream.write", { params: I32X3, results: I32, of: "stream", transfer: "write" }],
	["stream.cancel-read", { params: I32, results: I32, of: "stream" }],
	["stream.cancel-write", { params: I32, results: I32, of: "stream" }],
	["stream.drop-readable", { params: I32, results: NONE, of: "stream" }],
	["stream.drop-writable", { params: I32, results: NONE, of: "stream" }],
	["future.new", { params: NONE, results: I64, of: "future" }],
	["future.read", { params: I32X2, results: I32, of: "future", transfer: "read" }],
	["future.write", { params: I32X2, results: I32, of: "future", transfer: "write" }],
	["future.cancel-read", { params: I32, results: I32, of: "future" }],
	["future.cancel-write", { params: I32, results: I32, of: "future" }],
	["future.drop-readable", { params: I32, results: NONE, of: "future" }],
	["future.drop-writable", { params: I32, results: NONE, of: "future" }],
	["waitable-set.new", { params: NONE, results: I32 }],
	["waitable-set.wait", { params: I32X2, results: I32 }],
	["waitable-set.poll", { params: I32X2, results: I32 }],
	["waitable-set.drop", { params: I32, results: NONE }],
	["waitable.join", { params: I32X2, results: NONE }],
	["backpressure.inc", { params: NONE, results: NONE }],
	["backpressure.dec", { params: NONE, results: NONE }],
	["thread.index", { params: NONE, results: I32 }],
	["thread.new-indirect", { params: I32X2, results: I32 }],
	["thread.resume-later", { params: I32, results: NONE }],
	["thread.suspend", { params: NONE, results: I32 }],
	["thread.suspend-then-resume", { params: I32, results: I32 }],
	["thread.yield-then-resume", { params: I32, results: I32 }],
	["thread.suspend-then-promote", { params: I32, results: I32 }],
	["thread.yield-then-promote", { params: I32, results: I32 }],
]);

/** The core signature of a built-in whose type does not depend on its immediates; `undefined` for others. */
export function builtinSignature(op: BuiltinCanon["op"]): CoreFunctionType | undefined {
	return BUILTINS.get(op);
}

/** Explainer.md: threads have this many slots of context-local storage. */
const CONTEXT_SLOTS = 2;

/** Checks a built-in's immediates and gives its core signature. */
export function validateBuiltin(scope: Scope, canon: BuiltinCanon, offset: number): CoreFunctionType {
	if (canon.op === "context.get" || canon.op === "context.set") return validateContext(canon, offset);
	const builtin = BUILTINS.get(canon.op);
	if (builtin === undefined) {
		throw unsupported(canon.op.startsWith("error-context") ? "error-context" : "shared-threads", offset);
	}
	if (builtin.of !== undefined) checkPayload(scope, canon, builtin, builtin.of, offset);
	if (canon.memory !== undefined) checkMemory(scope, canon.memory, offset);
	if (canon.op === "thread.new-indirect") checkThreadStart(scope, canon, offset);
	return { params: builtin.params, results: builtin.results };
}

function validateContext(canon: BuiltinCanon, offset: number): CoreFunctionType {
	const type = canon.coreType ?? "i32";
	if (type === "i64") throw unsupported("memory64", offset);
	if ((canon.slot ?? 0) >= CONTEXT_SLOTS) {
		throw invalid(`immediate of \`${canon.op}\` must be below ${CONTEXT_SLOTS}`, offset);
	}
	return canon.op === "context.get" ? { params: [], results: [type] } : { params: [type], results: [] };
}

function checkPayload(
	scope: Scope,
	canon: BuiltinCanon,
	builtin: Builtin,
	kind: "stream" | "future",
	offset: number,
): void {
	const index = canon.type ?? 0;
	const type: ValueType = scope.valueType(index);
	if (type.kind !== kind) throw invalid(`\`${canon.op}\` requires a ${kind} type, which type ${index} is not`, offset);
	if (builtin.transfer === undefined || canon.options === undefined) return;
	const pointers = type.element !== null && infoOf(type.element).pointers;
	const use: OptionUse = {
		memory: type.element !== null,
		realloc: builtin.transfer === "read" && pointers,
		allows: new Set(["async"] as const),
		title: `\`${canon.op}\``,
	};
	checkOptions(scope, canon.options, use, offset);
}

/** The start function takes its argument as an i32; the table holds functions. */
function checkThreadStart(scope: Scope, canon: BuiltinCanon, offset: number): void {
	const index = canon.coreTypeIndex ?? 0;
	if (scope.coreTypes.get(index, offset).kind !== "rec")
		throw invalid(`core type ${index} is not a function type`, offset);
	const type = scope.recTypes.functionType(index, offset);
	if (type.params.join() !== "i32" || type.results.length > 0) {
		throw invalid("start function must take a single `i32` argument and return nothing", offset);
	}
	const table = scope.coreTables.get(canon.table ?? 0, offset);
	if (table.element !== "funcref") throw invalid("the table of `thread.new-indirect` must hold `funcref`", offset);
}
