import type { FunctionType, ValueType } from "../../component/mod.ts";
import { layoutOf } from "../layout.ts";
import { type Signature, signatureOf } from "../signature.ts";
import type { Emitter } from "./emitter.ts";
import { LiftEmitter } from "./lift.ts";
import { LowerEmitter } from "./lower.ts";
import { packedAmong, writeChecks } from "./pack.ts";
import { declareFlat, FlatPlace, MemoryPlace } from "./places.ts";

/**
 * Writes the function that calls a lifted one, for the host (`(...args) => result`) or for another guest (`CallFrom`).
 * It does what `InterpretedLift` does; wrong arguments of a host are left to that.
 */
export function writeLift(out: Emitter, type: FunctionType, caller: "host" | "guest"): string {
	const signature = signatureOf(type);
	const byHost = caller === "host";
	const scope = signature.borrows ? "scope" : "null";
	const { elements } = signature.params;
	const args = elements.map((_, i) => `arg${i}`);
	const checks = byHost ? writeChecks(out, elements, args) : "";
	const lowering = writeArguments(out, signature, args, caller);
	const flat = signature.paramSlots.map((_, i) => `flat${i}`);
	const result = writeResult(out, signature, !byHost);
	const returned = signature.resultSlots.length > 0 ? "ret0" : "";
	const target = byHost ? "" : ", deliver, lent, since, out";
	const given = byHost ? result.value : "given";
	const begin = `const { epoch } = store;
	${signature.borrows ? "const scope = cx.scope = new CallScope();" : ""}
	${lowering}
	let ret0;
	try {
		ret0 = core(${flat.join(", ")});
		${STUCK}
	} catch (error) {
		throw store.fail(${REASON});
	}`;
	const call = `${byHost ? ENTER : "enterInstances(entered);"}
	${begin}
	try {
		if (!(ret0 instanceof Promise)) return finish(ret0, ${scope}, entered${target});
	} catch (error) {
		throw store.fail(error);
	}
	return later(store, epoch, ret0, (value) => finish(value, ${scope}, entered${target}));`;
	const finish = `
${checks}
${byHost ? "const only = entered.length === 1;" : ""}
function finish(ret0, scope, entered${target}) {
	if (store.disposed) cannotEnter();
	${result.text}
	${signature.borrows ? "if (scope.borrows > 0) borrowsRemain();" : ""}
	${byHost ? "" : `const given = deliver(${result.value}, lent, since, out);`}
	if (postReturn !== null) {
		instance.mayLeave = false;
		const post = postReturn(${returned});
		if (post instanceof Promise) return post.then(() => leave(instance, entered, ${given}));
		instance.mayLeave = true;
	}
	${byHost ? "if (only) instance.entered = false; else leaveInstances(entered);" : "leaveInstances(entered);"}
	return ${given};
}`;
	if (!byHost) return `${finish}\n${guestFunction(args, call)}`;
	const plain = elements.every(isPlainNumber) && (signature.result === null || isPlainNumber(signature.result));
	const brief = plain
		? `try {
		${lowering}
		const ret0 = core(${flat.join(", ")});
		${result.text}
		value = ${result.value};
	} catch (error) {
		throw failed(error);
	}`
		: `try {
		if (only) instance.entered = true; else enterInstances(entered);
		${signature.borrows ? "const scope = cx.scope = new CallScope();" : ""}
		${lowering.replace(STUCK, "")}
		try {
			value = finish(core(${flat.join(", ")}), ${scope}, entered);
		} catch (error) {
			throw store.fail(turn.reason(error));
		}
	} catch (error) {
		turn.release();
		throw error;
	}`;
	return `${finish}\n${hostFunction(args, call, brief, plain)}`;
}

/** What is lifted and lowered without a look at memory, and without code of the host's: nothing can come in between. */
const PLAIN: ReadonlySet<string> = new Set([
	"bool",
	"u8",
	"s8",
	"u16",
	"s16",
	"u32",
	"s32",
	"u64",
	"s64",
	"f32",
	"f64",
	"char",
]);

/** Whether it is one of those. */
export function isPlainNumber({ kind }: ValueType): boolean {
	return PLAIN.has(kind);
}

/** Where the instance has no parent, it is all there is to enter. */
const ENTER = `if (only && instance.entered === false && !store.shut) instance.entered = true;
	else enterInstances(entered);`;

const STUCK = "if (turn !== null && turn.stuck) throw undefined;";
const REASON = "turn === null ? error : turn.reason(error)";

/**
 * Small enough for V8 to put it into its callers: what is seldom is called by `aside`. Where calls are leased, no guest has the thread, the
 * sandbox is well, and none of its instances is entered. What is brief needs none of that but the last two: nobody need know who has the
 * thread, for it comes to no check, is over before anybody could stop it, and calls nobody.
 */
