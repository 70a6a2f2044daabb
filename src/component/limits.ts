/**
 * Limits of the decoder and validator of components. "wasmparser" is the reference implementation's `limits.rs`: what it
 * refuses no toolchain emits, and what it accepts we accept.
 */

/** Ours: components within components. The deepest real ones have three levels. */
export const MAX_COMPONENT_DEPTH = 64;
/** Ours: component and instance types within one another; also bounds how deep a value type nests (wasmparser 100). */
export const MAX_TYPE_DEPTH = 100;
/** wasmparser `MAX_WASM_COMPONENT_TYPE_DECLS`, for component, instance and module types alike. */
export const MAX_DECLARATIONS = 1_000_000;
/** wasmparser `MAX_WASM_TYPES`, for one index space. */
export const MAX_TYPES = 1_000_000;
/** wasmparser `MAX_WASM_FUNCTIONS` and `MAX_WASM_IMPORTS`/`EXPORTS`: items of one section. */
export const MAX_ITEMS = 1_000_000;
/** wasmparser `MAX_WASM_MODULES`, `MAX_WASM_COMPONENTS`, for one index space. */
export const MAX_MODULES = 1_000;
/** wasmparser `MAX_WASM_INSTANCES`, raised as wasmtime does, for one index space. */
export const MAX_INSTANCES = 10_000;
/** wasmparser `MAX_WASM_INSTANTIATION_ARGS`. */
export const MAX_INSTANTIATION_ARGS = 100_000;
/** wasmparser `MAX_WASM_INSTANTIATION_EXPORTS`. */
export const MAX_INSTANTIATION_EXPORTS = 100_000;
/** wasmparser `MAX_WASM_CANONICAL_OPTIONS`. */
export const MAX_CANONICAL_OPTIONS = 10;
/** wasmparser `MAX_WASM_FUNCTION_PARAMS`. */
export const MAX_FUNCTION_PARAMS = 1_000;
/** wasmparser `MAX_WASM_RECORD_FIELDS`. */
export const MAX_RECORD_FIELDS = 10_000;
/** wasmparser `MAX_WASM_VARIANT_CASES`. */
export const MAX_VARIANT_CASES = 10_000;
/** wasmparser `MAX_WASM_TUPLE_TYPES`. */
export const MAX_TUPLE_TYPES = 10_000;
/** wasmparser `MAX_WASM_FLAG_NAMES`; validation allows 32 (Binary.md). */
export const MAX_FLAG_NAMES = 1_000;
/** wasmparser `MAX_WASM_ENUM_CASES`. */
export const MAX_ENUM_CASES = 10_000;
/** wasmparser `MAX_WASM_START_ARGS`. */
export const MAX_START_ARGS = 1_000;
/** Binary.md `nameattributes`: three kinds, each at most once. The decoder reports the fourth as a duplicate. */
export const MAX_NAME_ATTRIBUTES = 16;
/** wasmparser `MAX_WASM_STRING_SIZE`: bytes of a name. */
export const MAX_NAME_SIZE = 100_000;
/** wasmparser `MAX_WASM_TYPE_SIZE`: nodes of a type when every index in it is written out. */
export const MAX_TYPE_SIZE = 1_000_000;
/**
 * Ours: type nodes visited while one component is validated (substitution, matching, visibility), some two microseconds each.
 * A JavaScript engine with all of WASI takes two thousand.
 */
export const MAX_VALIDATION_WORK = 1_000_000;
/** CanonicalABI.md, Element Size: `elem_size(t, i64) < 2^28`. */
export const MAX_VALUE_SIZE = 0x1000_0000;
/** Binary.md, `flags`. */
export const MAX_FLAGS = 32;
