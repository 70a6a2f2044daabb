/** Passes over core modules: the engine owns their state, and can stop them; and the proof that they are otherwise as they were. */
export { HOST_FUNCTIONS, type HostFunctionName } from "./host-table.ts";
export { FLAG_CELL, FUEL_CELL, HIT_CELL } from "./metering/check.ts";
export type { EngineImports, Metering } from "./metering/meter.ts";
export { type RewriteOptions, type RewrittenModule, meterBinary, rewriteModule } from "./rewrite.ts";
export type { ModuleState } from "./state.ts";
