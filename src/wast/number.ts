/** The literals of the WebAssembly text format, bit for bit: JavaScript's numbers would lose signs and payloads of NaN. */

interface FloatFormat {
	/** Bits of the significand, the implicit one included. */
	readonly precision: number;
	readonly bias: number;
	/** All bits of the exponent set. */
	readonly infinity: bigint;
	readonly sign: bigint;
	readonly canonicalNaN: bigint;
}

const FORMATS: Readonly<Record<32 | 64, FloatFormat>> = {
	32: {
		precision: 24,
		bias: 127,
		infinity: 0x7f80_0000n,
		sign: 0x8000_0000n,
		canonicalNaN: 0x7fc0_0000n,
	},
	64: {
		precision: 53,
		bias: 1023,
		infinity: 0x7ff0_0000_0000_0000n,
		sign: 0x8000_0000_0000_0000n,
		canonicalNaN: 0x7ff8_0000_0000_0000n,
	},
};

/** An integer as an unsigned number of `width` bits. */
export function integerBits(text: string, width: number): bigint {
	const plain = text.replaceAll("_", "");
	const magnitude = BigInt(plain.replace(/^[+-]/, ""));
	return BigInt.asUintN(width, plain.startsWith("-") ? -magnitude : magnitude);
}

/** A float rounded to the nearest, ties to even; `nan:0x…` gives the payload. */
export function floatBits(text: string, width: 32 | 64): bigint {
	const format = FORMATS[width];
	const plain = text.replaceAll("_", "");
	const sign = plain.startsWith("-") ? format.sign : 0n;
	return sign | magnitudeBits(plain.replace(/^[+-]/, ""), format);
}

export function isCanonicalNaN(bits: bigint, width: 32 | 64): boolean {
	const { sign, canonicalNaN } = FORMATS[width];
	return (bits & ~sign) === canonicalNaN;
}

/** A quiet NaN of any payload. */
export function isArithmeticNaN(bits: bigint, width: 32 | 64): boolean {
	const { canonicalNaN } = FORMATS[width];
	return (bits & canonicalNaN) === canonicalNaN;
}

function magnitudeBits(text: string, format: FloatFormat): bigint {
	if (text === "inf") return format.infinity;
	if (text === "nan") return format.canonicalNaN;
	if (text.startsWith("nan:0x")) return format.infinity | BigInt(text.slice(4));
	const hex = /^0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?\d+))?$/i.exec(text);
	if (hex !== null) {
		const [, whole = "", fraction = "", exponent = "0"] = hex;
		return round(BigInt(`0x${whole}${fraction}`), 1n, Number(exponent) - 4 * fraction.length, format);
	}
	const decimal = /^(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text);
	if (decimal === null) throw new SyntaxError(`not a number: ${text}`);
	const [, whole = "", fraction = "", exponent = "0"] = decimal;
	const power = Number(exponent) - fraction.length;
	const scale = 10n ** BigInt(Math.abs(power));
	const digits = BigInt(`${whole}${fraction}`);
	return power < 0 ? round(digits, scale, 0, format) : round(digits * scale, 1n, 0, format);
}

const lengthInBits = (value: bigint): number => value.toString(2).length;

/** The bits of `numerator / denominator * 2 ** power`. */
function round(numerator: bigint, denominator: bigint, power: number, format: FloatFormat): bigint {
	if (numerator === 0n) return 0n;
	const { precision, bias, infinity } = format;
	const scaled = (shift: number): [bigint, bigint] => {
		const by = BigInt(Math.abs(shift));
		return shift < 0 ? [numerator << by, denominator] : [numerator, denominator << by];
	};
	let exponent = lengthInBits(numerator) - lengthInBits(denominator);
	const [high, low] = scaled(exponent);
	if (high < low) exponent--;
	// The exponent of the last place; that of the subnormal numbers is the least.
	const unit = Math.max(exponent + power - precision + 1, 2 - bias - precision);
	const [top, bottom] = scaled(unit - power);
	let quotient = top / bottom;
	const twice = 2n * (top % bottom);
	if (twice > bottom || (twice === bottom && (quotient & 1n) === 1n)) quotient++;
	// The implicit bit, or what rounding carries, adds itself to the exponent.
	const bits = (BigInt(unit + precision + bias - 2) << BigInt(precision - 1)) + quotient;
	return bits < infinity ? bits : infinity;
}
