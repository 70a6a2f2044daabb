/** Passes over core modules: the engine owns their state, and can stop them; and the proof that they are otherwise as they were. */
export { isWithoutData, splitData, takeData } from "./derive.ts";
export { HOST_FUNCTION_TYPES, HOST_FUNCTIONS, type HostFunctionName } from "./host-table.ts";
export { type CheckKind, FLAG_CELL, FUEL_CELL, HIT_CELL, SAFEPOINT } from "./metering/check.ts";
export type { Metering } from "./metering/meter.ts";
export { meterBinary, type RewriteOptions, rewriteModule } from "./rewrite.ts";
export type { EngineExports, EngineImports, InitialState, ModuleState, RewrittenModule } from "./rewritten.ts";
export { findOrigin, isAdded, type Sites } from "./sites.ts";
