import type { ValueType } from "../../component/mod.ts";
import { isNestedOption, type VariantType } from "../cases.ts";
import { layoutOf } from "../layout.ts";
import { arrayName, isNumeric } from "../numeric-list.ts";
import { partExpression } from "../parts.ts";
import type { Emitter } from "./emitter.ts";
import { caseNames, unsigned } from "./lift.ts";
import { FlatPlace, MemoryPlace, type Target } from "./places.ts";

type List = ValueType & { kind: "list" };

/**
 * Writes code that lowers checked values into `Target`s: the same calls of realloc in the same order as the interpreter's. It has the
 * names `cx`, `memory`, and the variables `view` and `bytes`, which it renews when the guest has run.
 */
export class LowerEmitter {
	readonly #out: Emitter;
	readonly #carried: boolean;
	readonly #packed: string | null;

	/** @param packed the name of a list that may lie in `scratch`, where its ticket is what `packed` is */
	constructor(out: Emitter, carried: boolean, packed: string | null = null) {
		this.#out = out;
		this.#carried = carried;
		this.#packed = packed;
	}

	/** `value` is a name, or an expression that may be evaluated once. */
	lower(type: ValueType, value: string, to: Target): void {
		const out = this.#out;
		switch (type.kind) {
			case "bool":
				return to.write("u8", `(${value} ? 1 : 0)`);
			case "char":
				return to.write("u32", `${value}.codePointAt(0)`);
			case "string":
				to.write("u32", this.#allocate(`storeString(cx, ${value})`));
				return to.writeSecond("cx.stored");
			case "list":
				if (type.length === undefined) return this.#list(type.element, out.define(value), to, value === this.#packed);
				return this.#fixedList(type, type.length, out.define(value), to);
			case "map": {
				const map = out.define(value);
				const entries = this.#carried ? map : out.define(`${map} instanceof Map ? [...${map}] : ${map}`);
				return this.#list(layoutOf(type).entry!, entries, to);
			}
			case "record": {
				const record = out.define(value);
				for (const [i, field] of type.fields.entries()) {
					this.lower(field.type, partExpression(record, field.key), to.part(type, i));
				}
				return;
			}
			case "tuple": {
				const tuple = out.define(value);
				for (const [i, element] of type.elements.entries()) this.lower(element, `${tuple}[${i}]`, to.part(type, i));
				return;
			}
			case "flags": {
				const flags = out.define(value);
				const bits = type.keys.map((key, i) => `(${partExpression(flags, key)} === true ? ${2 ** i} : 0)`);
				const { size } = layoutOf(type);
				return to.write(unsigned(size), bits.length === 0 ? "0" : bits.join(" + "));
			}
			case "variant":
			case "enum":
			case "option":
			case "result":
				return this.#variant(type, out.define(value), to);
			case "own":
			case "borrow": {
				const lower = type.kind === "own" ? "lowerOwn" : "lowerBorrow";
				return to.write("s32", out.define(`${lower}(cx, ${value}, ${out.resource(type.resource)})`));
			}
			case "error-context":
			case "stream":
			case "future":
				throw new Error(`no code for ${type.kind}`);
			default:
				return to.write(type.kind, value);
		}
	}

	/** Evaluates `call`, in which the guest's realloc runs; it returns a pointer. */
	#allocate(call: string): string {
		const pointer = this.#out.define(call);
		this.#out.line("view = memory.view; bytes = memory.bytes;");
		return pointer;
	}

