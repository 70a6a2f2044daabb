/** Core types as text of the core format, so that equality of types is equality of strings. */
export interface CoreFunctionType {
	readonly params: readonly string[];
	readonly results: readonly string[];
}

export type CoreExternType =
	| { readonly kind: "func"; readonly type: CoreFunctionType }
	| {
			readonly kind: "table";
			readonly element: string;
			readonly minimum: bigint;
			readonly maximum?: bigint;
			readonly index: "i32" | "i64";
	  }
	| {
			readonly kind: "memory";
			readonly minimum: bigint;
			readonly maximum?: bigint;
			readonly shared: boolean;
			readonly index: "i32" | "i64";
			readonly pageSizeLog2?: number;
	  }
	| { readonly kind: "global"; readonly type: string; readonly mutable: boolean }
	| { readonly kind: "tag"; readonly type: CoreFunctionType };

export interface CoreModuleType {
	readonly imports: readonly { readonly module: string; readonly name: string; readonly type: CoreExternType }[];
	readonly exports: ReadonlyMap<string, CoreExternType>;
}

/** A section of a core module or of a component, for `inspect`. */
export interface SectionInfo {
	readonly id: number;
	readonly name: string;
	/** Absolute offset of the section's id byte. */
	readonly offset: number;
	/** Bytes of content, without id and length. */
	readonly size: number;
}

export interface CustomSection {
	readonly name: string;
	/** Absolute offset of the content that follows the name. */
	readonly offset: number;
	readonly bytes: Uint8Array;
}
