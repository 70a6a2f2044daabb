import { SkerryError } from "../fault/mod.ts";
import { FileTooLong, readWholeFile } from "../sys/mod.ts";

/** Something with a body, such as what `fetch` gives. */
interface Body {
	readonly body: AsyncIterable<Uint8Array> | null;
	/** `false` when it is not what was asked for. */
	readonly ok?: boolean;
	readonly status?: number;
	readonly url?: string;
}

/**
 * Where a component or core module comes from: its bytes or those of what `skerry compile` made of it, a path, a `file:` URL, a stream
 * of bytes, or a response.
 */
export type Source = Uint8Array | ArrayBuffer | string | URL | AsyncIterable<Uint8Array> | Body;

/** Bytes that are read: as many as V8 takes of a module. */
const MAX_SOURCE_BYTES = 2 ** 30;

/** What errors call it; nothing for bytes and streams. */
export function nameOf(source: Source): string | undefined {
	if (typeof source === "string") return source;
	return source instanceof URL ? source.href : undefined;
}

/** @throws SkerryError `cli/file-not-found`, `binary/limit`; `call/bad-value` for what is no source */
export async function readSource(source: Source): Promise<Uint8Array> {
	if (source instanceof Uint8Array) return source;
	if (source instanceof ArrayBuffer) return new Uint8Array(source);
	if (typeof source === "string" || source instanceof URL) {
		try {
			return await readWholeFile(source, MAX_SOURCE_BYTES);
		} catch (error) {
			const name = typeof source === "string" ? source : source.href;
			if (error instanceof FileTooLong) throw new SkerryError("binary/limit", `Cannot load ${name}: ${error.message}`);
			if (source instanceof URL && source.protocol !== "file:") {
				throw unreadable(
					name,
					"only file: URLs are read",
					error,
					`engine.load(await fetch("${name}")) loads what a server has`,
				);
			}
			throw unreadable(name, (error as Error).message, error);
		}
	}
	if (typeof source !== "object" || source === null || !(Symbol.asyncIterator in source || "body" in source)) {
		throw new SkerryError("call/bad-value", "Cannot load the guest: there is no source", {
			hint: "a source is a path, a file: URL, bytes, a stream of bytes, or a Response",
		});
	}
	if (Symbol.asyncIterator in source) return await readStream(source);
	if (source.ok === false) throw unreadable(source.url ?? "the response", `its status is ${source.status}`);
	return source.body === null ? new Uint8Array() : await readStream(source.body);
}

async function readStream(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
	const chunks: Uint8Array[] = [];
	let size = 0;
	for await (const chunk of stream) {
		if (!(chunk instanceof Uint8Array)) {
			throw new SkerryError("call/bad-value", "Cannot load the stream: its chunks are no Uint8Arrays");
		}
		size += chunk.length;
		if (size > MAX_SOURCE_BYTES) {
			throw new SkerryError("binary/limit", `Cannot load the stream: it is longer than ${MAX_SOURCE_BYTES} bytes`);
		}
		chunks.push(chunk);
	}
	const bytes = new Uint8Array(size);
	let at = 0;
	for (const chunk of chunks) {
		bytes.set(chunk, at);
		at += chunk.length;
	}
	return bytes;
}

function unreadable(name: string, why: string, cause?: unknown, hint?: string): SkerryError {
	return new SkerryError("cli/file-not-found", `Cannot read ${name}: ${why}`, {
		...(cause === undefined ? {} : { cause }),
		...(hint === undefined ? {} : { hint }),
	});
}
