import type { EngineExports, EngineImports, RewrittenModule } from "../rewrite/mod.ts";
import { interruptFlag } from "./flag.ts";
import { fillHostTable } from "./host-functions.ts";
import {
	webAssembly,
	type WasmExtern,
	type WasmGlobal,
	type WasmImports,
	type WasmInstance,
	type WasmMemory,
	type WasmModule,
	type WasmTable,
} from "./v8.ts";

type Limits = EngineImports["memories"][number]["type"]["limits"];

/** What the engine has to give to an instance of a rewritten module. */
export type OwnedParts = Pick<RewrittenModule, "imports" | "exports" | "initial">;

const PAGE = 65_536;

/** A place where a module keeps the size of a memory. */
interface PagesGlobal {
	readonly global: WasmGlobal;
}

/** The memories of the core instances of one sandbox, and who is to know how large they are. */
export class CoreMemories {
	readonly #pages = new WeakMap<WasmMemory, PagesGlobal[]>();

	/**
	 * Adds to `imports` what the module imports of the engine.
	 * @returns what is to be done with the instance: before it, no code of the guest may run. Its start function runs as the last of it
	 */
	prepare(module: WasmModule, parts: OwnedParts, imports: WasmImports): (instance: WasmInstance) => void {
		const { imports: owned } = parts;
		if (owned !== undefined) imports[owned.module] = createOwnedImports(owned);
		return (instance) => this.#complete(module, parts, imports, instance);
	}

	#complete(module: WasmModule, { exports, initial }: OwnedParts, imports: WasmImports, instance: WasmInstance): void {
		const memories = isEmpty(exports) && initial.data.length === 0 ? [] : memoriesOf(module, imports);
		for (const { memory, name } of exports.pages) {
			this.#watch(memories[memory] as WasmMemory, instance.exports[name] as WasmGlobal);
		}
		if (exports.host !== undefined) {
			fillHostTable(instance.exports[exports.host] as WasmTable, {
				grow: (memory, delta) => this.#grow(memories[memory] as WasmMemory, delta),
				growTable: () => 1,
			});
		}
		for (const { memory, offset, bytes } of initial.data) {
			new Uint8Array((memories[memory] as WasmMemory).buffer).set(bytes, offset);
		}
		for (const { name, value } of initial.globals) (instance.exports[name] as WasmGlobal).value = value;
		if (exports.start !== undefined) (instance.exports[exports.start] as () => void)();
	}

	#watch(memory: WasmMemory, global: WasmGlobal): void {
		let places = this.#pages.get(memory);
		if (places === undefined) this.#pages.set(memory, (places = []));
		places.push({ global });
		writePages(memory, global);
	}

	#grow(memory: WasmMemory, delta: bigint): bigint {
		const isWide = typeof this.#pages.get(memory)?.[0]?.global.value === "bigint";
		let old: number | bigint;
		try {
			const by = BigInt.asUintN(64, delta);
			old = memory.grow(isWide ? by : Number(by));
		} catch {
			return -1n;
		}
		for (const { global } of this.#pages.get(memory) ?? []) writePages(memory, global);
		return BigInt(old);
	}
}

function writePages(memory: WasmMemory, global: WasmGlobal): void {
	const pages = memory.buffer.byteLength / PAGE;
	global.value = typeof global.value === "bigint" ? BigInt(pages) : pages;
}

function isEmpty({ host, pages }: EngineExports): boolean {
	return host === undefined && pages.length === 0;
}

/** The memories of an instance by their index: all of them are imported. */
function memoriesOf(module: WasmModule, imports: WasmImports): WasmMemory[] {
	return webAssembly()
		.Module.imports(module)
		.filter(({ kind }) => kind === "memory")
		.map((item) => imports[item.module]?.[item.name] as WasmMemory);
}

function createOwnedImports({ memories, flag }: EngineImports): Record<string, WasmExtern> {
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
