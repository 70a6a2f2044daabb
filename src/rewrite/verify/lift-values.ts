import { Cursor } from "./cursor.ts";
import type { LiftOutline } from "./lift-outline.ts";

/** A number by its type's code; integers as signed bigints. */
interface Value {
	readonly code: number;
	readonly value: bigint | number;
}

const I32 = 0x7f;
const I64 = 0x7e;

function signedNumber(cursor: Cursor): bigint {
	let value = 0n;
	let shift = 0n;
	for (;;) {
		const byte = BigInt(cursor.byte());
		value |= (byte & 0x7fn) << shift;
		shift += 7n;
		if (byte < 0x80n) return (byte & 0x40n) === 0n ? value : value - (1n << shift);
	}
}

/** What a constant expression comes to; `undefined` where only V8 knows. */
export function valueOf(expression: Cursor, module: LiftOutline, depth = 0): Value | undefined {
	const { bytes, at, end } = expression;
	const cursor = new Cursor(bytes, at, end);
	const stack: Value[] = [];
	while (cursor.at < end) {
		const op = cursor.byte();
		if (op === 0x0b) break;
		if (op === 0x41) stack.push({ code: I32, value: BigInt.asIntN(32, signedNumber(cursor)) });
		else if (op === 0x42) stack.push({ code: I64, value: BigInt.asIntN(64, signedNumber(cursor)) });
		else if (op === 0x43 || op === 0x44) {
			const size = op === 0x43 ? 4 : 8;
			const view = new DataView(bytes.buffer, bytes.byteOffset + cursor.take(size).at, size);
			stack.push(
				size === 4 ? { code: 0x7d, value: view.getFloat32(0, true) } : { code: 0x7c, value: view.getFloat64(0, true) },
			);
		} else if (op === 0x23) {
			const global = module.globals[cursor.number() - module.importedGlobals];
			if (global === undefined || global.mutable || depth > 100 || global.init.at >= at) return undefined;
			const value = valueOf(global.init, module, depth + 1);
			if (value?.code !== global.code) return undefined;
			stack.push(value);
		} else {
			const right = stack.pop();
			const left = stack.pop();
			const result = compute(op, left, right);
			if (result === undefined) return undefined;
			stack.push(result);
		}
	}
	return stack.length === 1 ? stack[0] : undefined;
}

function compute(op: number, left: Value | undefined, right: Value | undefined): Value | undefined {
	const narrow = op >= 0x6a && op <= 0x6c;
	const code = narrow ? I32 : I64;
	if (!narrow && !(op >= 0x7c && op <= 0x7e)) return undefined;
	if (left?.code !== code || right?.code !== code) return undefined;
	const a = left.value as bigint;
	const b = right.value as bigint;
	const result = [a + b, a - b, a * b][op - (narrow ? 0x6a : 0x7c)] as bigint;
	return { code, value: BigInt.asIntN(narrow ? 32 : 64, result) };
}
