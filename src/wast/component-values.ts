import type { ValueType } from "../component/mod.ts";
import { headOf, type SExpr, textOf } from "./sexpr.ts";

function itemsOf(expr: SExpr | undefined): readonly SExpr[] {
	return expr?.kind === "list" ? expr.items.slice(1) : [];
}

function number(text: string): number {
	const plain = text.replaceAll("_", "");
	if (plain.startsWith("nan") || plain.startsWith("-nan") || plain.startsWith("+nan")) return Number.NaN;
	if (plain === "inf" || plain === "+inf") return Infinity;
	if (plain === "-inf") return -Infinity;
	if (/^[+-]?0x/.test(plain)) return hexFloat(plain);
	return Number(plain);
}

function hexFloat(text: string): number {
	const match = /^([+-]?)0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?\d+))?$/i.exec(text);
	if (match === null) return Number.NaN;
	const [, sign, whole = "", fraction = "", exponent = "0"] = match;
	const digits = Number.parseInt(`${whole}${fraction}` || "0", 16);
	return (sign === "-" ? -1 : 1) * digits * 2 ** (Number(exponent) - 4 * fraction.length);
}

/** A script's value, such as `(record.const (field "a" (u32.const 1)))`, as `abi/values.ts` maps its type. */
export function toValue(type: ValueType, expr: SExpr | undefined): unknown {
	const items = itemsOf(expr);
	const [first] = items;
	switch (type.kind) {
		case "bool":
			return textOf(first) === "true";
		case "s64":
		case "u64": {
			const text = textOf(first).replaceAll("_", "");
			return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
		}
		case "f32":
			return Math.fround(number(textOf(first)));
		case "s8":
		case "u8":
		case "s16":
		case "u16":
		case "s32":
		case "u32":
		case "f64":
			return number(textOf(first));
		case "char":
		case "string":
		case "enum":
			return textOf(first);
		case "list":
			return items.map((item) => toValue(type.element, item));
		case "map":
			return new Map(
				items.map((item) => {
					const [key, value] = itemsOf(item);
					return [toValue(type.key, key), toValue(type.value, value)];
				}),
			);
		case "tuple":
			return type.elements.map((element, i) => toValue(element, items[i]));
		case "record":
			return Object.fromEntries(
				type.fields.map((field) => {
					const found = items.find((item) => textOf(itemsOf(item)[0]) === field.name);
					return [field.key, toValue(field.type, fieldValue(found))];
				}),
			);
		case "variant": {
			const found = type.cases.find((c) => c.name === textOf(first));
			return found?.type ? { tag: found.name, val: toValue(found.type, items[1]) } : { tag: textOf(first) };
		}
		case "option": {
			const some = headOf(expr) === "option.some" ? { val: toValue(type.element, first) } : undefined;
			if (type.element.kind === "option") return some === undefined ? { tag: "none" } : { tag: "some", ...some };
			return some?.val;
		}
		case "result": {
			const tag = headOf(expr) === "result.ok" ? "ok" : "err";
			const payload = type[tag];
			return payload === null ? { tag } : { tag, val: toValue(payload, first) };
		}
		case "flags": {
			const set = new Set(items.map(textOf));
			return Object.fromEntries(type.names.map((name, i) => [type.keys[i] ?? name, set.has(name)]));
		}
		default:
			throw new Error(`scripts have no values of type ${type.kind}`);
	}
}

/** Of `(field "name" u32.const 1)`: the value stands there without parentheses of its own. */
function fieldValue(field: SExpr | undefined): SExpr | undefined {
	return field?.kind === "list" ? { ...field, items: field.items.slice(2) } : undefined;
}

/** A value with typed arrays as arrays and absent payloads left out, so that values compare deeply. NaN equals NaN. */
export function normalize(value: unknown): unknown {
	if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>);
	if (Array.isArray(value)) return value.map(normalize);
	if (value instanceof Map) return new Map([...value].map(([k, v]) => [normalize(k), normalize(v)]));
	if (typeof value === "object" && value !== null) {
		return Object.fromEntries(
			Object.entries(value)
				.filter(([, v]) => v !== undefined)
				.map(([k, v]) => [k, normalize(v)]),
		);
	}
	return value;
}
