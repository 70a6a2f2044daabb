import type { Reader } from "../bytes/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { decodeItems } from "./codec.ts";
import * as limits from "./limits.ts";
import { decodeModulePreamble } from "./preamble.ts";
import { VECTORS } from "./section/vectors.ts";
import { decodeCoreSections, finishSection } from "./sections.ts";
import { decodeRecType, type ExternKind, type ExternTypeSyntax } from "./syntax.ts";
import { CoreTypeSpace } from "./type-space.ts";
import type { CoreExternType, CoreModuleType, CustomSection, SectionInfo } from "./types.ts";

export interface ModuleImport {
	readonly module: string;
	readonly name: string;
	readonly type: CoreExternType;
	readonly offset: number;
}

export interface ModuleExport {
	readonly name: string;
	/** Into the index space of the kind of `type`. */
	readonly index: number;
	readonly type: CoreExternType;
	readonly offset: number;
}

/** What a core module shows to the outside, and where its parts lie. Function bodies are not looked into. */
export interface ModuleInterface {
	/** Size in bytes, preamble included. */
	readonly size: number;
	readonly imports: readonly ModuleImport[];
	readonly exports: readonly ModuleExport[];
	readonly sections: readonly SectionInfo[];
	readonly customs: readonly CustomSection[];
	/** Index of the start function. */
	readonly start: number | null;
}

/** Index spaces while a module is read: imports first, then what the module defines. */
interface Spaces {
	readonly types: CoreTypeSpace;
	readonly items: { readonly [K in ExternKind]: ExternTypeSyntax[] };
}

/**
 * Decodes what a core module imports and exports, with types. Checks the section structure, types, imports and exports;
 * V8 checks the rest when it compiles the module.
 *
 * @param offset the absolute offset of `bytes[0]`, for errors.
 */
export function decodeModuleInterface(bytes: Uint8Array, offset = 0): ModuleInterface {
	const reader = decodeModulePreamble(bytes, offset);
	const spaces: Spaces = {
		types: new CoreTypeSpace(),
		items: { func: [], table: [], memory: [], global: [], tag: [] },
	};
	const imports: ModuleImport[] = [];
	const exports: ModuleExport[] = [];
	const sections: SectionInfo[] = [];
	const customs: CustomSection[] = [];
	let start: number | null = null;
	for (const section of decodeCoreSections(reader)) {
		sections.push({ id: section.id, name: section.name, offset: section.offset, size: section.size });
		const { content } = section;
		switch (section.name) {
			case "type":
				decodeTypes(content, spaces.types);
				break;
			case "import":
				decodeImports(content, spaces, imports);
				break;
			case "export":
				decodeExports(content, spaces, exports);
				break;
			case "start":
				start = content.u32("the start function");
				break;
			default: {
				if (section.custom !== undefined) customs.push(section.custom);
				const definitions = DEFINITIONS[section.name]?.(content);
				// Code, data and elements show nothing to the outside
				if (definitions === undefined) continue;
				for (const syntax of definitions) spaces.items[syntax.kind].push(syntax);
			}
		}
		finishSection(section);
	}
	return { size: bytes.length, imports, exports, sections, customs, start };
}

/** The module type of an interface. Throws when two imports or two exports have the same name. */
export function moduleTypeOf(module: ModuleInterface): CoreModuleType {
	const seen = new Set<string>();
	for (const { module: from, name, offset } of module.imports) {
		// No UTF-8 text holds a lone surrogate, so that the pair is unambiguous
		const key = `${from}\ud800${name}`;
		if (seen.has(key)) {
			throw new SkerryError("core/invalid", `duplicate import name \`${from}:${name}\``, { place: { offset } });
		}
		seen.add(key);
	}
	const imports = module.imports.map(({ module, name, type }) => ({ module, name, type }));
	return { imports, exports: new Map(module.exports.map(({ name, type }) => [name, type])) };
}

function decodeTypes(content: Reader, types: CoreTypeSpace): void {
	for (let n = content.count("types", limits.MAX_TYPES); n > 0; n--) {
		const offset = content.offset;
		types.define(decodeRecType(content), offset);
	}
}

function decodeImports(content: Reader, spaces: Spaces, imports: ModuleImport[]): void {
	for (let n = content.count("imports", limits.MAX_IMPORTS, 4); n > 0; n--) {
		const offset = content.offset;
		const { module, name, type } = VECTORS.imports.decode(content);
		spaces.items[type.kind].push(type);
		imports.push({ module, name, type: spaces.types.externType(type, offset), offset });
	}
}

/** What each section of definitions adds to the index spaces; how its items are decoded is the section table's. */
const DEFINITIONS: { readonly [name: string]: ((content: Reader) => readonly ExternTypeSyntax[]) | undefined } = {
	function: (content) => {
		// Of thousands of functions there are a few dozen types
		const known: ExternTypeSyntax[] = [];
		return decodeItems(content, "functions").map((type) => (known[type] ??= { kind: "func", type }));
	},
	table: (content) => decodeItems(content, "tables").map(({ type }) => type),
	memory: (content) => decodeItems(content, "memories"),
	global: (content) => decodeItems(content, "globals").map(({ type }) => type),
	tag: (content) => decodeItems(content, "tags"),
};

function decodeExports(content: Reader, spaces: Spaces, exports: ModuleExport[]): void {
	const names = new Set<string>();
	for (let n = content.count("exports", limits.MAX_EXPORTS, 3); n > 0; n--) {
		const offset = content.offset;
		const { name, kind, index } = VECTORS.exports.decode(content);
		const syntax = spaces.items[kind][index];
		const place = { place: { offset } };
		if (syntax === undefined) {
			throw new SkerryError("core/invalid", `unknown ${kind} ${index}: exported ${kind} index out of bounds`, place);
		}
		if (names.has(name)) {
			throw new SkerryError("core/invalid", `duplicate export name \`${name}\` already defined`, place);
		}
		names.add(name);
		exports.push({ name, index, type: spaces.types.externType(syntax, offset), offset });
	}
}
