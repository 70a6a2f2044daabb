/** Numbers of core functions, as they are written on a command line. */
import { usageError } from "./usage.ts";

interface CoreType {
	readonly params: readonly string[];
	readonly results: readonly string[];
}

/** Bits and signs: an i32 may be written signed or unsigned, in decimal or with 0x. */
const INTEGER = /^-?(?:0[xX][0-9a-fA-F]+|\d+)$/;
const WIDTHS: Readonly<Record<string, number>> = { i32: 32, i64: 64 };

/** @throws SkerryError `cli/usage` */
export function readCoreValues(name: string, { params }: CoreType, args: readonly string[]): (number | bigint)[] {
	if (args.length !== params.length) {
		throw usageError(
			`Cannot invoke ${name}: ${args.length} arguments for ${params.length} parameters`,
			params.length === 0 ? undefined : `it takes ${params.join(", ")}: \`-- ${params.map(() => "N").join(" ")}\``,
		);
	}
	return params.map((type, i) => readCoreValue(name, type, args[i] ?? ""));
}

function readCoreValue(name: string, type: string, text: string): number | bigint {
	const fail = (): Error => usageError(`Cannot invoke ${name}: ${text} is no ${type}`);
	const width = WIDTHS[type];
	if (width !== undefined) {
		if (!INTEGER.test(text)) throw fail();
		const value = text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
		const bits = BigInt(width);
		if (value >= 1n << bits || value < -(1n << (bits - 1n))) throw fail();
		return type === "i64" ? BigInt.asIntN(64, value) : Number(BigInt.asIntN(32, value));
	}
	if (type !== "f32" && type !== "f64") throw usageError(`Cannot invoke ${name}: a ${type} cannot be written here`);
	const number = /^(?:nan|NaN)$/.test(text) ? Number.NaN : Number(text.replace(/^(-?)inf$/, "$1Infinity"));
	if (text.trim() === "" || (Number.isNaN(number) && !/^nan$/i.test(text))) throw fail();
	return number;
}

/** What a function gave, one line each. */
export function showCoreValues(result: unknown): string[] {
	const values: readonly unknown[] = Array.isArray(result) ? result : result === undefined ? [] : [result];
	return values.map((value) => (Object.is(value, -0) ? "-0" : String(value)));
}
