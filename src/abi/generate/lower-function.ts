import type { FunctionType } from "../../component/mod.ts";
import { layoutOf } from "../layout.ts";
import { type Signature, signatureOf } from "../signature.ts";
import type { Emitter } from "./emitter.ts";
import { rangeCheck } from "./lift-function.ts";
import { LiftEmitter } from "./lift.ts";
import { LowerEmitter } from "./lower.ts";
import { packedAmong, writeChecks } from "./pack.ts";
import { declareFlat, FlatPlace, MemoryPlace } from "./places.ts";

/** Who is called: a guest, a host's function with its context or without it, or whatever else has a `call`. */
export type Callee = "guest" | "context" | "plain" | "other";

const CALLS: Readonly<Record<Exclude<Callee, "guest">, (args: string) => string>> = {
	context: (args) => `fn(store.context${args === "" ? "" : `, ${args}`})`,
	plain: (args) => `fn(${args})`,
	other: (args) => `callee.call([${args}])`,
};

/** Writes the core function that calls a component function, as `InterpretedLower` does; a host's wrong result is left to that. */
export function writeLower(out: Emitter, type: FunctionType, callee: Callee): string {
	const signature = signatureOf(type);
	const { paramSlots, result, resultSpilled, borrows } = signature;
	const checks = result === null || callee === "guest" ? "" : writeChecks(out, [result], ["value"]);
	const lowering = writeResult(out, signature, callee === "guest");
	const { text: lifting, args } = writeArguments(out, signature, callee === "guest");
	const params = [...paramSlots.map((_, i) => `flat${i}`), ...(resultSpilled ? ["out"] : [])];
	const more = `${borrows ? "scope" : "null"}, epoch, ${resultSpilled ? "out" : "undefined"}`;
	const given = args.join(", ");
	const call =
		callee === "guest"
			? `return callee.callFrom(entered, [${given}], finish, ${more});`
			: byHost(CALLS[callee](given), more, borrows);
	return `
${checks}
function finish(value, scope, epoch, out) {
	if (store.isOver(epoch)) cannotEnter();
	${checks === "" ? "" : "const packed = checks(value);\n\tif (packed === false) return interpret().finish(value, scope, epoch, out);"}
	${lowering.text}
	${borrows ? "scope.release();" : ""}
	return ${lowering.value};
}
return function lowered(${params.join(", ")}) {
	if (!instance.mayLeave) cannotLeave();
	const { epoch } = store;
	${borrows ? "const scope = cx.scope = new CallScope();" : ""}
	${lifting}
	${call}
};`;
}

/** Where the call fails, what it lent is no longer valid. */
function byHost(call: string, more: string, borrows: boolean): string {
	if (!borrows) {
		return `const value = ${call};
	if (!(value instanceof Promise)) return finish(value, ${more});
	return value.then((settled) => finish(settled, ${more}));`;
	}
	return `let value;
	try {
		value = ${call};
	} catch (error) {
		scope.expire();
		throw error;
	}
	if (!(value instanceof Promise)) return finish(value, ${more});
	return value.then((settled) => finish(settled, ${more}), (error) => { scope.expire(); throw error; });`;
}

function writeArguments(out: Emitter, signature: Signature, carried: boolean): { text: string; args: string[] } {
	const { params, paramSlots, paramsSpilled } = signature;
	// Another guest is given them before this one goes on.
	const emitter = new LiftEmitter(out, params, carried, carried);
	let from: FlatPlace | MemoryPlace = new FlatPlace(out, "flat", paramSlots);
	if (paramsSpilled) {
		const { size, alignment } = layoutOf(params);
		const pointer = out.define("flat0 >>> 0");
		out.line(rangeCheck(pointer, size, alignment));
		from = new MemoryPlace(out, pointer);
	}
	const args = params.elements.map((element, i) => emitter.lift(element, from.part(params, i)));
	const text = `${emitter.begin}${out.take()}`;
	return { text: usesMemory(text, args) ? `memory.refresh();\nconst { view, bytes } = memory;\n${text}` : text, args };
}

function usesMemory(text: string, args: readonly string[]): boolean {
	return /\b(?:view|bytes|memory|loadString)\b/.test(`${text} ${args.join(" ")}`);
}

function writeResult(out: Emitter, signature: Signature, carried: boolean): { text: string; value: string } {
	const { result, resultSlots, resultSpilled } = signature;
	if (result === null) return { text: "", value: "undefined" };
	const packed = !carried && packedAmong([result]) === 0 ? "value" : null;
	const emitter = new LowerEmitter(out, carried, packed);
	if (!resultSpilled) {
		declareFlat(out, "ret", resultSlots);
		emitter.lower(result, "value", new FlatPlace(out, "ret", resultSlots));
		const text = out.take();
		const plain = !/\bcx\b/.test(text);
		return { text: plain ? text : guarded(text), value: resultSlots.length === 0 ? "undefined" : "ret0" };
	}
	const { size, alignment } = layoutOf(result);
	const pointer = out.define("out >>> 0");
	out.line(rangeCheck(pointer, size, alignment));
	emitter.lower(result, "value", new MemoryPlace(out, pointer));
	return { text: guarded(out.take()), value: "undefined" };
}

/** The guest may not leave while it is lowered to. */
function guarded(text: string): string {
	return `memory.refresh();
	let { view, bytes } = memory;
	instance.mayLeave = false;
	${text}
	instance.mayLeave = true;`;
}