	/** The same as `pointer = cx.realloc(0, 0, …)`, written out. */
	#allocateList(pointer: string, alignment: number, size: string): void {
		const out = this.#out;
		out.line(`if (realloc === null) ${pointer} = cx.realloc(0, 0, ${alignment}, ${size});`);
		out.line(`else { ${pointer} = realloc(0, 0, ${alignment}, ${size}) >>> 0; memory.refresh(); }`);
		out.line("view = memory.view; bytes = memory.bytes;");
		const unaligned = alignment === 1 ? "" : `(${pointer} & ${alignment - 1}) !== 0 || `;
		out.line(
			`if (${unaligned}${pointer} + ${size} > bytes.length) cx.checkAllocated(${pointer}, ${alignment}, ${size});`,
		);
	}

	#list(element: ValueType, list: string, to: Target, packed = false): void {
		const out = this.#out;
		const { size, alignment } = layoutOf(element);
		const length = out.define(`${list}.length`);
		const total = size === 1 ? length : out.define(`${length} * ${size}`);
		const pointer = out.name();
		out.line(`let ${pointer};`);
		const passed = this.#carried && isNumeric(element);
		if (passed) {
			out.line(`if (${list} instanceof PassedNumbers) {`);
			out.line(`${pointer} = cx.receive(${list}.memory, ${list}.pointer, ${total}, ${alignment});`);
			out.line("view = memory.view; bytes = memory.bytes;");
			out.line("} else {");
		}
		this.#allocateList(pointer, alignment, total);
		if (packed) {
			out.line(`if (packed !== 0 && packed === scratch.ticket && scratch.length === ${length}) {`);
			out.line(`bytes.set(scratch.bytes.subarray(0, ${total}), ${pointer});`);
			out.line("} else {");
		}
		this.#elements(element, list, pointer, length);
		if (packed || passed) out.line("}");
		to.write("u32", pointer);
		to.writeSecond(length);
	}

	#fixedList(type: List, length: number, list: string, to: Target): void {
		const out = this.#out;
		if (to instanceof MemoryPlace) {
			this.#elements(type.element, list, out.define(to.address(0)), `${length}`);
			return;
		}
		for (let i = 0; i < length; i++) this.lower(type.element, `${list}[${i}]`, to.part(type, i));
	}

	#elements(element: ValueType, list: string, pointer: string, length: string): void {
		const out = this.#out;
		out.line(`if (${list}.length !== ${length}) changed();`);
		if (element.kind === "u8") {
			out.line(`putBytes(bytes, ${pointer}, ${list});`);
			return;
		}
		if (isNumeric(element)) {
			const { size } = layoutOf(element);
			const array = arrayName(element.kind);
			// A view of these bytes alone would take longer than to copy them.
			const all = `memory.arrays.${array} ??= new ${array}(memory.buffer, 0, bytes.length / ${size})`;
			out.line(`(${all}).set(${list}, ${size === 1 ? pointer : `${pointer} / ${size}`});`);
			return;
		}
		const index = out.name();
		const at = out.name();
		const { size } = layoutOf(element);
		out.line(`for (let ${index} = 0, ${at} = ${pointer}; ${index} < ${length}; ${index}++, ${at} += ${size}) {`);
		this.lower(element, `${list}[${index}]`, new MemoryPlace(out, at));
		out.line("}");
	}

	#variant(type: VariantType, value: string, to: Target): void {
		const out = this.#out;
		const { payloads, discriminant, cases } = layoutOf(type);
		const kind = to instanceof FlatPlace ? "u32" : unsigned(discriminant);
		if (type.kind === "option" && !isNestedOption(type)) {
			to.write(kind, `(${value} === undefined ? 0 : 1)`);
			out.line(`if (${value} !== undefined) {`);
			this.lower(type.element, value, to.payload(type));
			out.line("}");
			return;
		}
		const names = caseNames(type);
		const tag = type.kind === "enum" ? value : `${value}.tag`;
		// Few strings are compared faster than they are looked up.
		const few = isPlain(names);
		if (!few) {
			const index = out.define(`${out.constant(caseMap(cases))}.get(${tag})`);
			out.line(`if (${index} === undefined) changed();`);
			to.write(kind, index);
			if (payloads.every((payload) => payload === null)) return;
			out.line(`switch (${index}) {`);
		} else {
			out.line(`switch (${tag}) {`);
		}
		for (const [i, payload] of payloads.entries()) {
			if (payload === null && !few) continue;
			out.line(`case ${few ? JSON.stringify(names[i]) : i}: {`);
			if (few) to.write(kind, `${i}`);
			if (payload !== null) this.lower(payload, `${value}.val`, to.payload(type));
			out.line("break; }");
		}
		if (few) out.line("default: changed();");
		out.line("}");
	}
}

/** Cases that a switch tells apart well enough. */
export function isPlain(names: readonly string[]): boolean {
	return names.length <= 8 && new Set(names).size === names.length;
}

export function caseMap(cases: ReadonlyMap<unknown, number>): string {
	return `new Map(${JSON.stringify([...cases])})`;
}
