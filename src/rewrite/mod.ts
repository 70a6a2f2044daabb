/** Passes over core modules: the engine owns their state, and can stop them; and the proof that they are otherwise as they were. */
export type { EngineImports } from "./metering/trap.ts";
export { FLAG_CELL, HIT_CELL } from "./metering/check.ts";
export { type RewriteOptions, type RewrittenModule, rewriteModule } from "./rewrite.ts";
export { findOrigin, type Sites } from "./sites.ts";
export type { ModuleState } from "./state.ts";
