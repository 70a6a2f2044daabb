/** V8 and what is around it: compiling, the border between guests and the host, traps. The only part that touches `WebAssembly`. */
export type { AccountOptions, Metering } from "./account.ts";
export { type ArtefactStore, digest, isLikeName, MemoryStore, seal, unseal } from "./artefact.ts";
export { CompileCache, type CompileCacheOptions, type CompileCounts, type LoadedModule } from "./compile.ts";
export {
	type AttachedCore,
	type CoreDelta,
	type CoreImage,
	type CoreSnapshot,
	type CoreState,
	countChanges,
	readCoreState,
	takeCoreImage,
} from "./core-image.ts";
export { interruptFlag, watchdogReady } from "./flag.ts";
export type { ModuleOrigin } from "./frames.ts";
export { createThreadEntry, isThreadStart } from "./thread-entry.ts";
export { Gate, type GateUsage } from "./gate.ts";
export { createLinuxPageMapper } from "./linux-pages.ts";
export type { MemoryChoice } from "./memory-strategy.ts";
export type { Growth } from "./holdings.ts";
export { CoreMemories, type OwnedParts } from "./owned.ts";
export type { PageMapper } from "./pages.ts";
export { openProcessorTime } from "./processor-time.ts";
export { limitStacks } from "./stack-size.ts";
export { threadNursery } from "./nursery.ts";
export { decodePlain, encodePlain } from "./plain-data.ts";
export { optimizeGuestsEarly, optimizeHostEarly } from "./tiering.ts";
export type { Reading } from "./readings.ts";
export { type Relay, threadRelay } from "./relay.ts";
export { Soon } from "./soon.ts";
export { compileTrampolines } from "./trampolines.ts";
export { toTrap } from "./traps.ts";
export {
	webAssembly,
	type WasmExtern,
	type WasmInstance,
	type WasmMemory,
	type WasmModule,
	type WasmTable,
} from "./v8.ts";
export { WeakTable } from "./weak-table.ts";
