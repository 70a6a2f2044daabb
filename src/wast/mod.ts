/** Scripts of the WebAssembly test suites (`.wast`): read, and run through the engine. For `skerry wast` and for conformance tests. */
export { runComponentScript } from "./component-runner.ts";
export { type Mode, type ResetCounts, runCoreScript } from "./core-runner.ts";
export { prepareScript } from "./core-script.ts";
export type { Outcome } from "./outcome.ts";
export { runWast, type WastOptions, type WastResult } from "./run.ts";
export { type Action, type Command, parseScript, type Unit } from "./script.ts";
export { headOf, type SExpr, textOf } from "./sexpr.ts";
