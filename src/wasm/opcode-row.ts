/** The index spaces of a module that instructions point into. */
export type IndexSpace = "func" | "type" | "table" | "memory" | "global" | "tag" | "data" | "elem";

/**
 * One immediate of an instruction.
 * - an index space, `local`, `label` (a depth), `field`, `length`: a `u32`
 * - `block`: a block type · `heap`: a heap type · `types`: a vector of value types
 * - `memarg`: flags with the alignment, a memory where bit 6 of them is set, and an offset of 64 bits
 * - `labels`: a vector of labels and the default one · `catches`: a vector of catch clauses
 * - `cast`: which of the two types of a `br_on_cast` are nullable
 * - `s32`, `s64`, `f32`, `f64`, `v128`: constants · `lane`: a byte · `lanes`: 16 of them · `zero`: a reserved byte
 */
export type Atom =
	| IndexSpace
	| "local"
	| "label"
	| "field"
	| "length"
	| "block"
	| "heap"
	| "types"
	| "memarg"
	| "labels"
	| "catches"
	| "cast"
	| "s32"
	| "s64"
	| "f32"
	| "f64"
	| "v128"
	| "lane"
	| "lanes"
	| "zero";

/** What follows an opcode, in the order of the binary format. */
export type Immediates =
	| ""
	| Atom
	| "type table"
	| "type field"
	| "type length"
	| "type data"
	| "type elem"
	| "type type"
	| "data memory"
	| "memory memory"
	| "elem table"
	| "table table"
	| "memarg lane"
	| "block catches"
	| "cast label heap heap";

/**
 * `[code, name, immediates, signature, "const"]`.
 * - `code`: the byte, or `0xPP_SSS`: a prefix byte and the number that follows it.
 * - `name`: of the text format; where two opcodes share one, with what tells them apart behind a space.
 * - `signature`: types popped and pushed, where no immediate and no type of the module decides on them. `addr` is the
 *   address type of the memory or table that the immediates name: `i32` or `i64`.
 * - `"const"`: allowed in constant expressions.
 */
export type OpcodeRow = readonly [
	code: number,
	name: string,
	immediates: Immediates,
	signature?: string | null,
	constant?: "const",
];
