/** The asynchronous guest of the `calls` benchmark, and what a person would write by hand for its core module. */
import type { Calls } from "./calls-guest.ts";

/** What the guest offers for each read of a stream, and what the host has of it at a time. */
const CHUNK_BYTES: number = 1 << 16;

/** `echo` returns at once what it was given; `drain` reads a stream to its end and returns how many bytes there were. */
const CORE = `(core module $m
	(import "host" "return" (func $return (param i32)))
	(import "host" "read" (func $read (param i32 i32 i32) (result i32)))
	(import "host" "drop" (func $drop (param i32)))
	(memory (export "memory") 4)
	(func (export "echo") (param i32) (result i32) (call $return (local.get 0)) (i32.const 0))
	(func (export "drain") (param $s i32) (result i32) (local $n i32) (local $sum i32)
		(loop $again
			(local.set $n (call $read (local.get $s) (i32.const 0) (i32.const ${CHUNK_BYTES})))
			(local.set $sum (i32.add (local.get $sum) (i32.shr_u (local.get $n) (i32.const 4))))
			(br_if $again (i32.eqz (i32.and (local.get $n) (i32.const 15)))))
		(call $drop (local.get $s))
		(call $return (local.get $sum))
		(i32.const 0))
	(func (export "callback") (param i32 i32 i32) (result i32) unreachable))`;

export const TASKS_WAT: string = `(component
	(type $bytes (stream u8))
	(core module $libc (memory (export "memory") 4))
	(core instance $libc (instantiate $libc))
	(core func $return (canon task.return (result u32)))
	(core func $read (canon stream.read $bytes (memory (core memory $libc "memory"))))
	(core func $drop (canon stream.drop-readable $bytes))
	${CORE.replace('(memory (export "memory") 4)', '(import "libc" "memory" (memory 4))')}
	(core instance $i (instantiate $m
		(with "libc" (instance $libc))
		(with "host" (instance
			(export "return" (func $return)) (export "read" (func $read)) (export "drop" (func $drop))))))
	(func (export "echo") async (param "a" u32) (result u32)
		(canon lift (core func $i "echo") async (callback (core func $i "callback"))))
	(func (export "drain") async (param "a" $bytes) (result u32)
		(canon lift (core func $i "drain") async (callback (core func $i "callback")))))`;

/** The core module of `TASKS_WAT` by itself. */
export const TASKS_CORE_WAT: string = CORE.replace("(core module $m", "(module");

interface CoreExports {
	readonly memory: { readonly buffer: ArrayBuffer };
	readonly echo: (a: number) => number;
	readonly drain: (stream: number) => number;
}

interface Wasm {
	readonly Suspending: new (fn: (...args: number[]) => Promise<number>) => unknown;
	promising(fn: (...args: number[]) => number): (...args: number[]) => Promise<number>;
	instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: unknown } }>;
}

/** By hand, for one call at a time, with a source whose chunks are as large as the guest's. */
export async function handWrittenTasks(core: Uint8Array): Promise<Calls> {
	const { WebAssembly } = globalThis as unknown as { WebAssembly: Wasm };
	let returned = 0;
	let source: AsyncIterator<Uint8Array> | undefined;
	const read = async (_: number, pointer: number, length: number): Promise<number> => {
		const next = await source!.next();
		if (next.done === true) return 1;
		if (next.value.length > length) throw new Error("the chunk is too large");
		new Uint8Array(exports.memory.buffer).set(next.value, pointer);
		return next.value.length << 4;
	};
	const host = {
		return: (value: number) => void (returned = value),
		read: new WebAssembly.Suspending(read),
		drop: () => {},
	};
	const exports = (await WebAssembly.instantiate(core, { host })).instance.exports as CoreExports;
	const drain = WebAssembly.promising(exports.drain);
	return {
		echo: async (a: number) => {
			exports.echo(a);
			return returned >>> 0;
		},
		drain: async (stream: AsyncIterable<Uint8Array>) => {
			source = stream[Symbol.asyncIterator]();
			await drain(1);
			return returned >>> 0;
		},
	};
}

/** An endless supply of the same bytes, cut off. */
export function bytes(amount: number): AsyncIterable<Uint8Array> {
	const chunk = new Uint8Array(CHUNK_BYTES).fill(97);
	return {
		async *[Symbol.asyncIterator]() {
			for (let left = amount; left > 0; left -= CHUNK_BYTES) yield chunk;
		},
	};
}
