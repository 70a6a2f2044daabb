import type { ResourceType, ValueType } from "../component/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { isHostEnd } from "./async/host-end.ts";
import { isNestedOption, type VariantType } from "./cases.ts";
import { MAX_BYTE_LENGTH } from "./context.ts";
import { layoutOf } from "./layout.ts";
import { partOf } from "./parts.ts";
import { isNumeric, isNumericArray } from "./numeric-list.ts";
import type { Store } from "./store.ts";
import { GuestResource } from "./values.ts";

/** Where and how a host's value differs from its type. Only made when it does: a right value costs no allocation. */
interface Mismatch {
	/** From the innermost outwards, such as `[3]` and ` → list`. */
	readonly path: string[];
	readonly expected: string;
	readonly got: unknown;
}

const INTEGERS = {
	u8: [0, 2 ** 8 - 1],
	s8: [-(2 ** 7), 2 ** 7 - 1],
	u16: [0, 2 ** 16 - 1],
	s16: [-(2 ** 15), 2 ** 15 - 1],
	u32: [0, 2 ** 32 - 1],
	s32: [-(2 ** 31), 2 ** 31 - 1],
} as const;

/** Throws `call/bad-value`, naming the path from `root` and the expected type, unless a host's `value` has `type`. */
export function checkValue(store: Store, type: ValueType, value: unknown, root: string): void {
	const mismatch = find(store, type, value);
	if (mismatch !== null) throw refuse(mismatch, root);
}

function refuse({ path, expected, got }: Mismatch, root: string): SkerryError {
	return new SkerryError(
		"call/bad-value",
		`${root}${path.toReversed().join("")}: expected ${expected}, got ${show(got)}`,
	);
}

/**
 * Checks the arguments that a host passes.
 * @param name of the function, where it has one: `acme:text/upper@1.0.0#upper`
 */
export function checkArguments(
	store: Store,
	params: readonly { readonly name: string; readonly type: ValueType }[],
	args: readonly unknown[],
	name: string | undefined,
): void {
	const root = (what: string): string => (name === undefined ? what : `${name} → ${what}`);
	if (args.length > params.length) {
		throw new SkerryError("call/bad-value", `${root("arguments")}: expected ${params.length}, got ${args.length}`);
	}
	for (let i = 0; i < params.length; i++) {
		const mismatch = find(store, params[i]!.type, args[i]);
		if (mismatch !== null) throw refuse(mismatch, root(params[i]!.name));
	}
}

function wrong(type: ValueType, got: unknown): Mismatch {
	return { path: [], expected: typeName(type), got };
}

function find(store: Store, type: ValueType, value: any): Mismatch | null {
	switch (type.kind) {
		case "bool":
			return typeof value === "boolean" ? null : wrong(type, value);
		case "u8":
		case "s8":
		case "u16":
		case "s16":
		case "u32":
		case "s32": {
			const [least, greatest] = INTEGERS[type.kind];
			return Number.isInteger(value) && value >= least && value <= greatest ? null : wrong(type, value);
		}
		case "u64":
			return typeof value === "bigint" && BigInt.asUintN(64, value) === value ? null : wrong(type, value);
		case "s64":
			return typeof value === "bigint" && BigInt.asIntN(64, value) === value ? null : wrong(type, value);
		case "f32":
		case "f64":
			return typeof value === "number" ? null : wrong(type, value);
		case "char":
			return isChar(value) ? null : wrong(type, value);
		case "string":
			return findInString(type, value);
		case "list":
			return findInList(store, type, value);
		case "map":
			return findInMap(store, type, value);
		case "record":
			if (!isObject(value)) return wrong(type, value);
			for (const field of type.fields) {
				const mismatch = find(store, field.type, partOf(value, field.key));
				if (mismatch !== null) return at(mismatch, ` → ${field.key}`);
			}
			return null;
		case "tuple":
			if (!Array.isArray(value) || value.length !== type.elements.length) return wrong(type, value);
			return findInElements(store, (i) => type.elements[i]!, value);
		case "flags":
			if (!isObject(value) || Array.isArray(value)) return wrong(type, value);
			for (const key of type.keys) {
				const flag = partOf(value, key);
				if (flag !== undefined && typeof flag !== "boolean") {
					return { path: [` → ${key}`], expected: "bool", got: flag };
				}
			}
			return null;
		case "variant":
		case "enum":
		case "option":
		case "result":
			return findInVariant(store, type, value);
		case "own":
		case "borrow":
			return isResource(store, type.resource, value, type.kind === "own") ? null : wrong(type, value);
		case "stream":
		case "future":
			return isHostEnd(store, type.kind, value) ? null : wrong(type, value);
		default:
			return wrong(type, value);
	}
}

function findInString(type: ValueType, value: unknown): Mismatch | null {
	if (typeof value !== "string") return wrong(type, value);
	const most = Math.floor(MAX_BYTE_LENGTH / 2);
	if (value.length > most) return { path: [], expected: `string of at most ${most} UTF-16 units`, got: value };
	return value.isWellFormed() ? null : { path: [], expected: "string without lone surrogates", got: value };
}

function at(mismatch: Mismatch, step: string): Mismatch {
	mismatch.path.push(step);
	return mismatch;
}

function isObject(value: unknown): boolean {
	return typeof value === "object" && value !== null;
}

export function isChar(value: unknown): boolean {
	if (typeof value !== "string" || value === "" || !value.isWellFormed()) return false;
	return value.length === (value.codePointAt(0)! > 0xffff ? 2 : 1);
}

