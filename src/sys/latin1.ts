/** V8 keeps up to so many bytes within the array itself; a Buffer over them would move them out first, which takes longer than all the rest. */
const WITHIN = 64;

const scratch: Buffer = Buffer.alloc(WITHIN);

/** One character per byte. */
export function toLatin1(bytes: Uint8Array): string {
	const { length } = bytes;
	if (length > WITHIN) return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString("latin1");
	scratch.set(bytes);
	return scratch.toString("latin1", 0, length);
}
