/** Limits of the core decoder. Where V8 has a limit of its own, ours is the same, so that nothing passes here to fail there. */

/** V8 `kV8MaxWasmTypes`; also the limit of the JavaScript API's implementation limits. */
export const MAX_TYPES = 1_000_000;
/** WebAssembly JavaScript API, implementation limits. */
export const MAX_FUNCTIONS = 1_000_000;
/** WebAssembly JavaScript API, implementation limits. */
export const MAX_IMPORTS = 1_000_000;
/** WebAssembly JavaScript API, implementation limits. */
export const MAX_EXPORTS = 1_000_000;
/** WebAssembly JavaScript API, implementation limits. */
export const MAX_GLOBALS = 1_000_000;
/** WebAssembly JavaScript API, implementation limits (tables). */
export const MAX_TABLES = 100_000;
/** V8 `kV8MaxWasmMemories`. */
export const MAX_MEMORIES = 100_000;
/** V8 `kV8MaxWasmTags`. */
export const MAX_TAGS = 1_000_000;
/** WebAssembly JavaScript API, implementation limits. */
export const MAX_FUNCTION_PARAMS = 1_000;
/** WebAssembly JavaScript API, implementation limits. */
export const MAX_FUNCTION_RESULTS = 1_000;
/** V8 `kV8MaxWasmStructFields`. */
export const MAX_STRUCT_FIELDS = 10_000;
/** V8 `kV8MaxWasmDataSegments`. */
export const MAX_DATA_SEGMENTS = 100_000;
/** wasmparser `MAX_WASM_ELEMENT_SEGMENTS`. V8 takes 10 million, of three bytes each: too many to hold as objects. */
export const MAX_ELEMENT_SEGMENTS = 100_000;
/** V8 `kV8MaxWasmTableInitEntries`, for one segment. */
export const MAX_ELEMENTS = 10_000_000;
/** V8 `kV8MaxWasmFunctionSize`; also the WebAssembly JavaScript API's. */
export const MAX_FUNCTION_SIZE = 7_654_321;
/** V8 `kV8MaxWasmFunctionLocals`; also the WebAssembly JavaScript API's. They count parameters too, which the walker does not see. */
export const MAX_LOCALS = 50_000;
/** V8 `kV8MaxWasmFunctionBrTableSize`. */
export const MAX_BR_TABLE = 65_520;
/** WebAssembly 3.0, validation of memory types: 2^16 pages of 64 KiB. */
export const MAX_MEMORY32_PAGES = 65_536n;
/** WebAssembly 3.0, validation of memory types: 2^48 pages. */
export const MAX_MEMORY64_PAGES = 0x1_0000_0000_0000n;
/** Ours: how deep concrete types may refer to one another before their canonical text is refused. */
export const MAX_TYPE_TEXT_DEPTH = 500;
/** Ours: characters of canonical type text for one module; a chain of types that mention each other twice doubles at every step. */
export const MAX_TYPE_TEXT = 1_000_000;
/** Ours: names in one map of the `name` section; V8 reads names of functions only, which are fewer. */
export const MAX_NAMES = 10_000_000;
