import type { Reader, Writer } from "../../bytes/mod.ts";
import { SkerryError } from "../../fault/mod.ts";
import { MAX_FUNCTION_SIZE, MAX_FUNCTIONS } from "../limits.ts";

/**
 * Function bodies as ranges of one buffer: body `i` is `bytes[starts[i]] … bytes[ends[i]]` (exclusive), its local
 * declarations first. Nothing is allocated for each body, let alone for each instruction.
 */
export interface Code {
	readonly bytes: Uint8Array;
	/** Absolute offset of `bytes[0]` in the input, for errors; 0 for code that was written anew. */
	readonly offset: number;
	readonly starts: Uint32Array;
	readonly ends: Uint32Array;
	/**
	 * Of code that was written anew: which bytes of the code that was decoded each of its bytes comes from (see `code-sites.ts`);
	 * `undefined` where that is not known.
	 */
	readonly sites?: Uint32Array;
}

/** Reads the sizes of the bodies; what they hold is for `CodeReader` and `checkCode`. */
export function decodeCode(content: Reader): Code {
	const count = content.count("function bodies", MAX_FUNCTIONS);
	const starts = new Uint32Array(count);
	const ends = new Uint32Array(count);
	for (let i = 0; i < count; i++) {
		const at = content.offset;
		const size = content.u32("the size of a function body");
		if (size > MAX_FUNCTION_SIZE) {
			throw new SkerryError("binary/limit", `a function of ${size} bytes exceeds the limit of ${MAX_FUNCTION_SIZE}`, {
				place: { offset: at },
			});
		}
		if (size > content.remaining) throw content.truncated(`a function body of ${size} bytes`);
		starts[i] = content.position;
		content.position += size;
		ends[i] = content.position;
	}
	return { bytes: content.bytes, offset: content.base, starts, ends };
}

/** Code without a function. */
export function emptyCode(): Code {
	return { bytes: new Uint8Array(), offset: 0, starts: new Uint32Array(), ends: new Uint32Array() };
}

/** Bytes that an unsigned LEB128 takes at least. */
export function sizeOfU32(value: number): number {
	return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

/** Size of the section's content. */
export function sizeOfCode({ starts, ends }: Code): number {
	let size = sizeOfU32(starts.length);
	for (let i = 0; i < starts.length; i++) {
		const body = (ends[i] ?? 0) - (starts[i] ?? 0);
		size += sizeOfU32(body) + body;
	}
	return size;
}

export function encodeCode(writer: Writer, { bytes, starts, ends }: Code): void {
	writer.u32(starts.length);
	for (let i = 0; i < starts.length; i++) {
		const start = starts[i] ?? 0;
		const end = ends[i] ?? 0;
		writer.u32(end - start).range(bytes, start, end);
	}
}
