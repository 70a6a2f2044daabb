import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import type { InputStream, ReadResult } from "../io/input-stream.ts";
import type { StreamError } from "../io/io-error.ts";
import type { OutputStream } from "../io/output-stream.ts";
import { ok, type Result } from "../result.ts";
import { defineInterface } from "./interface.ts";

/** A guest asks with a u64; it gets what the limit allows, and asks again for more. */
function bounded(length: bigint, limit: number): number {
	return length > BigInt(limit) ? limit : Number(length);
}

function toCount(result: Result<number, StreamError>): Result<bigint, StreamError> {
	return result.tag === "ok" ? ok(BigInt(result.val)) : result;
}

function toSkipped(result: ReadResult): Result<bigint, StreamError> {
	return result.tag === "ok" ? ok(BigInt(result.val.length)) : result;
}

/** Applies `convert` now or when the promise settles: what is there stays plain. */
function convert<T, U>(value: T | Promise<T>, converter: (value: T) => U): U | Promise<U> {
	return value instanceof Promise ? value.then(converter) : converter(value);
}

export const ioStreams: HostInterface<WasiContext> = defineInterface(
	"io/streams",
	{
		"[method]input-stream.read": ({ limits }, self: InputStream, length: bigint) =>
			self.read(bounded(length, limits.readBytes)),
		"[method]input-stream.blocking-read": ({ limits }, self: InputStream, length: bigint) =>
			self.blockingRead(bounded(length, limits.readBytes)),
		"[method]input-stream.skip": ({ limits }, self: InputStream, length: bigint) =>
			toSkipped(self.read(bounded(length, limits.readBytes))),
		"[method]input-stream.blocking-skip": ({ limits }, self: InputStream, length: bigint) =>
			convert(self.blockingRead(bounded(length, limits.readBytes)), toSkipped),
		"[method]input-stream.subscribe": (_context, self: InputStream) => self.subscribe(),

		"[method]output-stream.check-write": ({ limits }, self: OutputStream) =>
			toCount(self.checkWrite(limits.writeBytes)),
		"[method]output-stream.write": (_context, self: OutputStream, contents: Uint8Array) => self.write(contents),
		"[method]output-stream.blocking-write-and-flush": (_context, self: OutputStream, contents: Uint8Array) =>
			self.blockingWriteAndFlush(contents),
		"[method]output-stream.flush": (_context, self: OutputStream) => self.flush(),
		"[method]output-stream.blocking-flush": (_context, self: OutputStream) => self.blockingFlush(),
		"[method]output-stream.subscribe": (_context, self: OutputStream) => self.subscribe(),
		"[method]output-stream.write-zeroes": (_context, self: OutputStream, length: bigint) => self.writeZeroes(length),
		"[method]output-stream.blocking-write-zeroes-and-flush": (_context, self: OutputStream, length: bigint) =>
			self.blockingWriteZeroesAndFlush(length),
		"[method]output-stream.splice": ({ limits }, self: OutputStream, source: InputStream, length: bigint) =>
			toCount(self.splice(source, bounded(length, limits.writeBytes))),
		"[method]output-stream.blocking-splice": ({ limits }, self: OutputStream, source: InputStream, length: bigint) =>
			convert(self.blockingSplice(source, bounded(length, limits.writeBytes)), toCount),
	},
	{
		"input-stream": { drop: (_context, self: InputStream) => self.drop() },
		"output-stream": { drop: (_context, self: OutputStream) => self.drop() },
	},
);
