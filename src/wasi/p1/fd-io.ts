import { type CoreHostFunction, type GuestMemory, viewOf } from "../../link/mod.ts";
import type { ByteSink, ByteSource } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import { attemptUntil, watchOf } from "../io/watch.ts";
import { RIGHT, WHENCE } from "./constants.ts";
import type { Descriptor } from "./descriptors.ts";
import { Errno } from "./errno.ts";
import { fileWith } from "./fd.ts";
import { type P1, p1Function } from "./state.ts";

/** `IOV_MAX` of Linux. */
const MOST_VECTORS = 1024;
/** Bytes of an `iovec` or `ciovec`: a pointer and a length. */
const VECTOR_SIZE = 8;

interface Vector {
	readonly pointer: number;
	readonly length: number;
}

/**
 * The vectors of a call, all of them within the memory, cut off after `limit` bytes: a call may move fewer bytes than it was asked
 * to, and so a guest cannot make the host do much at a time.
 */
function vectorsOf(memory: GuestMemory, pointer: number, count: number, limit: number): Vector[] {
	if (count >>> 0 > MOST_VECTORS) throw new Errno("inval");
	const vectors: Vector[] = [];
	let left = limit;
	for (let i = 0; i < count; i++) {
		const at = (pointer >>> 0) + i * VECTOR_SIZE;
		const start = memory.getU32(at);
		const length = memory.getU32(at + 4);
		viewOf(memory, start, length);
		const taken = Math.min(length, left);
		if (taken > 0) vectors.push({ pointer: start, length: taken });
		left -= taken;
	}
	return vectors;
}

const sum = (vectors: readonly Vector[]): number => vectors.reduce((total, { length }) => total + length, 0);

/** Copies what was read into the vectors. */
function scatter(memory: GuestMemory, vectors: readonly Vector[], bytes: Uint8Array): void {
	let at = 0;
	for (const { pointer, length } of vectors) {
		if (at >= bytes.length) return;
		memory.write(pointer, bytes.subarray(at, at + length));
		at += length;
	}
}

/**
 * What files are read into. No system call is given a guest's memory to write to: a reset learns of what a guest writes by its page
 * faults, and may not see those of the kernel (`engine/memory/page-faults`); and Node's file functions take no shared memory.
 */
const chunk = new Uint8Array(65_536);

function readFile(p1: P1, fd: number, vectors: readonly Vector[], from: bigint | undefined): number {
	const found = fileWith(p1, fd, RIGHT.fdRead);
	const start = from ?? found.position;
	let total = 0;
	for (const { pointer, length } of vectors) {
		const view = viewOf(p1.memory, pointer, length);
		let done = 0;
		while (done < length) {
			const part = chunk.subarray(0, Math.min(length - done, chunk.length));
			const count = found.file.read(part, start + BigInt(total + done));
			view.set(part.subarray(0, count), done);
			done += count;
			if (count < part.length) break;
		}
		total += done;
		if (done < length) break;
	}
	if (from === undefined) found.position = start + BigInt(total);
	return total;
}

function writeFile(p1: P1, fd: number, vectors: readonly Vector[], to: bigint | undefined): number {
	const found = fileWith(p1, fd, RIGHT.fdWrite);
	const start = to ?? found.position;
	let total = 0;
	for (const { pointer, length } of vectors) {
		const view = viewOf(p1.memory, pointer, length);
		const bytes = view.buffer instanceof SharedArrayBuffer ? view.slice() : view;
		const count = found.file.write(bytes, found.append && to === undefined ? null : start + BigInt(total));
		total += count;
		if (count < length) break;
	}
	if (to === undefined) found.position = found.append ? found.file.status().size : start + BigInt(total);
	return total;
}

function readSource(p1: P1, source: ByteSource, vectors: readonly Vector[], result: number): void | Promise<void> {
	const wanted = Math.min(sum(vectors), p1.context.limits.readBytes);
	const read = attemptUntil(
		() => [watchOf(source)],
		() => {
			if (wanted === 0) return 0;
			const bytes = source.read(wanted);
			if (bytes === null) return 0;
			if (bytes.length === 0) return undefined;
			scatter(p1.memory, vectors, bytes);
			return bytes.length;
		},
	);
	const finish = (count: number): void => p1.memory.setU32(result, count);
	return read instanceof Promise ? read.then(finish) : finish(read);
}

