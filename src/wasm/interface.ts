import { Reader } from "../bytes/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { skipConstantExpression } from "./const-expr.ts";
import * as limits from "./limits.ts";
import { isComponent, isCoreModule, isWasm } from "./preamble.ts";
import { decodeCoreSections, finishSection } from "./sections.ts";
import {
	decodeExternType,
	decodeGlobalType,
	decodeMemoryType,
	decodeRecType,
	decodeTableType,
	decodeTagType,
	type ExternTypeSyntax,
	hex,
} from "./syntax.ts";
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

const KINDS = ["func", "table", "memory", "global", "tag"] as const;

/** Index spaces while a module is read: imports first, then what the module defines. */
interface Spaces {
	readonly types: CoreTypeSpace;
	readonly items: { readonly [K in (typeof KINDS)[number]]: ExternTypeSyntax[] };
}

/** Checks the preamble of a core module. */
function decodeModulePreamble(bytes: Uint8Array, base: number): Reader {
	const place = { place: { offset: base } };
	if (!isWasm(bytes)) throw new SkerryError("binary/not-wasm", "magic header not detected: not WebAssembly", place);
	if (bytes.length < 8) throw new SkerryError("binary/truncated", "unexpected end: cannot read the version", place);
	if (isComponent(bytes)) {
		throw new SkerryError("binary/component", "expected a version header for a module, found a component", place);
	}
	if (!isCoreModule(bytes)) throw new SkerryError("binary/malformed", "unknown binary version", place);
	const reader = new Reader(bytes, base);
	reader.take(8);
	return reader;
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
			case "function":
			case "table":
			case "memory":
			case "global":
			case "tag":
				decodeDefinitions(section.name, content, spaces);
				break;
			default:
				if (section.custom !== undefined) customs.push(section.custom);
				// Code, data and elements are V8's to decode
				continue;
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
		const module = content.name("a module name");
		const name = content.name("an import name");
		const syntax = decodeExternType(content);
		spaces.items[syntax.kind].push(syntax);
		imports.push({ module, name, type: spaces.types.externType(syntax, offset), offset });
	}
}

const DEFINITIONS: Record<
	"function" | "table" | "memory" | "global" | "tag",
	{ readonly what: string; readonly limit: number; readonly decode: (content: Reader) => ExternTypeSyntax }
> = {
	function: {
		what: "functions",
		limit: limits.MAX_FUNCTIONS,
		decode: (content) => ({ kind: "func", type: content.u32("a type index") }),
	},
	table: { what: "tables", limit: limits.MAX_TABLES, decode: decodeTableDefinition },
	memory: { what: "memories", limit: limits.MAX_MEMORIES, decode: decodeMemoryType },
	global: {
		what: "globals",
		limit: limits.MAX_GLOBALS,
		decode: (content) => {
			const type = decodeGlobalType(content);
			skipConstantExpression(content);
			return type;
		},
	},
	tag: { what: "tags", limit: limits.MAX_TAGS, decode: decodeTagType },
};

/** A table type, or `0x40 0x00`, a type and an initial value. */
function decodeTableDefinition(content: Reader): ExternTypeSyntax {
	if (content.peek() !== 0x40) return decodeTableType(content);
	const start = content.offset;
	content.u8();
	if (content.u8("a reserved byte") !== 0) throw content.malformed("zero byte expected", start);
	const type = decodeTableType(content);
	skipConstantExpression(content);
	return type;
}

function decodeDefinitions(name: keyof typeof DEFINITIONS, content: Reader, spaces: Spaces): void {
	const { what, limit, decode } = DEFINITIONS[name];
	for (let n = content.count(what, limit); n > 0; n--) {
		const syntax = decode(content);
		spaces.items[syntax.kind].push(syntax);
	}
}

function decodeExports(content: Reader, spaces: Spaces, exports: ModuleExport[]): void {
	const names = new Set<string>();
	for (let n = content.count("exports", limits.MAX_EXPORTS, 3); n > 0; n--) {
		const offset = content.offset;
		const name = content.name("an export name");
		const byte = content.u8("an external kind");
		const kind = KINDS[byte];
		if (kind === undefined) throw content.malformed(`invalid leading byte (${hex(byte)}) for external kind`, offset);
		const index = content.u32("an index");
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
