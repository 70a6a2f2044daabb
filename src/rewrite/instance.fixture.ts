import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import type { RewrittenModule } from "./rewritten.ts";

const { WebAssembly } = globalThis as any;

const PAGE = 65_536;

/** An engine of the smallest kind: what a rewritten module needs to live, for tests of what was rewritten. */
export interface Revived {
	readonly exports: Record<string, any>;
	/** All memories of the instance but the flag's, by index. */
	readonly memories: readonly any[];
	/** Of the memories that the module keeps the size of, by index: that size, in pages. */
	readonly pages: ReadonlyMap<number, { value: number | bigint }>;
	/** The first bytes of the flag's memory. */
	readonly flag: Uint8Array;
	/** What the guest asked of the host: `grow 0 by 1`. */
	readonly asked: readonly string[];
}

export interface World {
	readonly imports?: Record<string, Record<string, unknown>>;
	/** Pages that V8's memories have beyond what the guest may use: where only rewritten code stops it. */
	readonly beyond?: number;
	/** Whether tables may grow; yes where it is left out. */
	readonly growsTables?: boolean;
	/** Bytes of V8's heap that may be asked for at once; as many as one likes where it is left out. */
	readonly heap?: number;
	/** Whether the flag's memory has the page from which checks of that kind read: where it has not, these trap. */
	readonly page?: boolean;
	/** Called with the flag before the start function runs. */
	readonly beforeStart?: (flag: Uint8Array) => void;
}

let wrappers: any;

/** Functions of JavaScript as a table takes them. */
async function wrap(functions: Record<string, unknown>): Promise<Record<string, unknown>> {
	wrappers ??= new WebAssembly.Module(
		await parse(`(module
			(import "" "poll" (func (result i32))) (import "" "pause" (func (result i32)))
			(import "" "grow" (func (param i32 i64) (result i64))) (import "" "growTable" (func (param i32 i64) (result i32)))
			(import "" "allocate" (func (param i64) (result i64)))
			(export "poll" (func 0)) (export "pause" (func 1)) (export "grow" (func 2)) (export "growTable" (func 3))
			(export "allocate" (func 4)))`),
	);
	return new WebAssembly.Instance(wrappers, { "": functions }).exports;
}

export async function revive(rewritten: RewrittenModule, world: World = {}): Promise<Revived> {
	const { beyond = 0, growsTables = true, heap = Infinity, page = true } = world;
	const flag = new WebAssembly.Memory({ initial: page ? 2 : 1, maximum: 2, shared: true });
	const imports: Record<string, Record<string, unknown>> = { ...world.imports };
	const owned = rewritten.imports;
	if (owned !== undefined) {
		const memories = owned.memories.map(({ name, type: { limits } }) => {
			const bound = (pages: bigint): number | bigint => (limits.index === "i64" ? pages : Number(pages));
			const memory = new WebAssembly.Memory({
				address: limits.index,
				initial: bound(limits.minimum + BigInt(beyond)),
				...(limits.maximum === undefined ? {} : { maximum: bound(limits.maximum) }),
				shared: limits.shared,
			});
			return [name, memory] as const;
		});
		imports[owned.module] = Object.fromEntries(memories);
		if (owned.flag !== undefined) imports[owned.module]![owned.flag] = flag;
	}
	const module = new WebAssembly.Module(rewritten.bytes);
	const { exports } = new WebAssembly.Instance(module, imports);
	const wanted: { module: string; name: string; kind: string }[] = WebAssembly.Module.imports(module);
	const memories = wanted
		.filter(({ kind, module: from, name }) => kind === "memory" && !(from === owned?.module && name === owned.flag))
		.map((item) => imports[item.module]?.[item.name] as any);
	const own = new Set(owned?.memories.map(({ name }) => imports[owned.module]?.[name]));
	const capacity = (memory: number): number => memories[memory].buffer.byteLength / PAGE;
	const pages = new Map<number, { value: number | bigint }>();
	for (const { memory, name } of rewritten.exports.pages) {
		const global = exports[name];
		const size = capacity(memory) - (own.has(memories[memory]) ? beyond : 0);
		global.value = typeof global.value === "bigint" ? BigInt(size) : size;
		pages.set(memory, global);
	}
	const asked: string[] = [];
	if (rewritten.exports.host !== undefined) {
		const functions = await wrap({
			poll: () => 1,
			pause: () => 1,
			grow: (memory: number, delta: bigint) => {
				asked.push(`grow ${memory} by ${delta}`);
				const global = pages.get(memory)!;
				const size = BigInt(global.value) + BigInt.asUintN(64, delta);
				if (size > BigInt(capacity(memory))) return -1n;
				const old = BigInt(global.value);
				global.value = typeof global.value === "bigint" ? size : Number(size);
				return old;
			},
			growTable: (table: number, delta: bigint) => {
				asked.push(`growTable ${table} by ${delta}`);
				return growsTables ? 1 : 0;
			},
			allocate: (bytes: bigint) => {
				asked.push(`allocate ${bytes}`);
				return Number(bytes) > heap ? 0n : bytes;
			},
		});
		["poll", "pause", "grow", "growTable", "allocate"].forEach((name, i) =>
			exports[rewritten.exports.host as string].set(i, functions[name]),
		);
	}
	for (const { memory, offset, bytes } of rewritten.initial.data) {
		new Uint8Array(memories[memory].buffer).set(bytes, offset);
	}
	for (const { name, value } of rewritten.initial.globals) exports[name].value = value;
	const cells = new Uint8Array(flag.buffer, 0, 4);
	world.beforeStart?.(cells);
	if (rewritten.exports.start !== undefined) exports[rewritten.exports.start]();
	return { exports, memories, pages, flag: cells, asked };
}
