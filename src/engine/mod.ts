/** V8 and what is around it: compiling, the border between guests and the host, traps. The only part that touches `WebAssembly`. */
export { CompileCache } from "./compile.ts";
export { Gate } from "./gate.ts";
export { compileTrampolines } from "./trampolines.ts";
export { webAssembly, type WasmExtern, type WasmInstance, type WasmModule } from "./v8.ts";
