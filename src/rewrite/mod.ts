/** Passes over core modules. */
export { exportState, type ModuleState } from "./state.ts";
