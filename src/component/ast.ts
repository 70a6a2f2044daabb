/**
 * The component binary as decoded: one node per definition, in the order of the binary, with indices unresolved.
 * Names follow the Component Model's Explainer.md and Binary.md. Every node carries the absolute byte offset at which it starts.
 */
import type { CustomSection, SectionInfo } from "../wasm/mod.ts";

/** Core sorts, Binary.md `core:sort`. */
export type CoreSort = "func" | "table" | "memory" | "global" | "tag" | "type" | "module" | "instance";

/** Component sorts, Binary.md `sort`; core sorts carry the prefix `core `. */
export type Sort = `core ${CoreSort}` | "func" | "value" | "type" | "component" | "instance";

export interface CoreSortIndex {
	readonly sort: CoreSort;
	readonly index: number;
}

export interface SortIndex {
	readonly sort: Sort;
	readonly index: number;
}

/** An import or export name with what Binary.md attaches to it. */
export interface ExternName {
	readonly name: string;
	/** The `implements` attribute: the interface that a plainly named instance implements. */
	readonly implements?: string;
	/** Completes a canonical interface name to its full version. */
	readonly versionSuffix?: string;
	readonly externalId?: string;
}

export interface Component {
	/** Absolute offset of the preamble. */
	readonly offset: number;
	/** Size in bytes, preamble included. */
	readonly size: number;
	readonly definitions: readonly Definition[];
	readonly customs: readonly CustomSection[];
	/** From the `component-name` section. */
	readonly name?: string;
	/** Size of each section in bytes, in order, for `inspect`. */
	readonly sections: readonly SectionInfo[];
}

export type Definition =
	| CoreModuleDefinition
	| CoreInstanceDefinition
	| CoreTypeDefinition
	| ComponentDefinition
	| InstanceDefinition
	| AliasDefinition
	| TypeDefinition
	| CanonDefinition
	| StartDefinition
	| ImportDefinition
	| ExportDefinition
	| ValueDefinition;

export interface CoreModuleDefinition {
	readonly kind: "core module";
	readonly offset: number;
	/** The whole module, preamble included; a view, not a copy. */
	readonly bytes: Uint8Array;
}

export interface CoreInstanceDefinition {
	readonly kind: "core instance";
	readonly offset: number;
	readonly expr:
		| { readonly kind: "instantiate"; readonly module: number; readonly args: readonly CoreInstantiateArg[] }
		| {
				readonly kind: "exports";
				readonly exports: readonly { readonly name: string; readonly item: CoreSortIndex }[];
		  };
}

/** Only instances can be passed today. */
export interface CoreInstantiateArg {
	readonly name: string;
	readonly instance: number;
}

export interface CoreTypeDefinition {
	readonly kind: "core type";
	readonly offset: number;
	readonly type: CoreTypeExpr;
}

export interface ComponentDefinition {
	readonly kind: "component";
	readonly offset: number;
	readonly component: Component;
}

export interface InstanceDefinition {
	readonly kind: "instance";
	readonly offset: number;
	readonly expr:
		| {
				readonly kind: "instantiate";
				readonly component: number;
				readonly args: readonly { readonly name: string; readonly item: SortIndex }[];
		  }
		| {
				readonly kind: "exports";
				readonly exports: readonly { readonly name: ExternName; readonly item: SortIndex }[];
		  };
}

export type AliasTarget =
	| { readonly kind: "export"; readonly instance: number; readonly name: string }
	| { readonly kind: "core export"; readonly instance: number; readonly name: string }
	/** `count` 0 is the component itself. */
	| { readonly kind: "outer"; readonly count: number; readonly index: number };

export interface AliasDefinition {
	readonly kind: "alias";
	readonly offset: number;
	readonly sort: Sort;
	readonly target: AliasTarget;
}

export interface TypeDefinition {
	readonly kind: "type";
	readonly offset: number;
	readonly type: TypeExpr;
}

