/** V8 and what is around it: compiling, the border between guests and the host, traps. The only part that touches `WebAssembly`. */
export { type ArtefactStore, MemoryStore, seal, unseal } from "./artefact.ts";
export { CompileCache, type CompileCacheOptions, type CompileCounts } from "./compile.ts";
export {
	type AttachedCore,
	type CoreImage,
	type CoreSnapshot,
	type CoreState,
	readCoreState,
	takeCoreImage,
} from "./core-image.ts";
export { FLAG_LAYOUT, interruptFlag } from "./flag.ts";
export type { ModuleOrigin } from "./frames.ts";
export { Gate } from "./gate.ts";
export { createLinuxPageMapper } from "./linux-pages.ts";
export { createOwnedImports } from "./owned.ts";
export type { PageMapper } from "./pages.ts";
export { decodePlain, encodePlain } from "./plain-data.ts";
export { compileTrampolines } from "./trampolines.ts";
export { toTrap } from "./traps.ts";
export { webAssembly, type WasmExtern, type WasmInstance, type WasmModule } from "./v8.ts";
