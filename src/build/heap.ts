/**
 * The heap of an initialised guest is full of small holes, left by what was collected when its top level had run. A request's allocations
 * (by best fit) would be strewn over all of them: a page or two for each, to be put back after every request. So what is left of the
 * holes is allocated here, for ever, and the next allocations stand side by side in the large ones.
 */
import { webAssembly, type WasmExtern, type WasmMemory, type WasmModule } from "../engine/mod.ts";
import { decodeModule, encodeModule, type Module, OP } from "../wasm/mod.ts";

/** `cabi_realloc(old, oldSize, alignment, size)`, canonical ABI. */
type Realloc = (old: number, oldSize: number, alignment: number, size: number) => number;

interface Guest {
	readonly realloc: Realloc;
	readonly memory: WasmMemory;
}

/** Bytes. Holes of so many stay, for small objects one after the other, and for large ones without the memory's growing. */
const LARGE_HOLE = 128 * 1024;
/** Once blocks of this size are only to be had by growing, a block of it has the end of the heap behind it. */
const FENCE = 256 * 1024;
const SMALLEST = 8;
/** An allocator that gives more than these is none that this is made for. */
const MAX_BLOCKS = 50_000;

/**
 * @param binary a core module that was initialised, with an allocator that has no state outside its memory
 * @returns the same module with more data; `undefined` where that cannot be had
 */
export function fillHeap(binary: Uint8Array): Uint8Array | undefined {
	const { Module } = webAssembly();
	const compiled = new Module(binary);
	let data: Module["data"] | undefined;
	try {
		data = fill(compiled);
	} catch {
		// It trapped, or needed its host: it is none that this is made for.
	}
	if (data === undefined) return undefined;
	const module = decodeModule(binary);
	return encodeModule({ ...module, data: [...module.data, ...data] });
}

/** What the memory is to hold elsewhere. */
function fill(compiled: WasmModule): Module["data"] | undefined {
	const sizes = findHoles(compiled);
	const guest = instantiate(compiled);
	if (sizes === undefined || guest === undefined) return undefined;
	const before = new Uint8Array(guest.memory.buffer).slice();
	const large: [at: number, size: number][] = [];
	for (const size of sizes) {
		const at = guest.realloc(0, 0, SMALLEST, size);
		if (size >= LARGE_HOLE) large.push([at, size]);
	}
	for (const [at, size] of large) guest.realloc(at, size, SMALLEST, 0);
	const after = new Uint8Array(guest.memory.buffer);
	// Otherwise what was tried out and what was done differ: nothing is known of the heap's end.
	return after.length === before.length ? differences(before, after) : undefined;
}

/** Sizes of blocks that fill all holes when they are allocated in this order, without the heap's growing. */
function findHoles(compiled: WasmModule): number[] | undefined {
	const guest = instantiate(compiled);
	if (guest === undefined) return undefined;
	const { memory, realloc } = guest;
	const take = (size: number): number => realloc(0, 0, SMALLEST, size);
	const sizes: number[] = [];
	const { byteLength } = memory.buffer;
	let fence = take(FENCE);
	for (; memory.buffer.byteLength === byteLength; fence = take(FENCE))
		if (sizes.push(FENCE) > MAX_BLOCKS) return undefined;
	// Sizes of free blocks are multiples of 8; large ones need not be exact.
	for (let size = FENCE / 2; size >= SMALLEST; size = size > 512 ? size / 2 : size - 8) {
		for (;;) {
			const at = take(size);
			if (at > fence) {
				realloc(at, size, SMALLEST, 0);
				break;
			}
			if (sizes.push(size) > MAX_BLOCKS) return undefined;
		}
	}
	return sizes;
}

function instantiate(compiled: WasmModule): Guest | undefined {
	const { Instance, Module } = webAssembly();
	const imports: Record<string, Record<string, WasmExtern>> = {};
	for (const { kind, module, name } of Module.imports(compiled)) {
		if (kind !== "function") return undefined;
		(imports[module] ??= {})[name] = () => {
			throw new Error(`${name} is called by the allocator`);
		};
	}
	const { exports } = new Instance(compiled, imports);
	const { cabi_realloc: realloc, memory } = exports as { cabi_realloc?: Realloc; memory?: WasmMemory };
	return realloc === undefined || memory === undefined ? undefined : { realloc, memory };
}

/** A segment has 5 bytes and more of its own, and each is written by itself. */
const GAP = 16;

function differences(before: Uint8Array, after: Uint8Array): Module["data"][number][] {
	const found: Module["data"][number][] = [];
	for (let at = 0; at < after.length; at++) {
		if (before[at] === after[at]) continue;
		let end = at + 1;
		for (let i = end; i < Math.min(end + GAP, after.length); i++) if (before[i] !== after[i]) end = i + 1;
		const offset = [{ op: OP["i32.const"], immediates: [at] }];
		found.push({ target: { memory: 0, offset }, bytes: after.slice(at, end) });
		at = end;
	}
	return found;
}
