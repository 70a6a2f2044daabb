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

/** Gives a stream, then writes so many bytes into it, a chunk at a time. */
const PRODUCER = `(core module $m
	(import "host" "new" (func $new (result i64)))
	(import "host" "return" (func $return (param i32)))
	(import "host" "write" (func $write (param i32 i32 i32) (result i32)))
	(import "host" "drop" (func $drop (param i32)))
	(memory (export "memory") 4)
	(func (export "produce") (param $left i32) (result i32) (local $ends i64) (local $end i32)
		(local.set $ends (call $new))
		(local.set $end (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
		(call $return (i32.wrap_i64 (local.get $ends)))
		(loop $again
			(drop (call $write (local.get $end) (i32.const 0) (i32.const ${CHUNK_BYTES})))
			(local.set $left (i32.sub (local.get $left) (i32.const ${CHUNK_BYTES})))
			(br_if $again (i32.gt_s (local.get $left) (i32.const 0))))
		(call $drop (local.get $end))
		(i32.const 0))
	(func (export "callback") (param i32 i32 i32) (result i32) unreachable))`;

/** Reads such a stream to its end, and returns how many bytes there were. */
const CONSUMER = `(core module $m
	(import "host" "produce" (func $produce (param i32) (result i32)))
	(import "host" "return" (func $return (param i32)))
	(import "host" "read" (func $read (param i32 i32 i32) (result i32)))
	(import "host" "drop" (func $drop (param i32)))
	(memory (export "memory") 4)
	(func (export "relay") (param i32) (result i32) (local $s i32) (local $n i32) (local $sum i32)
		(local.set $s (call $produce (local.get 0)))
		(loop $again
			(local.set $n (call $read (local.get $s) (i32.const 0) (i32.const ${CHUNK_BYTES})))
			(local.set $sum (i32.add (local.get $sum) (i32.shr_u (local.get $n) (i32.const 4))))
			(br_if $again (i32.eqz (i32.and (local.get $n) (i32.const 15)))))
		(call $drop (local.get $s))
		(call $return (local.get $sum))
		(i32.const 0))
	(func (export "callback") (param i32 i32 i32) (result i32) unreachable))`;

const MEMORY = '(memory (export "memory") 4)';
const shared = (core: string): string => core.replace(MEMORY, '(import "libc" "memory" (memory 4))');

const LIBC = `(core module $libc ${MEMORY})
	(core instance $libc (instantiate $libc))
	(type $bytes (stream u8))`;
const IN_MEMORY = '(memory (core memory $libc "memory"))';

/** Two guests, the second of which reads what the first writes. */
const PAIR_WAT = `
	(component $producer ${LIBC}
		(core func $new (canon stream.new $bytes))
		(core func $return (canon task.return (result $bytes)))
		(core func $write (canon stream.write $bytes ${IN_MEMORY}))
		(core func $drop (canon stream.drop-writable $bytes))
		${shared(PRODUCER)}
		(core instance $i (instantiate $m
			(with "libc" (instance $libc))
			(with "host" (instance (export "new" (func $new)) (export "return" (func $return))
				(export "write" (func $write)) (export "drop" (func $drop))))))
		(func (export "produce") async (param "n" u32) (result $bytes)
			(canon lift (core func $i "produce") async (callback (core func $i "callback")))))
	(component $consumer ${LIBC}
		(import "produce" (func $produce async (param "n" u32) (result $bytes)))
		(core func $produce' (canon lower (func $produce)))
		(core func $return (canon task.return (result u32)))
		(core func $read (canon stream.read $bytes ${IN_MEMORY}))
		(core func $drop (canon stream.drop-readable $bytes))
		${shared(CONSUMER)}
		(core instance $i (instantiate $m
			(with "libc" (instance $libc))
			(with "host" (instance (export "produce" (func $produce')) (export "return" (func $return))
				(export "read" (func $read)) (export "drop" (func $drop))))))
		(func (export "relay") async (param "n" u32) (result u32)
			(canon lift (core func $i "relay") async (callback (core func $i "callback")))))
	(instance $producer (instantiate $producer))
	(instance $consumer (instantiate $consumer (with "produce" (func $producer "produce"))))
	(export "relay" (func $consumer "relay"))`;

export const TASKS_WAT: string = `(component
	${PAIR_WAT}
	${LIBC}
	(core func $return (canon task.return (result u32)))
	(core func $read (canon stream.read $bytes ${IN_MEMORY}))
	(core func $drop (canon stream.drop-readable $bytes))
	${shared(CORE)}
	(core instance $i (instantiate $m
		(with "libc" (instance $libc))
		(with "host" (instance
			(export "return" (func $return)) (export "read" (func $read)) (export "drop" (func $drop))))))
	(func (export "echo") async (param "a" u32) (result u32)
		(canon lift (core func $i "echo") async (callback (core func $i "callback"))))
	(func (export "drain") async (param "a" $bytes) (result u32)
		(canon lift (core func $i "drain") async (callback (core func $i "callback")))))`;

