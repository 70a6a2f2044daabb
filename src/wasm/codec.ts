import { type Reader, Writer } from "../bytes/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { MAX_TYPES } from "./limits.ts";
import type { Module, ModuleCustom } from "./module.ts";
import { decodeModulePreamble, encodeModulePreamble } from "./preamble.ts";
import { type Code, decodeCode, emptyCode, encodeCode, sizeOfCode, sizeOfU32 } from "./section/code.ts";
import { VECTORS, type VectorKey } from "./section/vectors.ts";
import { CORE_SECTIONS, type CoreSectionName, decodeCoreSections, finishSection } from "./sections.ts";

/** Which part of the module each section that is a vector of items holds. */
const VECTOR_KEYS = {
	type: "types",
	import: "imports",
	function: "functions",
	table: "tables",
	memory: "memories",
	tag: "tags",
	global: "globals",
	export: "exports",
	element: "elements",
	data: "data",
} as const satisfies Partial<Record<CoreSectionName, VectorKey>>;

function vectorKey(name: string): VectorKey | undefined {
	return Object.hasOwn(VECTOR_KEYS, name) ? VECTOR_KEYS[name as keyof typeof VECTOR_KEYS] : undefined;
}

/** The items of a section that is a vector of them. */
export function decodeItems<K extends VectorKey>(content: Reader, key: K): Module[K][number][] {
	const { what, limit, minimum, decode } = VECTORS[key];
	const items: Module[K][number][] = [];
	for (let n = content.count(what, limit, minimum); n > 0; n--) items.push(decode(content));
	return items;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Decodes a core module. Function bodies are not looked into (`checkCode` does), indices are not followed, types are not
 * checked: that is validation, and V8's.
 *
 * @param offset the absolute offset of `bytes[0]`, for errors.
 * @throws SkerryError `binary/*`, with an offset.
 */
export function decodeModule(bytes: Uint8Array, offset = 0): Module {
	const reader = decodeModulePreamble(bytes, offset);
	const source = new Map<object, Uint8Array>();
	const customs: ModuleCustom[] = [];
	const module: Mutable<Module> = {
		types: [],
		imports: [],
		functions: [],
		tables: [],
		memories: [],
		tags: [],
		globals: [],
		exports: [],
		start: null,
		elements: [],
		dataCount: false,
		code: emptyCode(),
		data: [],
		customs,
		source,
	};
	let dataCount: number | null = null;
	let last: CoreSectionName | null = null;
	for (const section of decodeCoreSections(reader)) {
		const { content, custom } = section;
		const raw = bytes.subarray(section.offset - offset, reader.position);
		if (custom !== undefined) {
			const kept: ModuleCustom = { name: custom.name, bytes: custom.bytes, after: last };
			customs.push(kept);
			source.set(kept, raw);
			continue;
		}
		last = section.name as CoreSectionName;
		const key = vectorKey(last);
		if (key !== undefined) {
			const items = decodeItems(content, key);
			Object.assign(module, { [key]: items });
			source.set(items, raw);
		} else if (last === "code") {
			module.code = decodeCode(content);
			source.set(module.code, raw);
		} else if (last === "start") {
			module.start = content.u32("the start function");
		} else {
			dataCount = content.u32("the count of data segments");
		}
		finishSection(section);
	}
	module.dataCount = dataCount !== null;
	const end = { place: { offset: reader.offset } };
	if (module.types.length > 0 && countTypes(module) > MAX_TYPES) {
		throw new SkerryError("binary/limit", `more than ${MAX_TYPES} types`, end);
	}
	if (module.functions.length !== module.code.starts.length) {
		throw new SkerryError("binary/malformed", "function and code section have inconsistent lengths", end);
	}
	if (dataCount !== null && dataCount !== module.data.length) {
		throw new SkerryError("binary/malformed", "data count and data section have inconsistent lengths", end);
	}
	return module;
}

function countTypes(module: Pick<Module, "types">): number {
	return module.types.reduce((count, group) => count + group.length, 0);
}

/** A piece of the output, whose size is known before it is written. */
type Piece = Uint8Array | { readonly id: number; readonly code: Code; readonly size: number };

/** Encodes a module. Sections that are still what the decoder made are copied, byte for byte. */
export function encodeModule(module: Module): Uint8Array {
	const pieces: Piece[] = [encodeModulePreamble()];
	const addCustoms = (after: CoreSectionName | null): void => {
		for (const custom of module.customs) {
			if (custom.after === after) pieces.push(module.source.get(custom) ?? encodeCustom(custom));
		}
	};
	addCustoms(null);
	for (const { id, name } of CORE_SECTIONS) {
		const piece = encodeSection(module, id, name);
		if (piece !== null) pieces.push(piece);
		addCustoms(name);
	}
	const sizeOf = (piece: Piece): number =>
		piece instanceof Uint8Array ? piece.length : 1 + sizeOfU32(piece.size) + piece.size;
	const out = new Writer(pieces.reduce((size, piece) => size + sizeOf(piece), 0));
	for (const piece of pieces) {
		if (piece instanceof Uint8Array) out.raw(piece);
		else encodeCode(out.u8(piece.id).u32(piece.size), piece.code);
	}
	return out.detach();
}

function encodeCustom({ name, bytes }: ModuleCustom): Uint8Array {
	return new Writer(bytes.length + 64).section(0, new Writer(bytes.length + 64).name(name).raw(bytes)).detach();
}

/** `null` for a section that is left out. */
function encodeSection(module: Module, id: number, name: CoreSectionName): Piece | null {
	const key = vectorKey(name);
	if (key !== undefined) {
		const items = module[key];
		const raw = module.source.get(items);
		if (raw !== undefined) return raw;
		return items.length === 0 ? null : new Writer().section(id, encodeItems(items, VECTORS[key])).detach();
	}
	if (name === "code") {
		const { code } = module;
		const raw = module.source.get(code);
		if (raw !== undefined) return raw;
		return code.starts.length === 0 ? null : { id, code, size: sizeOfCode(code) };
	}
	const value = name === "start" ? module.start : module.dataCount ? module.data.length : null;
	return value === null ? null : new Writer(16).section(id, new Writer(16).u32(value)).detach();
}

function encodeItems(
	items: Module[VectorKey],
	{ encode }: { readonly encode: (writer: Writer, item: never) => void },
): Writer {
	const content = new Writer().u32(items.length);
	for (const item of items) encode(content, item as never);
	return content;
}
