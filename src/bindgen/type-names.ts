import { containsKind, type DefinedType, type ResourceType, toCamelCase, type ValueType } from "../component/mod.ts";

/** `incoming-request` → `IncomingRequest`, `wasi:http/types@0.2.0` → `WasiHttpTypes`. */
export function toTypeName(name: string): string {
	const camel = toCamelCase(name.replace(/@.*$/, "").replace(/[^A-Za-z0-9]+/g, "-"));
	return camel.slice(0, 1).toUpperCase() + camel.slice(1);
}

/** A property name, in quotes where it needs them. `new(…)` is not a method of that name. */
export function propertyName(name: string): string {
	return /^(?!new$)[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

/**
 * What streams and futures are, by who makes them: the host is given objects of Skerry's, and gives what it has. A guest in JavaScript has
 * plain ones.
 */
export type Ends = "of guest" | "of host" | "plain";

/** The declarations that the types of a host's streams and futures use. */
export const END_TYPES: readonly string[] = [
	"/** What the host gives for a stream: a failure ends it for the guest. */",
	"type StreamSource<T> = ReadableStream<T> | AsyncIterable<T> | Iterable<T>;",
	"",
	"/** A guest's stream. `readLast` takes what one write has, and no more: the guest is told of both at once. */",
	"interface GuestStream<T, C = T[]> extends ReadableStream<T> {",
	"\treadLast(most: number): Promise<C | undefined>;",
	"}",
	"",
	"/** A guest's future: not a promise, as that would be awaited wherever it is returned. */",
	"interface GuestFuture<T> extends Disposable {",
	"\tread(): Promise<T>;",
	"\tcancel(): void;",
	"}",
	"",
];

/** Whether values of the type look different by who makes them. */
function holdsEnd(type: ValueType): boolean {
	return containsKind(type, "stream", "future");
}

/** Where the types that have names are declared: `AcmeShopOrders.Status`. */
export class TypeNames {
	readonly ends: Ends;
	readonly #names: Map<object, string>;
	readonly #taken: Set<string>;
	/** Whether a stream or future was printed of which `END_TYPES` speak. */
	readonly #used: { ends: boolean };

	constructor(ends: Ends, of?: TypeNames) {
		this.ends = ends;
		this.#names = of === undefined ? new Map() : of.#names;
		this.#taken = of === undefined ? new Set() : of.#taken;
		this.#used = of === undefined ? { ends: false } : of.#used;
	}

	get usesEnds(): boolean {
		return this.#used.ends;
	}

	printStream(element: ValueType | null): string {
		const { ends } = this;
		const one = element === null ? "undefined" : printType(element, this);
		const array = element === null ? undefined : ARRAYS[element.kind];
		if (ends === "plain") return `ReadableStream<${element?.kind === "u8" ? "Uint8Array" : one}>`;
		// Numbers come in typed arrays.
		this.#used.ends = true;
		if (ends === "of host")
			return `StreamSource<${array === undefined ? one : `${array} | readonly ${one}[] | ${one}`}>`;
		return `GuestStream<${array === undefined ? one : `${array}, ${array}`}>`;
	}

	printFuture(element: ValueType | null): string {
		const value = element === null ? "void" : printType(element, this);
		if (this.ends === "plain") return `Promise<${value}>`;
		this.#used.ends = true;
		return this.ends === "of guest"
			? `GuestFuture<${value}>`
			: `GuestFuture<${value}> | PromiseLike<${value}> | ${value}`;
	}

	/** A name that no other declaration of the file has. */
	claim(wanted: string): string {
		let name = wanted;
		for (let i = 2; this.#taken.has(name); i++) name = `${wanted}${i}`;
		this.#taken.add(name);
		return name;
	}

	/** Names a type, unless it has a name: returns that one then. */
	define(type: DefinedType, name: string): string | undefined {
		const key = type.kind === "resource" ? type.resource : type.kind === "value" ? type.type : type;
		const known = this.#names.get(key);
		if (known === undefined) this.#names.set(key, name);
		return known;
	}

	nameOf(type: ValueType | ResourceType): string | undefined {
		// Types that have names say what the host is given: what it gives is written out.
		if (this.ends === "of host" && "kind" in type && holdsEnd(type)) return undefined;
		return this.#names.get(type);
	}
}

const PRIMITIVES: Readonly<Record<string, string>> = {
	bool: "boolean",
	s8: "number",
	u8: "number",
	s16: "number",
	u16: "number",
	s32: "number",
	u32: "number",
	s64: "bigint",
	u64: "bigint",
	f32: "number",
	f64: "number",
	char: "string",
	string: "string",
	"error-context": "globalThis.Error",
};

/** The typed arrays that lists of numbers are. */
const ARRAYS: Readonly<Record<string, string>> = {
	s8: "Int8Array",
	u8: "Uint8Array",
	s16: "Int16Array",
	u16: "Uint16Array",
	s32: "Int32Array",
	u32: "Uint32Array",
	s64: "BigInt64Array",
	u64: "BigUint64Array",
	f32: "Float32Array",
	f64: "Float64Array",
};

/** A type where it is used: its name, or what it is made of. */
export function printType(type: ValueType, names: TypeNames): string {
	return names.nameOf(type) ?? printStructure(type, names);
}

/** What the value of a type is in JavaScript (`abi/values.ts`). `describe` gives comments for fields and cases. */
export function printStructure(
	type: ValueType,
	names: TypeNames,
	describe: (member: string) => readonly string[] = () => [],
): string {
	const print = (inner: ValueType): string => printType(inner, names);
	const block = (lines: readonly string[]): string => `{\n${lines.map((line) => `\t${line}`).join("\n")}\n}`;
	switch (type.kind) {
		case "list":
			return ARRAYS[type.element.kind] ?? `Array<${print(type.element)}>`;
		case "map":
			return `Map<${print(type.key)}, ${print(type.value)}>`;
		case "tuple":
			return `[${type.elements.map(print).join(", ")}]`;
		case "option":
			if (type.element.kind === "option") return `{ tag: "none" } | { tag: "some"; val: ${print(type.element)} }`;
			return `${print(type.element)} | undefined`;
		case "result":
			return `${printCase("ok", type.ok, names)} | ${printCase("err", type.err, names)}`;
		case "record":
			if (type.fields.length === 0) return "Record<string, never>";
			return block(
				type.fields.flatMap(({ name, key, type: field }) => {
					const optional = field.kind === "option" && field.element.kind !== "option" ? "?" : "";
					return [...describe(name), `${propertyName(key)}${optional}: ${print(field)};`];
				}),
			);
		case "flags":
			return block(type.names.flatMap((name, i) => [...describe(name), `${propertyName(type.keys[i]!)}: boolean;`]));
		case "enum":
			return type.names.map((name) => JSON.stringify(name)).join(" | ");
		case "variant":
			return type.cases
				.map((item) => {
					const lines = describe(item.name);
					const comment = lines.length === 0 ? "" : `\n\t${lines.join("\n\t")}\n\t| `;
					return comment === ""
						? `\n\t| ${printCase(item.name, item.type, names)}`
						: `${comment}${printCase(item.name, item.type, names)}`;
				})
				.join("");
		case "own":
		case "borrow":
			return names.nameOf(type.resource) ?? "unknown";
		case "stream":
			return names.printStream(type.element);
		case "future":
			return names.printFuture(type.element);
		default:
			return PRIMITIVES[type.kind] ?? "unknown";
	}
}

function printCase(tag: string, type: ValueType | null, names: TypeNames): string {
	return type === null
		? `{ tag: ${JSON.stringify(tag)} }`
		: `{ tag: ${JSON.stringify(tag)}; val: ${printType(type, names)} }`;
}