export interface CanonDefinition {
	readonly kind: "canon";
	readonly offset: number;
	readonly canon: Canon;
}

export interface StartDefinition {
	readonly kind: "start";
	readonly offset: number;
	readonly func: number;
	readonly args: readonly number[];
	readonly results: number;
}

export interface ImportDefinition {
	readonly kind: "import";
	readonly offset: number;
	readonly name: ExternName;
	readonly desc: ExternDesc;
}

export interface ExportDefinition {
	readonly kind: "export";
	readonly offset: number;
	readonly name: ExternName;
	readonly item: SortIndex;
	/** The type ascribed to the export, where one is. */
	readonly desc?: ExternDesc;
}

export interface ValueDefinition {
	readonly kind: "value";
	readonly offset: number;
	readonly type: ValueTypeRef;
	readonly bytes: Uint8Array;
}

export type PrimitiveKind =
	| "bool"
	| "s8"
	| "u8"
	| "s16"
	| "u16"
	| "s32"
	| "u32"
	| "s64"
	| "u64"
	| "f32"
	| "f64"
	| "char"
	| "string"
	| "error-context";

/** A value type in place: a primitive, or an index into the type space. */
export type ValueTypeRef = PrimitiveKind | number;

export type DefinedTypeExpr =
	| { readonly kind: "primitive"; readonly primitive: PrimitiveKind }
	| { readonly kind: "record"; readonly fields: readonly { readonly name: string; readonly type: ValueTypeRef }[] }
	| {
			readonly kind: "variant";
			readonly cases: readonly { readonly name: string; readonly type: ValueTypeRef | null }[];
	  }
	| { readonly kind: "list"; readonly element: ValueTypeRef; readonly length?: number }
	| { readonly kind: "map"; readonly key: ValueTypeRef; readonly value: ValueTypeRef }
	| { readonly kind: "tuple"; readonly elements: readonly ValueTypeRef[] }
	| { readonly kind: "flags"; readonly names: readonly string[] }
	| { readonly kind: "enum"; readonly names: readonly string[] }
	| { readonly kind: "option"; readonly element: ValueTypeRef }
	| { readonly kind: "result"; readonly ok: ValueTypeRef | null; readonly err: ValueTypeRef | null }
	/** `type` indexes a resource type. */
	| { readonly kind: "own" | "borrow"; readonly type: number }
	| { readonly kind: "stream" | "future"; readonly element: ValueTypeRef | null };

export interface FunctionTypeExpr {
	readonly kind: "func";
	readonly async: boolean;
	readonly params: readonly { readonly name: string; readonly type: ValueTypeRef }[];
	readonly result: ValueTypeRef | null;
}

export type TypeExpr =
	| { readonly kind: "defined"; readonly type: DefinedTypeExpr }
	| FunctionTypeExpr
	| { readonly kind: "component"; readonly declarations: readonly Declaration[] }
	| { readonly kind: "instance"; readonly declarations: readonly Declaration[] }
	| {
			readonly kind: "resource";
			readonly rep: "i32" | "i64";
			readonly dtor: number | null;
			readonly async: boolean;
			readonly callback: number | null;
	  };

/** `import` occurs in component types only. */
export type Declaration = CoreTypeDefinition | TypeDefinition | AliasDefinition | ImportDefinition | ExportDeclaration;

export interface ExportDeclaration {
	readonly kind: "export declaration";
	readonly offset: number;
	readonly name: ExternName;
	readonly desc: ExternDesc;
}

export type ExternDesc =
	| { readonly kind: "core module"; readonly type: number }
	| { readonly kind: "func"; readonly type: number }
	| {
			readonly kind: "value";
			readonly bound:
				| { readonly kind: "eq"; readonly index: number }
				| { readonly kind: "type"; readonly type: ValueTypeRef };
	  }
	| {
			readonly kind: "type";
			readonly bound: { readonly kind: "eq"; readonly type: number } | { readonly kind: "sub resource" };
	  }
	| { readonly kind: "component"; readonly type: number }
	| { readonly kind: "instance"; readonly type: number };