export function isResource(store: Store, type: ResourceType, value: unknown, owned: boolean): boolean {
	// A host has what it likes for its resources, and nothing is none
	if (store.implementation(type).instance === null) return value !== undefined && value !== null;
	if (!GuestResource.is(value) || GuestResource.ownerOf(value) !== store.epoch) return false;
	if (GuestResource.isSpent(value) || (owned && GuestResource.isBorrowed(value))) return false;
	return store.sameResource(GuestResource.typeOf(value), type);
}

/** An array, typed or not. */
export function isListLike(value: unknown): boolean {
	if (!ArrayBuffer.isView(value)) return Array.isArray(value);
	return !(value instanceof DataView) && ((value as Uint8Array).length > 0 || !isGone(value as Uint8Array));
}

/** Whether the buffer of a typed array was transferred, or made smaller: it has no elements then, and is not to be copied. */
function isGone(array: Uint8Array): boolean {
	try {
		array.indexOf(0);
		return false;
	} catch {
		return true;
	}
}

function findInList(store: Store, type: ValueType & { kind: "list" }, value: any): Mismatch | null {
	const { element } = type;
	if (!isListLike(value)) return wrong(type, value);
	const { length } = value as ArrayLike<unknown>;
	if (type.length !== undefined && length !== type.length) return wrong(type, value);
	if (length * layoutOf(element).size > MAX_BYTE_LENGTH) {
		return { path: [], expected: `${typeName(type)} of less than 2^28 bytes`, got: value };
	}
	if (isNumeric(element) && isNumericArray(element.kind, value)) return null;
	return findInElements(store, () => element, value as ArrayLike<unknown>);
}

function findInElements(
	store: Store,
	typeAt: (index: number) => ValueType,
	values: ArrayLike<unknown>,
): Mismatch | null {
	for (let i = 0; i < values.length; i++) {
		const mismatch = find(store, typeAt(i), values[i]);
		if (mismatch !== null) return at(mismatch, `[${i}]`);
	}
	return null;
}

function findInMap(store: Store, type: ValueType & { kind: "map" }, value: unknown): Mismatch | null {
	if (!(value instanceof Map)) return wrong(type, value);
	if (value.size * layoutOf(layoutOf(type).entry!).size > MAX_BYTE_LENGTH) return wrong(type, value);
	for (const [key, entry] of value) {
		const keyMismatch = find(store, type.key, key);
		if (keyMismatch !== null) return at(keyMismatch, " → key");
		const mismatch = find(store, type.value, entry);
		if (mismatch !== null) return at(mismatch, `[${show(key)}]`);
	}
	return null;
}

function findInVariant(store: Store, type: VariantType, value: any): Mismatch | null {
	const layout = layoutOf(type);
	if (type.kind === "enum") return layout.cases.has(value) ? null : wrong(type, value);
	if (type.kind === "option" && !isNestedOption(type)) {
		return value === undefined ? null : find(store, type.element, value);
	}
	const index = isObject(value) ? layout.cases.get(value.tag) : undefined;
	if (index === undefined) return wrong(type, value);
	const payload = layout.payloads[index] ?? null;
	const mismatch = payload === null ? null : find(store, payload, value.val);
	return mismatch === null ? null : at(mismatch, ` → ${value.tag}`);
}

/** A type as messages name it. */
export function typeName(type: ValueType): string {
	switch (type.kind) {
		case "list":
			return type.length === undefined
				? `list<${typeName(type.element)}>`
				: `list<${typeName(type.element)}, ${type.length}>`;
		case "map":
			return `map<${typeName(type.key)}, ${typeName(type.value)}>`;
		case "tuple":
			return `tuple<${type.elements.map(typeName).join(", ")}>`;
		case "option":
			return `option<${typeName(type.element)}>`;
		case "result":
			return `result<${type.ok === null ? "_" : typeName(type.ok)}, ${type.err === null ? "_" : typeName(type.err)}>`;
		case "record":
			return `record {${type.fields.map((f) => f.key).join(", ")}}`;
		case "flags":
			return `flags {${type.keys.join(", ")}}`;
		case "enum":
			return `enum ${type.names.join(" | ")}`;
		case "variant":
			return `variant ${type.cases.map((c) => c.name).join(" | ")}`;
		case "own":
		case "borrow":
			return `${type.kind}<${type.resource.name || "resource"}>`;
		case "stream":
		case "future":
			return type.element === null ? type.kind : `${type.kind}<${typeName(type.element)}>`;
		default:
			return type.kind;
	}
}

const SHOWN = 60;

/** A value as messages show it: short, and without running anything of the value's. */
function show(value: unknown): string {
	switch (typeof value) {
		case "string":
			return value.length <= SHOWN ? JSON.stringify(value) : `${JSON.stringify(value.slice(0, SHOWN))}…`;
		case "bigint":
			return `${value}n`;
		case "number":
		case "boolean":
		case "undefined":
			return String(value);
		case "object":
			if (value === null) return "null";
			if (GuestResource.is(value)) {
				const borrowed = GuestResource.isBorrowed(value) ? "a borrowed" : "a";
				return `${GuestResource.isSpent(value) ? "a spent" : borrowed} ${GuestResource.typeOf(value).name || "resource"}`;
			}
			if (Array.isArray(value)) return `an array of ${value.length}`;
			if (Object.hasOwn(value, "tag")) return `an object with tag ${show((value as { tag: unknown }).tag)}`;
			if (ArrayBuffer.isView(value) && !(value instanceof DataView) && isGone(value as Uint8Array))
				return `a typed array whose buffer was transferred or made smaller`;
			return `an object (${Object.prototype.toString.call(value).slice(8, -1)})`;
		default:
			return `a ${typeof value}`;
	}
}
