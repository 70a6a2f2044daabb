import { open } from "node:fs/promises";

/** There is more than was asked for. */
export class FileTooLong extends Error {
	override readonly name = "FileTooLong";
}

/** Bytes that are read of what is no file at once. */
const PIECE = 1024 * 1024;

/**
 * All that is in a file. Of what is none, such as a pipe, nobody knows how much that will be: it is read up to `most` bytes.
 * @throws FileTooLong; what Node says of a file that cannot be read
 */
export async function readWholeFile(path: string | URL, most: number): Promise<Buffer> {
	await using file = await open(path);
	const status = await file.stat();
	if (status.isFile() && status.size > most) throw tooLong(most);
	if (status.isFile() && status.size > 0) return await file.readFile();
	const pieces: Buffer[] = [];
	for (let size = 0; ;) {
		const piece = Buffer.allocUnsafeSlow(PIECE);
		const { bytesRead } = await file.read(piece, 0, PIECE, null);
		if (bytesRead === 0) return Buffer.concat(pieces);
		size += bytesRead;
		if (size > most) throw tooLong(most);
		// What a pipe gives at once is mostly far less
		pieces.push(bytesRead < PIECE / 2 ? Buffer.from(piece.subarray(0, bytesRead)) : piece.subarray(0, bytesRead));
	}
}

const tooLong = (most: number): FileTooLong => new FileTooLong(`it is longer than ${most} bytes`);