/**
 * A core type of the `core type` section. Core (non-module) types are kept as the `wasm` part decodes them; a module type
 * holds declarations of its own.
 */
export type CoreTypeExpr =
	/** A `rectype` of the core format: function, struct, array types and groups. `bytes` is its encoding. */
	| { readonly kind: "rec"; readonly bytes: Uint8Array; readonly offset: number }
	| { readonly kind: "module"; readonly declarations: readonly CoreModuleDeclaration[] };

export type CoreModuleDeclaration =
	/** `desc` is the encoding of a core `externtype` (kind byte and type). */
	| {
			readonly kind: "import";
			readonly offset: number;
			readonly module: string;
			readonly name: string;
			readonly desc: Uint8Array;
			readonly descOffset: number;
	  }
	| {
			readonly kind: "export";
			readonly offset: number;
			readonly name: string;
			readonly desc: Uint8Array;
			readonly descOffset: number;
	  }
	| { readonly kind: "type"; readonly offset: number; readonly type: CoreTypeExpr }
	| {
			readonly kind: "alias";
			readonly offset: number;
			readonly sort: CoreSort;
			readonly count: number;
			readonly index: number;
	  };

/** CanonicalABI.md `canonopt`. */
export interface CanonOptions {
	readonly encoding: "utf8" | "utf16" | "latin1+utf16";
	readonly memory: number | null;
	readonly realloc: number | null;
	readonly postReturn: number | null;
	readonly async: boolean;
	readonly callback: number | null;
	/** The `core-type` option (lowering to GC types), gated. */
	readonly coreType: number | null;
	readonly gc: boolean;
}

/** Canonical definitions; `op` is the specification's name. */
export type Canon =
	| { readonly op: "lift"; readonly func: number; readonly options: CanonOptions; readonly type: number }
	| { readonly op: "lower"; readonly func: number; readonly options: CanonOptions }
	| { readonly op: "resource.new" | "resource.drop" | "resource.rep"; readonly type: number; readonly async?: boolean }
	| BuiltinCanon;

/** The remaining built-ins: async, threads, error contexts. Fields are present where the operation has such an immediate. */
export interface BuiltinCanon {
	readonly op:
		| "task.cancel"
		| "task.return"
		| "subtask.cancel"
		| "subtask.drop"
		| "context.get"
		| "context.set"
		| "thread.yield"
		| "stream.new"
		| "stream.read"
		| "stream.write"
		| "stream.cancel-read"
		| "stream.cancel-write"
		| "stream.drop-readable"
		| "stream.drop-writable"
		| "future.new"
		| "future.read"
		| "future.write"
		| "future.cancel-read"
		| "future.cancel-write"
		| "future.drop-readable"
		| "future.drop-writable"
		| "error-context.new"
		| "error-context.debug-message"
		| "error-context.drop"
		| "waitable-set.new"
		| "waitable-set.wait"
		| "waitable-set.poll"
		| "waitable-set.drop"
		| "waitable.join"
		| "backpressure.inc"
		| "backpressure.dec"
		| "thread.index"
		| "thread.new-indirect"
		| "thread.resume-later"
		| "thread.suspend"
		| "thread.suspend-then-resume"
		| "thread.yield-then-resume"
		| "thread.suspend-then-promote"
		| "thread.yield-then-promote"
		| "thread.spawn-ref"
		| "thread.spawn-indirect"
		| "thread.available-parallelism";
	readonly type?: number;
	/** Index of a core function type (threads). */
	readonly coreTypeIndex?: number;
	readonly table?: number;
	readonly memory?: number;
	readonly slot?: number;
	/** The type of a context slot. */
	readonly coreType?: "i32" | "i64";
	readonly async?: boolean;
	readonly cancellable?: boolean;
	readonly shared?: boolean;
	readonly result?: ValueTypeRef | null;
	readonly options?: CanonOptions;
}
