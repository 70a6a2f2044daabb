import { floatBits, integerBits, isArithmeticNaN, isCanonicalNaN } from "./number.ts";
import { headOf, type SExpr, textOf } from "./sexpr.ts";

/** A number, or one of those in a vector; of an expected NaN the kind. */
interface Lane {
	readonly width: 8 | 16 | 32 | 64;
	readonly bits: bigint | "nan:canonical" | "nan:arithmetic";
}

export type Argument =
	| { readonly kind: "lanes"; readonly lanes: readonly Lane[] }
	| { readonly kind: "reference"; readonly value: unknown };

export type Expected =
	| { readonly kind: "lanes"; readonly lanes: readonly Lane[] }
	| { readonly kind: "reference"; readonly matches: (value: unknown) => boolean }
	| { readonly kind: "either"; readonly choices: readonly Expected[] };

/** What a script calls `(ref.extern N)` and `(ref.host N)`: the same N is the same value. */
class HostReference {
	static readonly #known = new Map<string, HostReference>();
	readonly number: string;

	private constructor(number: string) {
		this.number = number;
	}

	static of(number: string): HostReference {
		let found = HostReference.#known.get(number);
		if (found === undefined) HostReference.#known.set(number, (found = new HostReference(number)));
		return found;
	}
}

type LaneWidth = Lane["width"];

/** Widths of the lanes of each shape, and whether they are floats. */
const SHAPES: Readonly<Record<string, readonly [width: LaneWidth, float: boolean]>> = {
	i8x16: [8, false],
	i16x8: [16, false],
	i32x4: [32, false],
	i64x2: [64, false],
	f32x4: [32, true],
	f64x2: [64, true],
	"i32.const": [32, false],
	"i64.const": [64, false],
	"f32.const": [32, true],
	"f64.const": [64, true],
};

function itemsOf(expr: SExpr): readonly SExpr[] {
	return expr.kind === "list" ? expr.items.slice(1) : [];
}

function toLanes(expr: SExpr): readonly Lane[] | undefined {
	const items = itemsOf(expr);
	const isVector = headOf(expr) === "v128.const";
	const shape = SHAPES[isVector ? textOf(items[0]) : headOf(expr)];
	if (shape === undefined) return undefined;
	const [width, float] = shape;
	return (isVector ? items.slice(1) : items).map((item): Lane => {
		const text = textOf(item);
		if (text === "nan:canonical" || text === "nan:arithmetic") return { width, bits: text };
		return { width, bits: float ? floatBits(text, width as 32 | 64) : integerBits(text, width) };
	});
}

export function toArgument(expr: SExpr): Argument {
	const lanes = toLanes(expr);
	if (lanes !== undefined) return { kind: "lanes", lanes };
	switch (headOf(expr)) {
		case "ref.null":
			return { kind: "reference", value: null };
		case "ref.extern":
		case "ref.host":
			return { kind: "reference", value: HostReference.of(textOf(itemsOf(expr)[0])) };
		default:
			throw new SyntaxError(`not an argument: ${headOf(expr)}`);
	}
}

// V8 shows structures and arrays of the guest as objects without a prototype.
const isAggregate = (value: unknown): boolean =>
	typeof value === "object" && value !== null && Object.getPrototypeOf(value) === null;

const REFERENCES: Readonly<Record<string, (value: unknown) => boolean>> = {
	"ref.null": (value) => value === null,
	"ref.func": (value) => typeof value === "function",
	"ref.extern": (value) => value !== null,
	"ref.any": (value) => value !== null,
	"ref.i31": (value) => typeof value === "number",
	"ref.eq": (value) => typeof value === "number" || isAggregate(value),
	"ref.struct": isAggregate,
	"ref.array": isAggregate,
};

export function toExpected(expr: SExpr): Expected {
	const lanes = toLanes(expr);
	if (lanes !== undefined) return { kind: "lanes", lanes };
	const head = headOf(expr);
	const items = itemsOf(expr);
	if (head === "either") return { kind: "either", choices: items.map(toExpected) };
	if ((head === "ref.extern" || head === "ref.host") && items.length > 0) {
		const known = HostReference.of(textOf(items[0]));
		return { kind: "reference", matches: (value) => value === known };
	}
	const matches = REFERENCES[head];
	if (matches === undefined) throw new SyntaxError(`not a result: ${head}`);
	return { kind: "reference", matches };
}

export function writeLanes(view: DataView, at: number, lanes: readonly Lane[]): void {
	let offset = at;
	for (const { width, bits } of lanes) {
		if (typeof bits !== "bigint") throw new SyntaxError("a kind of NaN as an argument");
		if (width === 64) view.setBigUint64(offset, bits, true);
		else if (width === 32) view.setUint32(offset, Number(bits), true);
		else if (width === 16) view.setUint16(offset, Number(bits), true);
		else view.setUint8(offset, Number(bits));
		offset += width / 8;
	}
}

function readLane(view: DataView, at: number, width: LaneWidth): bigint {
	if (width === 64) return view.getBigUint64(at, true);
	if (width === 32) return BigInt(view.getUint32(at, true));
	return BigInt(width === 16 ? view.getUint16(at, true) : view.getUint8(at));
}

/** @param view the bits of the value stand in it at `at`; @param reference the value where it is a reference */
export function isExpected(expected: Expected, view: DataView, at: number, reference: unknown): boolean {
	switch (expected.kind) {
		case "either":
			return expected.choices.some((choice) => isExpected(choice, view, at, reference));
		case "reference":
			return reference !== undefined && expected.matches(reference);
		case "lanes": {
			let offset = at;
			return (
				reference === undefined &&
				expected.lanes.every(({ width, bits }) => {
					const actual = readLane(view, offset, width);
					offset += width / 8;
					if (bits === "nan:canonical") return isCanonicalNaN(actual, width as 32 | 64);
					if (bits === "nan:arithmetic") return isArithmeticNaN(actual, width as 32 | 64);
					return actual === bits;
				})
			);
		}
	}
}