function hostFunction(args: readonly string[], call: string, brief: string, isPlain: boolean): string {
	const all = args.join(", ");
	const comma = args.length === 0 ? "" : ", ";
	const unless = isPlain ? " || postReturn !== null" : "";
	const atOnce = isPlain
		? `
if (isBrief && only && postReturn === null) return function lifted(${all}) {
	if (checks(${all}) === false || arguments.length > ${args.length}) return wrong(arguments);
	if (instance.entered !== false || store.shut !== false) return aside(told, [true${comma}${all}]);
	let value;
	${brief.replace("failed(error)", "ended(error)")}
	return value;
};`
		: "";
	return `
function told(packed${comma}${all}) {
	if (turn !== null && !turn.hold()) return guarded(${all});
	try {
		${call}
	} finally {
		if (turn !== null) turn.release();
	}
}
function slowly(packed${comma}${all}) {
	const value = told(packed${comma}${all});
	turn.lease();
	return value;
}
function ended(error) {
	for (const each of entered) each.entered = true;
	return store.fail(turn.reason(error));
}
function failed(error) {
	try {
		return ended(error);
	} finally {
		turn.release();
	}
}
function released(value) {
	turn.release();
	turn.lease();
	return value;
}
function wrong(args) {
	return interpret().call([...args]);
}${atOnce}
if (words === null${unless}) return function lifted(${all}) {
	const packed = checks(${all});
	return packed === false || arguments.length > ${args.length} ? wrong(arguments) : told(packed${comma}${all});
};
return function lifted(${all}) {
	const packed = checks(${all});
	if (packed === false || arguments.length > ${args.length}) return wrong(arguments);
	const before = words[callWord];
	if ((before - lease.last - 1) >>> 0 >= mostLeased || words[attentiveWord] !== lease.attended) return aside(slowly, [packed${comma}${all}]);
	const number = 1 - before;
	words[entryWord] = number << numberShift;
	words[callWord] = number;
	let value;
	${brief}
	if (words[callWord] !== number || words[seenWord] === number) return aside(released, [value]);
	words[callWord] = -number;
	return value;
};`;
}

function guestFunction(args: readonly string[], call: string): string {
	return `return function lifted(entered, args, deliver, lent, since, out) {
	${args.map((arg, i) => `const ${arg} = args[${i}];`).join(" ")}
	${call}
};`;
}

/** What a caller of the function does with its arguments: leaves what the core function takes in `flat0`, `flat1`, …. */
export function writeArguments(
	out: Emitter,
	signature: Signature,
	args: readonly string[],
	caller: "host" | "guest",
): string {
	const { params, paramSlots, paramsSpilled } = signature;
	const packed = caller === "host" ? packedAmong(params.elements) : -1;
	const emitter = new LowerEmitter(out, caller === "guest", args[packed] ?? null);
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
	// Nothing is written to memory before the guest has allocated some, which brings them.
	return `${declared}
	let view, bytes;
	instance.mayLeave = false;
	try {
		${text}
		${STUCK}
	} catch (error) {
		throw notLowered(instance, entered, ${REASON});
	}
	instance.mayLeave = true;`;
}

function writeResult(out: Emitter, signature: Signature, carried: boolean): { text: string; value: string } {
	const { result, resultSlots, resultSpilled } = signature;
	if (result === null) return { text: "", value: "undefined" };
	// Another guest is given it before this one goes on.
	const emitter = new LiftEmitter(out, result, carried, carried);
	if (!resultSpilled) {
		const value = out.define(emitter.lift(result, new FlatPlace(out, "ret", resultSlots)));
		return { text: `${emitter.begin}${out.take()}`, value };
	}
	const { size, alignment } = layoutOf(result);
	const pointer = out.define("ret0 >>> 0");
	out.line("memory.refresh();");
	out.line("const { view, bytes } = memory;");
	out.line(rangeCheck(pointer, size, alignment));
	const value = out.define(emitter.lift(result, new MemoryPlace(out, pointer)));
	return { text: `${emitter.begin}${out.take()}`, value };
}

/** Traps unless so many bytes at `pointer` are aligned and inside of the memory, of which the code has the `bytes`. */
export function rangeCheck(pointer: string, size: number, alignment: number): string {
	const unaligned = alignment === 1 ? "" : `(${pointer} & ${alignment - 1}) !== 0 || `;
	return `if (${unaligned}${pointer} + ${size} > bytes.length) badPointer(cx, ${pointer}, ${size}, ${alignment});`;
}
