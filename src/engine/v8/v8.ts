/**
 * V8's `WebAssembly`, typed by hand: TypeScript's own declarations come with the DOM and lack JavaScript Promise Integration.
 * The only file of the project that names the global.
 */
import { SkerryError } from "../../fault/mod.ts";

declare const brand: unique symbol;

/** A compiled core module. */
export interface WasmModule {
	readonly [brand]: "module";
}

/** A core value of whatever kind, as V8 exports it. */
export type WasmExtern = unknown;

export interface WasmInstance {
	readonly exports: Readonly<Record<string, WasmExtern>>;
}

export interface WasmGlobal {
	value: number | bigint;
}

/** The buffer is another one after each growth. */
export interface WasmMemory {
	readonly buffer: ArrayBufferLike;
	/** By pages; the old size. Throws where there is no room. A 64-bit memory takes and gives bigints. */
	grow(delta: number | bigint): number | bigint;
}

/** A 64-bit table takes and gives bigints. */
export interface WasmTable {
	readonly length: number | bigint;
	get(index: number | bigint): unknown;
	set(index: number | bigint, value: unknown): void;
}

export type WasmImports = Record<string, Record<string, WasmExtern>>;

type AnyFunction = (...args: never[]) => unknown;

interface V8WebAssembly {
	readonly Module: {
		new (bytes: Uint8Array): WasmModule;
		imports(module: WasmModule): { module: string; name: string; kind: string }[];
		exports(module: WasmModule): { name: string; kind: string }[];
	};
	readonly Instance: new (module: WasmModule, imports: WasmImports) => WasmInstance;
	readonly Global: new (type: { value: string; mutable: boolean }, initial: number | bigint) => WasmGlobal;
	readonly Memory: new (type: {
		initial: number | bigint;
		maximum?: number | bigint;
		shared?: boolean;
		address?: "i32" | "i64";
	}) => WasmMemory;
	readonly Suspending: new (fn: (...args: never[]) => Promise<unknown>) => WasmExtern;
	readonly CompileError: typeof Error;
	readonly LinkError: typeof Error;
	readonly RuntimeError: typeof Error;
	readonly SuspendError: typeof Error;
	readonly Exception: new (...args: never[]) => object;
	compile(bytes: Uint8Array): Promise<WasmModule>;
	validate(bytes: Uint8Array): boolean;
	promising<F extends AnyFunction>(fn: F): (...args: Parameters<F>) => Promise<ReturnType<F>>;
}

/** Below it V8 and Node lack what Skerry needs, though Node 24 has JavaScript Promise Integration. */
const NODE = 26;

const { process: host, WebAssembly: found } = globalThis as {
	process?: { readonly version?: string; readonly versions?: { readonly node?: string } };
	WebAssembly?: Partial<V8WebAssembly>;
};
const lacks = typeof found?.Suspending !== "function" || typeof found.promising !== "function";
const isOld = Number.parseInt(host?.versions?.node ?? "", 10) < NODE;

/** V8's WebAssembly namespace. Throws `engine/unsupported-platform` on an engine without JavaScript Promise Integration, and on Node.js before 26. */
export function webAssembly(): V8WebAssembly {
	if (lacks || isOld) {
		const runtime = host?.version === undefined ? "this JavaScript engine" : `Node.js ${host.version}`;
		const state = isOld ? `it needs ${NODE} or newer` : "JavaScript Promise Integration is missing";
		throw new SkerryError("engine/unsupported-platform", `Cannot run WebAssembly on ${runtime}: ${state}`, {
			hint: `run on Node.js ${NODE}: \`npm i\` has put it at node_modules/.bin/node`,
		});
	}
	return found as V8WebAssembly;
}
