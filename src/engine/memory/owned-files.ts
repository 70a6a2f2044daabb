/**
 * Files that the system gives this thread by a number. A worker may be ended at any time (`terminate()`), and nothing tells its code; but
 * Node closes with it all that its own `fs` has opened there. So each of ours is put in the place of one of those.
 * @see https://nodejs.org/api/worker_threads.html#new-workerfilename-options, `trackUnmanagedFds`
 */
import { type FfiProcess, type LibC, O_CLOEXEC } from "../libc.ts";

/** Disposed of more than once, it is closed once: its number may be another's by then. */
export interface OwnedFile extends Disposable {
	readonly fd: number;
}

interface FileSystem {
	openSync(path: string): number;
	closeSync(fd: number): void;
}

/**
 * The file `given` under another number, closed with this thread at the latest. `given` itself is closed, or stays the number where the
 * process may open no more.
 */
export function ownFile(libc: LibC, given: number): OwnedFile {
	const { process } = globalThis as unknown as { process: FfiProcess };
	const fs = process.getBuiltinModule?.("node:fs") as FileSystem | undefined;
	const place = fs === undefined ? undefined : openAny(fs);
	if (fs === undefined || place === undefined) return once(given, (fd) => libc.close(fd));
	if (libc.dup3(given, place, O_CLOEXEC) !== place) {
		fs.closeSync(place);
		return once(given, (fd) => libc.close(fd));
	}
	libc.close(given);
	return once(place, (fd) => fs.closeSync(fd));
}

/** Of which nothing is read. */
function openAny(fs: FileSystem): number | undefined {
	try {
		return fs.openSync("/");
	} catch {
		return undefined;
	}
}

function once(fd: number, close: (fd: number) => unknown): OwnedFile {
	let isOpen = true;
	return {
		fd,
		[Symbol.dispose]: () => {
			if (isOpen) close(fd);
			isOpen = false;
		},
	};
}
