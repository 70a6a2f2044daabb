/** V8 and what is around it: compiling, the border between guests and the host, traps. The only part that touches `WebAssembly`. */
export { CompileCache } from "./compile.ts";
export type { AccountOptions, Metering } from "./account.ts";
export {
	type AttachedCore,
	type CoreImage,
	type CoreSnapshot,
	type CoreState,
	readCoreState,
	takeCoreImage,
} from "./core-image.ts";
export { interruptFlag } from "./flag.ts";
export { Gate, type GateUsage } from "./gate.ts";
export { createLinuxPageMapper } from "./linux-pages.ts";
export type { Growth } from "./holdings.ts";
export { CoreMemories, type OwnedParts } from "./owned.ts";
export type { PageMapper } from "./pages.ts";
export { limitStacks } from "./stack-size.ts";
export { compileTrampolines } from "./trampolines.ts";
export { toTrap } from "./traps.ts";
export { webAssembly, type WasmExtern, type WasmInstance, type WasmMemory, type WasmModule } from "./v8.ts";
