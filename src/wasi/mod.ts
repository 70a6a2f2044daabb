/** WASI over `sys`: one file per interface. Every sandbox has a context of its own; nothing is granted that its options do not name. */
export { createWasiContext, type TerminalFlags, WasiContext, type WasiOptions } from "./context.ts";
export { GuestExit } from "./exit.ts";
export { DEFAULT_WASI_LIMITS, type WasiLimits } from "./limits.ts";
export { WASI_P2 } from "./p2/interfaces.ts";