/** The core modules of `TASKS_WAT` by themselves. */
export const TASKS_CORE_WATS: Readonly<Record<"tasks" | "producer" | "consumer", string>> = {
	tasks: asModule(CORE),
	producer: asModule(PRODUCER),
	consumer: asModule(CONSUMER),
};

function asModule(core: string): string {
	return core.replace("(core module $m", "(module");
}

interface Memory {
	readonly memory: { readonly buffer: ArrayBuffer };
}

interface CoreExports extends Memory {
	readonly echo: (a: number) => number;
	readonly drain: (stream: number) => number;
}

type Fn = (...args: number[]) => number;

interface Wasm {
	readonly Suspending: new (fn: (...args: number[]) => number | Promise<number>) => unknown;
	promising(fn: Fn): (...args: number[]) => Promise<number>;
	instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: unknown } }>;
}

const { WebAssembly } = globalThis as unknown as { WebAssembly: Wasm };

async function start<E>(core: Uint8Array, host: object): Promise<E> {
	return (await WebAssembly.instantiate(core, { host })).instance.exports as E;
}

/** What the callback code of a guest that has ended is. */
const EXIT = 0;
/** What a read or write of a stream returns that is over. */
const DROPPED = 1;

/** By hand, for one call at a time; a guest that does not keep the rules is found out, and nobody else is there to be kept from anything. */
export async function handWrittenTasks(
	core: Readonly<Record<keyof typeof TASKS_CORE_WATS, Uint8Array>>,
): Promise<Calls> {
	let returned: number | undefined;
	const take = (code: number): number => {
		const value = returned;
		returned = undefined;
		if (code !== EXIT || value === undefined) throw new Error("the guest has not returned");
		return value >>> 0;
	};
	const give = (value: number): void => {
		if (returned !== undefined) throw new Error("the guest has returned twice");
		returned = value;
	};
	let source: AsyncIterator<Uint8Array> | undefined;
	let rest: Uint8Array | undefined;
	const read = async (_: number, pointer: number, length: number): Promise<number> => {
		if (rest === undefined) {
			const next = await source!.next();
			if (next.done === true) return DROPPED;
			rest = next.value;
		}
		const taken = rest.length > length ? rest.subarray(0, length) : rest;
		new Uint8Array(exports.memory.buffer).set(taken, pointer);
		rest = taken.length < rest.length ? rest.subarray(taken.length) : undefined;
		return taken.length << 4;
	};
	const exports = await start<CoreExports>(core.tasks, {
		return: give,
		read: new WebAssembly.Suspending(read),
		drop: () => {},
	});
	const drain = WebAssembly.promising(exports.drain);
	return {
		echo: async (a: number) => take(exports.echo(a)),
		drain: async (stream: AsyncIterable<Uint8Array>) => {
			source = stream[Symbol.asyncIterator]();
			return take(await drain(1));
		},
		relay: await handWrittenRelay(core.producer, core.consumer, give, take),
	};
}

/** Where one side of a stream waits for the other. */
interface Side {
	readonly reads: boolean;
	readonly pointer: number;
	readonly length: number;
	resolve(progress: number): void;
}

async function handWrittenRelay(
	producerCore: Uint8Array,
	consumerCore: Uint8Array,
	give: (value: number) => void,
	take: (code: number) => number,
): Promise<(amount: number) => Promise<number>> {
	let waiting: Side | undefined;
	let dropped = false;
	let tell: (stream: number) => void = () => {};
	/** The one that comes second copies for both; as here, their buffers are of one length. */
	const meet = (reads: boolean, pointer: number, length: number): number | Promise<number> => {
		if (dropped) return DROPPED;
		const other = waiting;
		if (other === undefined || other.reads === reads) {
			return new Promise((resolve) => (waiting = { reads, pointer, length, resolve }));
		}
		waiting = undefined;
		const [from, to] = reads ? [other.pointer, pointer] : [pointer, other.pointer];
		const count = Math.min(length, other.length);
		const bytes = new Uint8Array(producer.memory.buffer, from, count);
		new Uint8Array(consumer.memory.buffer).set(bytes, to);
		other.resolve(count << 4);
		return count << 4;
	};
	const drop = (): void => {
		dropped = true;
		waiting?.resolve(DROPPED);
		waiting = undefined;
	};
	const producer = await start<Memory & { readonly produce: Fn }>(producerCore, {
		new: () => 1n | (2n << 32n),
		return: (stream: number) => tell(stream),
		write: new WebAssembly.Suspending((_, pointer, length) => meet(false, pointer, length)),
		drop,
	});
	const produce = WebAssembly.promising(producer.produce);
	const consumer = await start<Memory & { readonly relay: Fn }>(consumerCore, {
		produce: new WebAssembly.Suspending(
			(amount) =>
				new Promise<number>((resolve, reject) => {
					tell = resolve;
					produce(amount).catch(reject);
				}),
		),
		return: give,
		read: new WebAssembly.Suspending((_, pointer, length) => meet(true, pointer, length)),
		drop,
	});
	const relay = WebAssembly.promising(consumer.relay);
	return async (amount) => {
		dropped = false;
		return take(await relay(amount));
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
