import type { ValueType } from "../../component/mod.ts";
import { isNestedOption, type VariantType } from "../cases.ts";
import { MAX_BYTE_LENGTH } from "../context.ts";
import { layoutOf } from "../layout.ts";
import { arrayName, isNumeric } from "../numeric-list.ts";
import { partExpression } from "../parts.ts";
import type { Emitter } from "./emitter.ts";
import { caseNames } from "./lift.ts";
import { caseMap, isPlain } from "./lower.ts";

const INTEGERS: Readonly<Record<string, (value: string) => string>> = {
	u8: (v) => `(${v} & 255)`,
	s8: (v) => `(${v} << 24 >> 24)`,
	u16: (v) => `(${v} & 65535)`,
	s16: (v) => `(${v} << 16 >> 16)`,
	u32: (v) => `(${v} >>> 0)`,
	s32: (v) => `(${v} | 0)`,
};

/** Writes code that returns false unless a host's value has its type. It never accepts what `checkValue` would not. */
export class CheckEmitter {
	readonly #out: Emitter;

	constructor(out: Emitter) {
		this.#out = out;
	}

	/** `value` is a name. */
	check(type: ValueType, value: string): void {
		switch (type.kind) {
			case "bool":
				return this.#require(`typeof ${value} === "boolean"`);
			case "u64":
				return this.#require(`typeof ${value} === "bigint" && BigInt.asUintN(64, ${value}) === ${value}`);
			case "s64":
				return this.#require(`typeof ${value} === "bigint" && BigInt.asIntN(64, ${value}) === ${value}`);
			case "f32":
			case "f64":
				return this.#require(`typeof ${value} === "number"`);
			case "char":
				return this.#require(`isChar(${value})`);
			case "string":
				return this.#string(value, `${value}.isWellFormed()`);
			case "list":
				return this.#list(type, value);
			case "map": {
				this.#require(`${value} instanceof Map`);
				const { size } = layoutOf(layoutOf(type).entry!);
				this.#require(`${value}.size <= ${Math.floor(MAX_BYTE_LENGTH / size)}`);
				const key = this.#out.name();
				const entry = this.#out.name();
				this.#out.line(`for (const [${key}, ${entry}] of ${value}) {`);
				this.check(type.key, key);
				this.check(type.value, entry);
				return this.#out.line("}");
			}
			case "record":
				this.#requireObject(value);
				for (const { key, type: field } of type.fields) this.#part(field, partExpression(value, key));
				return;
			case "tuple":
				this.#require(`Array.isArray(${value}) && ${value}.length === ${type.elements.length}`);
				for (const [i, element] of type.elements.entries()) this.#part(element, `${value}[${i}]`);
				return;
			case "flags":
				this.#requireObject(value);
				this.#require(`!Array.isArray(${value})`);
				for (const key of type.keys) {
					const flag = this.#out.define(partExpression(value, key));
					this.#require(`${flag} === undefined || typeof ${flag} === "boolean"`);
				}
				return;
			case "variant":
			case "enum":
			case "option":
			case "result":
				return this.#variant(type, value);
			case "own":
			case "borrow": {
				const resource = this.#out.resource(type.resource);
				return this.#require(`isResource(store, ${resource}, ${value}, ${type.kind === "own"})`);
			}
			case "error-context":
			case "stream":
			case "future":
				throw new Error(`no code for ${type.kind}`);
			default:
				return this.#require(`typeof ${value} === "number" && ${INTEGERS[type.kind]!(value)} === ${value}`);
		}
	}

	/** The only string among all that is checked: see `isTextOf`. */
	onlyString(value: string): void {
		this.#string(value, `isText(${value})`);
	}

	#string(value: string, isWellFormed: string): void {
		this.#require(
			`typeof ${value} === "string" && ${value}.length <= ${Math.floor(MAX_BYTE_LENGTH / 2)} && ${isWellFormed}`,
		);
	}

	#require(condition: string): void {
		this.#out.line(`if (!(${condition})) return false;`);
	}

	#requireObject(value: string): void {
		this.#require(`typeof ${value} === "object" && ${value} !== null`);
	}

	#part(type: ValueType, expression: string): void {
		this.check(type, this.#out.define(expression));
	}

	#list(type: ValueType & { kind: "list" }, value: string): void {
		const out = this.#out;
		const { element, length } = type;
		const typed = isNumeric(element) ? `${value} instanceof ${arrayName(element.kind)}` : "false";
		if (isNumeric(element)) out.line(`if (!(${typed})) {`);
		this.#require(`isList(${value})`);
		const index = out.name();
		out.line(`for (let ${index} = 0; ${index} < ${value}.length; ${index}++) {`);
		this.#part(element, `${value}[${index}]`);
		out.line("}");
		if (isNumeric(element)) out.line(`} else if (${value}.length === 0 && !isList(${value})) return false;`);
		if (length !== undefined) this.#require(`${value}.length === ${length}`);
		this.#require(`${value}.length <= ${Math.floor(MAX_BYTE_LENGTH / Math.max(1, layoutOf(element).size))}`);
	}

	#variant(type: VariantType, value: string): void {
		const out = this.#out;
		if (type.kind === "option" && !isNestedOption(type)) {
			out.line(`if (${value} !== undefined) {`);
			this.check(type.element, value);
			out.line("}");
			return;
		}
		const { payloads, cases } = layoutOf(type);
		const names = caseNames(type);
		const few = isPlain(names);
		const tag = type.kind === "enum" ? value : `${value}.tag`;
		if (type.kind !== "enum") this.#requireObject(value);
		out.line(`switch (${few ? tag : `${out.constant(caseMap(cases))}.get(${tag})`}) {`);
		for (const [i, payload] of payloads.entries()) {
			out.line(`case ${few ? JSON.stringify(names[i]) : i}: {`);
			if (payload !== null) this.#part(payload, `${value}.val`);
			out.line("break; }");
		}
		out.line("default: return false;");
		out.line("}");
	}
}
