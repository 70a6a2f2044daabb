/** V8 and what is around it: compiling, the border between guests and the host, traps. The only part that touches `WebAssembly`. */
export type { AccountOptions, Metering } from "./stop/account.ts";
export { type ArtefactStore, digest, isLikeName, MemoryStore, seal, unseal } from "./modules/artefact.ts";
export { CompileCache, type CompileCacheOptions, type CompileCounts, type LoadedModule } from "./modules/compile.ts";
export {
	type AttachedCore,
	type CoreDelta,
	type CoreImage,
	type CoreSnapshot,
	type CoreState,
	countChanges,
	readCoreState,
	takeCoreImage,
} from "./state/core-image.ts";
export { interruptFlag, watchdogReady } from "./stop/flag.ts";
export type { ModuleOrigin } from "./v8/frames.ts";
export { createThreadEntry, isThreadStart } from "./border/thread-entry.ts";
export { Gate, type GateUsage } from "./border/gate.ts";
export { createLinuxPageMapper } from "./memory/linux-pages.ts";
export type { MemoryChoice } from "./memory/strategy.ts";
export type { Growth } from "./state/holdings.ts";
export { CoreMemories, type OwnedParts } from "./state/owned.ts";
export type { PageMapper } from "./memory/pages.ts";
export { openProcessorTime } from "./stop/processor-time.ts";
export { limitStacks } from "./v8/stack-size.ts";
export { threadNursery } from "./v8/nursery.ts";
export { decodePlain, encodePlain } from "./modules/plain-data.ts";
export { optimizeGuestsEarly, optimizeHostEarly } from "./v8/tiering.ts";
export type { Reading } from "./border/readings.ts";
export { type Relay, threadRelay } from "./border/relay.ts";
export { Soon } from "./border/soon.ts";
export { compileTrampolines } from "./border/trampolines.ts";
export { toTrap } from "./v8/traps.ts";
export {
	webAssembly,
	type WasmExtern,
	type WasmInstance,
	type WasmMemory,
	type WasmModule,
	type WasmTable,
} from "./v8/v8.ts";
export { WeakTable } from "./modules/weak-table.ts";
