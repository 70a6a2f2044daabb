import type { ValueType } from "../../component/mod.ts";
import { MAX_BYTE_LENGTH } from "../context.ts";
import { isNestedOption, type VariantType } from "../cases.ts";
import { hasMany, hostSizeOf } from "../host-size.ts";
import { layoutOf } from "../layout.ts";
import { arrayName, isNumeric } from "../numeric-list.ts";
import { INLINE, LONGEST } from "../shared-buffer.ts";
import { UTF16_TAG } from "../string-load.ts";
import type { Emitter } from "./emitter.ts";
import { MemoryPlace, type Scalar, type Source } from "./places.ts";

type List = ValueType & { kind: "list" };

/**
 * Writes code that lifts values out of `Source`s, in the order of the interpreter's. It has the names `cx`, `memory`, and `view` and `bytes`
 * of the memory, which nothing changes meanwhile.
 */
export class LiftEmitter {
	readonly #out: Emitter;
	/** See `Context.carried`. */
	readonly #carried: boolean;
	readonly #passes: boolean;
	/** As `Context` has it. */
	#depth: number;
	#spends = false;

	/**
	 * @param all that is lifted
	 * @param passes lists of numbers stay in the memory: they are used before the guest runs again
	 */
	constructor(out: Emitter, all: ValueType, carried: boolean, passes = false) {
		this.#depth = hasMany(all) ? 1 : 0;
		this.#out = out;
		this.#carried = carried;
		this.#passes = passes;
	}

	/** What is to come before all that was written. */
	get begin(): string {
		return this.#spends ? "cx.begin();\n" : "";
	}

	/** An expression without effects, which is to be evaluated at once or not at all. */
	lift(type: ValueType, from: Source): string {
		const out = this.#out;
		switch (type.kind) {
			case "bool":
				return `${from.read(from instanceof MemoryPlace ? "u8" : "u32")} !== 0`;
			case "f32":
			case "f64": {
				const value = out.define(from.read(type.kind));
				return `(${value} !== ${value} ? NaN : ${value})`;
			}
			case "char":
				return out.define(`toChar(${from.read("u32")})`);
			case "string": {
				if (this.#depth === 0) return out.define(`loadString(cx, ${from.read("u32")}, ${from.second()})`);
				const length = out.define(from.second());
				this.#spend(`${length} & ${~UTF16_TAG}`);
				return out.define(`loadString(cx, ${from.read("u32")}, ${length})`);
			}
			case "list":
				return type.length === undefined ? this.#list(type.element, from) : this.#fixedList(type, type.length, from);
			case "map": {
				const pairs = this.#list(layoutOf(type).entry!, from);
				return this.#carried ? pairs : out.define(`new Map(${pairs})`);
			}
			case "record": {
				const fields = type.fields.map(
					(field, i) => `${JSON.stringify(field.key)}: ${this.lift(field.type, from.part(type, i))}`,
				);
				return out.define(`{ ${fields.join(", ")} }`);
			}
			case "tuple":
				return out.define(`[${type.elements.map((e, i) => this.lift(e, from.part(type, i))).join(", ")}]`);
			case "flags": {
				const bits = out.define(from.read(from instanceof MemoryPlace ? unsigned(layoutOf(type).size) : "u32"));
				const flags = type.keys.map((key, i) => `${JSON.stringify(key)}: (${bits} >>> ${i} & 1) === 1`);
				return out.define(`{ ${flags.join(", ")} }`);
			}
			case "variant":
			case "enum":
			case "option":
			case "result":
				return this.#variant(type, from);
			case "own":
				return out.define(`liftOwn(cx, ${from.read("u32")}, ${out.resource(type.resource)})`);
			case "borrow":
				return out.define(`liftBorrow(cx, ${from.read("u32")}, ${out.resource(type.resource)})`);
			case "error-context":
			case "stream":
			case "future":
				throw new Error(`no code for ${type.kind}`);
			default:
				return from.read(type.kind);
		}
	}

	#spend(bytes: string): void {
		this.#spends = true;
		this.#out.line(`cx.spend(${bytes});`);
	}

