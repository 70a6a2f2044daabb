/**
 * Lists of records that are nothing but numbers are checked and laid out in one pass, in memory of the host's: once the guest has
 * allocated, they are copied there as they are. Where anything is out of the ordinary, they are checked and stored one by one.
 */
import type { ValueType } from "../../component/mod.ts";
import { layoutOf } from "../layout.ts";
import { isNumeric } from "../numeric-list.ts";
import { partExpression } from "../parts.ts";
import { CheckEmitter } from "./check.ts";
import type { Emitter } from "./emitter.ts";
import { LowerEmitter } from "./lower.ts";
import { MemoryPlace } from "./places.ts";

type List = ValueType & { readonly kind: "list" };

/** Longer lists are seldom: they are not packed. */
const SCRATCH_BYTES = 1 << 18;

/** Where lists are laid out: the last one to be. Its bytes may be anybody's, so that no byte of it is copied that was not written. */
export class Scratch {
	readonly bytes: Uint8Array = new Uint8Array(SCRATCH_BYTES);
	readonly view: DataView = new DataView(this.bytes.buffer);
	/** Which list it is, as they are counted: a getter of a host's value can call what packs another. */
	ticket = 0;
	/** Its elements. */
	length = 0;
}

export const scratch: Scratch = new Scratch();

/** The first of these types that is a list which can be packed; -1 where none is. */
export function packedAmong(types: readonly ValueType[]): number {
	return types.findIndex((type) => type.kind === "list" && type.length === undefined && isPackable(type.element));
}

function isPackable(element: ValueType): boolean {
	if (element.kind !== "record" && element.kind !== "tuple") return false;
	const { size } = layoutOf(element);
	return size > 0 && size === numbersIn(element);
}

/** Bytes of the numbers that a type is made of; less than its size where there is padding, which is the guest's to keep. */
function numbersIn(type: ValueType): number {
	if (isNumeric(type) || type.kind === "bool") return layoutOf(type).size;
	const parts =
		type.kind === "record" ? type.fields.map((field) => field.type) : type.kind === "tuple" ? type.elements : null;
	if (parts === null || parts.length === 0) return Number.NaN;
	return parts.reduce((sum, part) => sum + numbersIn(part), 0);
}

/**
 * Writes a function `checks`, which returns false unless all values have their types. Otherwise it tells the ticket of the first list that
 * can be packed, if it was, and 0 or true if not.
 */
export function writeChecks(out: Emitter, types: readonly ValueType[], names: readonly string[]): string {
	const packed = packedAmong(types);
	const packs = packed < 0 ? "" : writePack(out, types[packed] as List);
	const check = new CheckEmitter(out);
	const strings = types.filter((type) => type.kind === "string").length;
	for (const [i, type] of types.entries()) {
		if (i !== packed) {
			if (type.kind === "string" && strings === 1) check.onlyString(names[i]!);
			else check.check(type, names[i]!);
			continue;
		}
		out.line(`const packed = packs(${names[i]});`);
		out.line("if (packed === 0) {");
		check.check(type, names[i]!);
		out.line("}");
	}
	return `${packs}\nfunction checks(${names.join(", ")}) {\n${out.take()}\nreturn ${packed < 0 ? "true" : "packed"};\n}`;
}

/** Writes a function `packs`: the ticket of a list which is packed and has its type, or 0, which says nothing of it. */
function writePack(out: Emitter, { element }: List): string {
	const { size } = layoutOf(element);
	const check = new CheckEmitter(out);
	const lower = new LowerEmitter(out, false);
	const pack = (type: ValueType, value: string, to: MemoryPlace): void => {
		if (type.kind === "record") {
			for (const [i, field] of type.fields.entries()) {
				const part = out.define(partExpression(value, field.key));
				// V8 knows a prototype from the property that was read, while `typeof` takes longer than all the rest.
				if (i === 0) out.line(`if (prototypeOf(${value}) !== plain && typeof ${value} !== "object") return false;`);
				pack(field.type, part, to.part(type, i));
			}
		} else if (type.kind === "tuple") {
			out.line(`if (!Array.isArray(${value}) || ${value}.length !== ${type.elements.length}) return false;`);
			for (const [i, part] of type.elements.entries()) pack(part, out.define(`${value}[${i}]`), to.part(type, i));
		} else {
			check.check(type, value);
			lower.lower(type, value, to);
		}
	};
	const value = out.define("list[i]");
	pack(element, value, new MemoryPlace(out, "at"));
	const body = out.take();
	return `function packs(list) {
	if (!Array.isArray(list) || list.length > ${Math.floor(SCRATCH_BYTES / size)}) return 0;
	const { length } = list;
	const ticket = ++scratch.ticket;
	if (!packsAll(list, length) || scratch.ticket !== ticket) return 0;
	scratch.length = length;
	return ticket;
}
const { view: scratchView, bytes: scratchBytes } = scratch;
function packsAll(list, length) {
	const view = scratchView, bytes = scratchBytes;
	// Of what is no object, properties cannot be read: who checks it says so.
	try {
		for (let i = 0, at = 0; i < length; i++, at += ${size}) {
			${body}
		}
	} catch {
		return false;
	}
	return true;
}`;
}