function writeSink(p1: P1, sink: ByteSink, vectors: readonly Vector[], result: number): void | Promise<void> {
	const wanted = Math.min(sum(vectors), p1.context.limits.writeBytes);
	const written = attemptUntil(
		() => [watchOf(sink)],
		() => {
			const capacity = sink.capacity();
			if (capacity === null) throw new Errno("pipe");
			if (wanted === 0) return 0;
			if (capacity === 0) return undefined;
			const bytes = new Uint8Array(Math.min(capacity, wanted));
			let at = 0;
			for (const { pointer, length } of vectors) {
				const taken = Math.min(length, bytes.length - at);
				if (taken === 0) break;
				bytes.set(viewOf(p1.memory, pointer, taken), at);
				at += taken;
			}
			sink.write(bytes);
			return bytes.length;
		},
	);
	const finish = (count: number): void => p1.memory.setU32(result, count);
	return written instanceof Promise ? written.then(finish) : finish(written);
}

/** Offsets of a file as the guest gives them: unsigned, and no larger than numbers that JavaScript has. */
function toOffset(offset: bigint): bigint {
	const at = BigInt.asUintN(64, offset);
	if (at > BigInt(Number.MAX_SAFE_INTEGER)) throw new Errno("inval");
	return at;
}

/** A descriptor in which there are places; streams have none. */
function placed({ descriptors }: P1, fd: number): Extract<Descriptor, { kind: "file" }> {
	const found = descriptors.get(fd);
	if (found.kind === "folder") throw new Errno("isdir");
	if (found.kind !== "file") throw new Errno("spipe");
	return found;
}

function seek(p1: P1, fd: number, offset: bigint, whence: number): bigint {
	const found = placed(p1, fd);
	let from: bigint;
	if (whence === WHENCE.set) from = 0n;
	else if (whence === WHENCE.cur) from = found.position;
	else if (whence === WHENCE.end) from = found.file.status().size;
	else throw new Errno("inval");
	const to = from + offset;
	if (to < 0n || to > BigInt(Number.MAX_SAFE_INTEGER)) throw new Errno("inval");
	found.position = to;
	return to;
}

/** Reading, writing, and where. */
export const FD_IO: Readonly<Record<string, CoreHostFunction<WasiContext>>> = {
	fd_read: p1Function("i32 i32 i32 i32", (p1, fd: number, iovs: number, count: number, result: number) => {
		const found = p1.descriptors.get(fd);
		const vectors = vectorsOf(p1.memory, iovs, count, p1.context.limits.fileBytes);
		viewOf(p1.memory, result, 4);
		if (found.kind === "source") return readSource(p1, found.source, vectors, result);
		if (found.kind === "folder") throw new Errno("isdir");
		p1.memory.setU32(result, readFile(p1, fd, vectors, undefined));
	}),
	fd_write: p1Function("i32 i32 i32 i32", (p1, fd: number, iovs: number, count: number, result: number) => {
		const found = p1.descriptors.get(fd);
		const vectors = vectorsOf(p1.memory, iovs, count, p1.context.limits.fileBytes);
		viewOf(p1.memory, result, 4);
		if (found.kind === "sink") return writeSink(p1, found.sink, vectors, result);
		if (found.kind === "folder") throw new Errno("isdir");
		p1.memory.setU32(result, writeFile(p1, fd, vectors, undefined));
	}),
	fd_pread: p1Function(
		"i32 i32 i32 i64 i32",
		(p1, fd: number, iovs: number, count: number, offset: bigint, result: number) => {
			placed(p1, fd);
			const vectors = vectorsOf(p1.memory, iovs, count, p1.context.limits.fileBytes);
			viewOf(p1.memory, result, 4);
			p1.memory.setU32(result, readFile(p1, fd, vectors, toOffset(offset)));
		},
	),
	fd_pwrite: p1Function(
		"i32 i32 i32 i64 i32",
		(p1, fd: number, iovs: number, count: number, offset: bigint, result: number) => {
			placed(p1, fd);
			const vectors = vectorsOf(p1.memory, iovs, count, p1.context.limits.fileBytes);
			viewOf(p1.memory, result, 4);
			p1.memory.setU32(result, writeFile(p1, fd, vectors, toOffset(offset)));
		},
	),
	fd_seek: p1Function("i32 i64 i32 i32", (p1, fd: number, offset: bigint, whence: number, result: number) => {
		viewOf(p1.memory, result, 8);
		p1.memory.setU64(result, seek(p1, fd, offset, whence));
	}),
	fd_tell: p1Function("i32 i32", (p1, fd: number, result: number) => {
		p1.memory.setU64(result, placed(p1, fd).position);
	}),
};
