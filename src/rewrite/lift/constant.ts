import { type ConstExpr, type GlobalDefinition, OP, type ValueTypeSyntax } from "../../wasm/mod.ts";

/** A number with its type. */
export interface Constant {
	readonly type: "i32" | "i64" | "f32" | "f64";
	readonly value: number | bigint;
}

/** Two integers of one type; `i32` as signed numbers. */
const ARITHMETIC: ReadonlyMap<number, (a: Constant, b: Constant) => Constant | undefined> = new Map([
	[OP["i32.add"], narrow((a, b) => (a + b) | 0)],
	[OP["i32.sub"], narrow((a, b) => (a - b) | 0)],
	[OP["i32.mul"], narrow(Math.imul)],
	[OP["i64.add"], wide((a, b) => a + b)],
	[OP["i64.sub"], wide((a, b) => a - b)],
	[OP["i64.mul"], wide((a, b) => a * b)],
]);

function narrow(compute: (a: number, b: number) => number) {
	return (a: Constant, b: Constant): Constant | undefined =>
		a.type === "i32" && b.type === "i32"
			? { type: "i32", value: compute(a.value as number, b.value as number) }
			: undefined;
}

function wide(compute: (a: bigint, b: bigint) => bigint) {
	return (a: Constant, b: Constant): Constant | undefined =>
		a.type === "i64" && b.type === "i64"
			? { type: "i64", value: BigInt.asIntN(64, compute(a.value as bigint, b.value as bigint)) }
			: undefined;
}

/** The globals that a module imports have no value before it is instantiated. */
export interface KnownGlobals {
	readonly imported: number;
	readonly globals: readonly GlobalDefinition[];
}

/** How deep one global may be defined by another. */
const MAX_DEPTH = 100;

/** The value of a constant expression of numbers; `undefined` where it is not known, or not valid. */
export function evaluate(expression: ConstExpr, known: KnownGlobals, depth = 0): Constant | undefined {
	const stack: Constant[] = [];
	for (const { op, immediates } of expression) {
		const [immediate] = immediates;
		let result: Constant | undefined;
		if (op === OP["i32.const"]) result = { type: "i32", value: immediate as number };
		else if (op === OP["i64.const"]) result = { type: "i64", value: immediate as bigint };
		else if (op === OP["f32.const"]) result = { type: "f32", value: viewOf(immediate).getFloat32(0, true) };
		else if (op === OP["f64.const"]) result = { type: "f64", value: viewOf(immediate).getFloat64(0, true) };
		else if (op === OP["global.get"]) result = globalValue(immediate as number, known, depth);
		else {
			const b = stack.pop();
			const a = stack.pop();
			if (a !== undefined && b !== undefined) result = ARITHMETIC.get(op)?.(a, b);
		}
		if (result === undefined) return undefined;
		stack.push(result);
	}
	return stack.length === 1 ? stack[0] : undefined;
}

function viewOf(bits: unknown): DataView {
	const bytes = bits as Uint8Array;
	return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Of an immutable global that is defined before: others may not be named, and V8 says so. */
function globalValue(index: number, known: KnownGlobals, depth: number): Constant | undefined {
	const position = index - known.imported;
	const global = known.globals[position];
	if (global === undefined || global.type.mutable || depth >= MAX_DEPTH) return undefined;
	const before = { imported: known.imported, globals: known.globals.slice(0, position) };
	const value = evaluate(global.init, before, depth + 1);
	return value !== undefined && isOfType(value, global.type.type) ? value : undefined;
}

export function isOfType(constant: Constant, type: ValueTypeSyntax): boolean {
	return type.kind === "number" && type.name === constant.type;
}
