import type { ByteSink } from "../sys/mod.ts";

/** Longest line that is kept in one piece, in bytes. */
const LONGEST_LINE = 8 * 1024;

/**
 * A guest's standard output or error as lines of the operator's log. What goes beyond `limit` bytes is thrown away, and said so
 * once: a guest that floods its output fills neither memory nor disk.
 */
export function createLineSink(limit: number, onLine: (line: string) => void): ByteSink {
	const decoder = new TextDecoder();
	let pending = "";
	let taken = 0;
	let closed = false;

	function push(text: string): void {
		const lines = `${pending}${text}`.split("\n");
		pending = lines.pop() ?? "";
		for (const line of lines) onLine(line.replace(/\r$/, ""));
		while (pending.length > LONGEST_LINE) {
			onLine(pending.slice(0, LONGEST_LINE));
			pending = pending.slice(LONGEST_LINE);
		}
	}

	return {
		ready: () => true,
		wait: () => Promise.resolve(),
		capacity: () => (closed ? null : 64 * 1024),
		write(bytes) {
			if (taken > limit) return;
			const kept = bytes.subarray(0, limit - taken);
			taken += bytes.length;
			push(decoder.decode(kept, { stream: true }));
			if (taken > limit) push(`\n… more than ${limit} bytes of output (limit "output"): the rest is not shown\n`);
		},
		flush: () => {},
		flushed: () => true,
		close() {
			if (closed) return;
			closed = true;
			if (pending !== "") onLine(pending);
			pending = "";
		},
	};
}
