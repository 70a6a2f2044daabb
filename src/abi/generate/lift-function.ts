import type { FunctionType } from "../../component/mod.ts";
import { layoutOf } from "../layout.ts";
import { type Signature, signatureOf } from "../signature.ts";
import { CheckEmitter } from "./check.ts";
import type { Emitter } from "./emitter.ts";
import { LiftEmitter } from "./lift.ts";
import { LowerEmitter } from "./lower.ts";
import { declareFlat, FlatPlace, MemoryPlace } from "./places.ts";

/**
 * Writes the function that calls a lifted one, for the host (`(...args) => result`) or for another guest (`(entered, args) => result`).
 * It does what `InterpretedLift` does; wrong arguments of a host are left to that.
 */
export function writeLift(out: Emitter, type: FunctionType, caller: "host" | "guest"): string {
	const signature = signatureOf(type);
	const byHost = caller === "host";
	const scope = signature.borrows ? "scope" : "null";
	const { elements } = signature.params;
	const args = elements.map((_, i) => `arg${i}`);
	const checks = byHost ? writeChecks(out, type, args) : "";
	const lowering = writeArguments(out, signature, args, caller);
	const flat = signature.paramSlots.map((_, i) => `flat${i}`);
	const result = writeResult(out, signature, !byHost);
	const returned = signature.resultSlots.length > 0 ? "ret0" : "";
	const call = `${byHost ? ENTER : "enterInstances(entered);"}
	const { epoch } = store;
	${signature.borrows ? "const scope = cx.scope = new CallScope();" : ""}
	${lowering}
	let ret0;
	try {
		ret0 = core(${flat.join(", ")});
		${byHost ? STUCK : ""}
	} catch (error) {
		throw store.fail(${byHost ? REASON : "error"});
	}
	try {
		if (!(ret0 instanceof Promise)) return finish(ret0, ${scope}, entered);
	} catch (error) {
		throw store.fail(error);
	}
	return later(store, epoch, ret0, (value) => finish(value, ${scope}, entered));`;
	return `
${checks}
${byHost ? "const only = entered.length === 1;" : ""}
function finish(ret0, scope, entered) {
	if (store.disposed) cannotEnter();
	${result.text}
	${signature.borrows ? "if (scope.borrows > 0) borrowsRemain();" : ""}
	if (postReturn !== null) {
		instance.mayLeave = false;
		const post = postReturn(${returned});
		if (post instanceof Promise) return post.then(() => leave(instance, entered, ${result.value}));
		instance.mayLeave = true;
	}
	${byHost ? "if (only) instance.entered = false; else leaveInstances(entered);" : "leaveInstances(entered);"}
	return ${result.value};
}
${byHost ? hostFunction(args, call) : guestFunction(args, call)}`;
}

/** Where the instance has no parent, it is all there is to enter. */
const ENTER = `if (only && instance.entered === false && store.poison === undefined && !store.disposed) instance.entered = true;
	else enterInstances(entered);`;

const STUCK = "if (turn !== null && turn.stuck) throw undefined;";
const REASON = "turn === null ? error : turn.reason(error)";

function hostFunction(args: readonly string[], call: string): string {
	const all = args.join(", ");
	return `return function lifted(${all}) {
	if (arguments.length > ${args.length} || !checks(${all})) return interpret().call([...arguments]);
	if (turn !== null && !turn.hold()) return guarded(${all});
	try {
		${call}
	} finally {
		if (turn !== null) turn.release();
	}
};`;
}

function guestFunction(args: readonly string[], call: string): string {
	return `return function lifted(entered, args) {
	${args.map((arg, i) => `const ${arg} = args[${i}];`).join(" ")}
	${call}
};`;
}

function writeChecks(out: Emitter, type: FunctionType, args: readonly string[]): string {
	const check = new CheckEmitter(out);
	for (const [i, param] of type.params.entries()) check.check(param.type, args[i]!);
	return `function checks(${args.join(", ")}) {\n${out.take()}\nreturn true;\n}`;
}

function writeArguments(out: Emitter, signature: Signature, args: readonly string[], caller: "host" | "guest"): string {
	const { params, paramSlots, paramsSpilled } = signature;
	const emitter = new LowerEmitter(out, caller === "guest");
	declareFlat(out, "flat", paramSlots);
	const declared = out.take();
	if (paramsSpilled) {
		const { size, alignment } = layoutOf(params);
		out.line(`flat0 = cx.realloc(0, 0, ${alignment}, ${size});`);
		out.line("view = memory.view; bytes = memory.bytes;");
		const tuple = new MemoryPlace(out, "flat0");
		for (const [i, element] of params.elements.entries()) emitter.lower(element, args[i]!, tuple.part(params, i));
	} else {
		const flat = new FlatPlace(out, "flat", paramSlots);
		for (const [i, element] of params.elements.entries()) emitter.lower(element, args[i]!, flat.part(params, i));
	}
	const text = out.take();
	// Plain numbers cannot fail, and no guest code runs.
	if (!/\bcx\b/.test(text)) return `${declared}\n${text}`;
	return `${declared}
	memory.refresh();
	let { view, bytes } = memory;
	instance.mayLeave = false;
	try {
		${text}
		${caller === "host" ? STUCK : ""}
	} catch (error) {
		throw notLowered(instance, entered, ${caller === "host" ? REASON : "error"});
	}
	instance.mayLeave = true;`;
}

function writeResult(out: Emitter, signature: Signature, carried: boolean): { text: string; value: string } {
	const { result, resultSlots, resultSpilled } = signature;
	if (result === null) return { text: "", value: "undefined" };
	const emitter = new LiftEmitter(out, carried);
	if (!resultSpilled) {
		const value = out.define(emitter.lift(result, new FlatPlace(out, "ret", resultSlots)));
		return { text: out.take(), value };
	}
	const { size, alignment } = layoutOf(result);
	const pointer = out.define("ret0 >>> 0");
	out.line("memory.refresh();");
	out.line("const { view, bytes } = memory;");
	out.line(rangeCheck(pointer, size, alignment));
	const value = out.define(emitter.lift(result, new MemoryPlace(out, pointer)));
	return { text: out.take(), value };
}

/** Traps unless so many bytes at `pointer` are aligned and inside of the memory, of which the code has the `bytes`. */
export function rangeCheck(pointer: string, size: number, alignment: number): string {
	const unaligned = alignment === 1 ? "" : `(${pointer} & ${alignment - 1}) !== 0 || `;
	return `if (${unaligned}${pointer} + ${size} > bytes.length) badPointer(cx, ${pointer}, ${size}, ${alignment});`;
}