	#list(element: ValueType, from: Source): string {
		const out = this.#out;
		const { size, alignment } = layoutOf(element);
		const pointer = out.define(from.read("u32"));
		const length = out.define(from.second());
		const bytes = size === 1 ? length : out.define(`${length} * ${size}`);
		const unaligned = alignment === 1 ? "" : ` || (${pointer} & ${alignment - 1}) !== 0`;
		out.line(`if (${bytes} > ${MAX_BYTE_LENGTH}${unaligned} || ${pointer} + ${bytes} > bytes.length) {`);
		out.line(`checkList(cx, ${pointer}, ${length}, ${size}, ${alignment});`);
		out.line("}");
		if (isNumeric(element) && this.#depth > 0) this.#spend(bytes);
		// Whatever the bits of a NaN, those that another guest gets are canonical.
		if (this.#passes && isNumeric(element) && element.kind !== "f32" && element.kind !== "f64") {
			return out.define(`new PassedNumbers(memory, ${pointer}, ${length})`);
		}
		return this.#elements(element, pointer, length);
	}

	#fixedList(type: List, length: number, from: Source): string {
		const out = this.#out;
		if (from instanceof MemoryPlace) return this.#elements(type.element, out.define(from.address(0)), `${length}`);
		const values = Array.from({ length }, (_, i) => this.lift(type.element, from.part(type, i)));
		const array = isNumeric(type.element) ? `${arrayName(type.element.kind)}.of` : "Array.of";
		return out.define(`${array}(${values.join(", ")})`);
	}

	/** `pointer` and `length` are names or numbers, and were checked. */
	#elements(element: ValueType, pointer: string, length: string): string {
		const out = this.#out;
		const list = out.name();
		const index = out.name();
		if (isNumeric(element)) {
			const array = arrayName(element.kind);
			const { size } = layoutOf(element);
			const total = size === 1 ? length : `${length} * ${size}`;
			const own =
				element.kind === "u8"
					? `copyBytes(bytes, ${pointer}, ${length})`
					: // See `copyBytes`
						`new ${array}(new ${array}(memory.buffer, ${pointer}, ${length}))`;
			out.line(`let ${list};`);
			out.line(`if (shared === null || ${total} <= ${INLINE} || ${total} > ${LONGEST}) ${list} = ${own};`);
			out.line("else {");
			const at = out.define(`shared.put(bytes, ${pointer}, ${total})`);
			out.line(`${list} = new ${array}(shared.buffer, ${at}, ${length});`);
			out.line("}");
			if (element.kind === "f32" || element.kind === "f64") {
				out.line(`for (let ${index} = 0; ${index} < ${length}; ${index}++)`);
				out.line(`if (${list}[${index}] !== ${list}[${index}]) ${list}[${index}] = NaN;`);
			}
			return list;
		}
		const at = out.name();
		const { size } = layoutOf(element);
		this.#spend(`${length} * ${hostSizeOf(element)}`);
		this.#depth++;
		out.line(`const ${list} = [];`);
		out.line(`for (let ${index} = 0, ${at} = ${pointer}; ${index} < ${length}; ${index}++, ${at} += ${size}) {`);
		out.line(`${list}.push(${this.lift(element, new MemoryPlace(out, at))});`);
		out.line("}");
		this.#depth--;
		return list;
	}

	#variant(type: VariantType, from: Source): string {
		const out = this.#out;
		const { payloads, discriminant } = layoutOf(type);
		const index = out.define(from.read(from instanceof MemoryPlace ? unsigned(discriminant) : "u32"));
		out.line(`if (${index} >= ${payloads.length}) badDiscriminant();`);
		if (type.kind === "enum") return `${out.constant(JSON.stringify(type.names))}[${index}]`;
		const bare = type.kind === "option" && !isNestedOption(type);
		const names = caseNames(type);
		const value = out.name();
		out.line(`let ${value};`);
		out.line(`switch (${index}) {`);
		for (const [i, payload] of payloads.entries()) {
			if (payload === null && bare) continue;
			out.line(`case ${i}: {`);
			const tag = `tag: ${JSON.stringify(names[i])}`;
			if (payload === null) out.line(`${value} = { ${tag} };`);
			else {
				const val = this.lift(payload, from.payload(type));
				out.line(bare ? `${value} = ${val};` : `${value} = { ${tag}, val: ${val} };`);
			}
			out.line("break; }");
		}
		out.line("}");
		return value;
	}
}

/** The tags of a variant's values. */
export function caseNames(type: VariantType): readonly string[] {
	switch (type.kind) {
		case "variant":
			return type.cases.map((c) => c.name);
		case "enum":
			return type.names;
		case "option":
			return ["none", "some"];
		case "result":
			return ["ok", "err"];
	}
}

/** The unsigned integer of so many bytes. */
export function unsigned(size: number): Scalar {
	return size === 1 ? "u8" : size === 2 ? "u16" : "u32";
}
