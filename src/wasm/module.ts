import type { Code } from "./section/code.ts";
import type { GlobalDefinition, TableDefinition } from "./section/definitions.ts";
import type { ExportSyntax, ImportSyntax } from "./section/externs.ts";
import type { DataSegment, ElementSegment } from "./section/segments.ts";
import type { CoreSectionName } from "./sections.ts";
import type { ExternKind, MemoryTypeSyntax, RecTypeSyntax, TagTypeSyntax } from "./syntax.ts";

/** A custom section and where it stands. */
export interface ModuleCustom {
	readonly name: string;
	readonly bytes: Uint8Array;
	/** The section, present or not, behind whose place it stands; `null`: before them all. */
	readonly after: CoreSectionName | null;
}

/**
 * A core module, section by section. It is never changed: a pass makes a new one (`{ ...module, imports }`).
 * Byte arrays are views of the bytes that it was decoded from.
 */
export interface Module {
	/** Recursion groups; their types are numbered through. */
	readonly types: readonly RecTypeSyntax[];
	readonly imports: readonly ImportSyntax[];
	/** The type index of each function that the module defines; its body stands in `code` at the same place. */
	readonly functions: readonly number[];
	readonly tables: readonly TableDefinition[];
	readonly memories: readonly MemoryTypeSyntax[];
	readonly tags: readonly TagTypeSyntax[];
	readonly globals: readonly GlobalDefinition[];
	readonly exports: readonly ExportSyntax[];
	/** Index of the start function. */
	readonly start: number | null;
	readonly elements: readonly ElementSegment[];
	/** Whether there is a data count section: instructions that name data segments need it. */
	readonly dataCount: boolean;
	readonly code: Code;
	readonly data: readonly DataSegment[];
	readonly customs: readonly ModuleCustom[];
	/**
	 * The bytes that each section (and custom section) was decoded from, header included, by the very object that stands for
	 * it above. The encoder copies them while that object is still in place; empty, everything is encoded anew.
	 */
	readonly source: ReadonlyMap<object, Uint8Array>;
}

/** How many items of each kind are imported: what the module defines is numbered from there. */
export function countImports(module: Pick<Module, "imports">): Readonly<Record<ExternKind, number>> {
	const counts = { func: 0, table: 0, memory: 0, global: 0, tag: 0 };
	for (const { type } of module.imports) counts[type.kind]++;
	return counts;
}
