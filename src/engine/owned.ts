import type { EngineImports } from "../rewrite/mod.ts";
import { interruptFlag } from "./flag.ts";
import { webAssembly, type WasmExtern, type WasmMemory } from "./v8.ts";

type Limits = EngineImports["memories"][number]["type"]["limits"];

/** What a rewritten module imports of the engine: the flag of this thread, and memories for this instance alone. */
export function createOwnedImports({ memories, flag }: EngineImports): Record<string, WasmExtern> {
	const imports: Record<string, WasmExtern> = flag === undefined ? {} : { [flag]: interruptFlag().memory };
	for (const { name, type } of memories) imports[name] = createMemory(type.limits);
	return imports;
}

/** @throws RangeError when there is no room for it */
function createMemory({ minimum, maximum, shared, index }: Limits): WasmMemory {
	const bound = (pages: bigint): number | bigint => (index === "i64" ? pages : Number(pages));
	return new (webAssembly().Memory)({
		initial: bound(minimum),
		...(maximum === undefined ? {} : { maximum: bound(maximum) }),
		shared,
		address: index,
	});
}
