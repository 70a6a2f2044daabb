import { createLinuxPageMapper, type PageMapper } from "../engine/mod.ts";

/** What was said in this process: each thing once. */
const said = new Set<string>();

/**
 * Copy-on-write memory, where this machine has it. Where it refuses some of it, sandboxes are put back in a slower way, and `onWarning`
 * is told; once in the process for each thing that is refused.
 */
export function findPageMapper(onWarning: (message: string) => void = warnProcess): PageMapper | undefined {
	const found = createLinuxPageMapper();
	const warn = (what: string, consequence: string): void => {
		if (said.has(what)) return;
		said.add(what);
		onWarning(`${what}: ${consequence}`);
	};
	if (typeof found !== "string") return watchMapper(found, warn);
	// What other systems do not have at all is nothing to warn of.
	if (process.platform === "linux") warn(`Cannot use copy-on-write memory: ${found}`, "resets copy whole memories");
	return undefined;
}

/** The same mapper, each refusal of which is told. */
export function watchMapper(mapper: PageMapper, warn: (what: string, consequence: string) => void): PageMapper {
	const watched = <T>(what: string, act: () => T): T => {
		try {
			return act();
		} catch (error) {
			warn(`${what}: ${(error as Error).message}`, "resets copy whole memories");
			throw error;
		}
	};
	const done = (isDone: boolean): boolean => {
		if (!isDone) warn("Cannot change the protection of memory", "instances whose memory grew are made anew");
		return isDone;
	};
	return {
		pageSize: mapper.pageSize,
		method: mapper.method,
		createImage(bytes) {
			const image = watched("Cannot make an image of a memory", () => mapper.createImage(bytes));
			return {
				map: (memory) => watched("Cannot map an image over a memory", () => image.map(memory)),
				[Symbol.dispose]: () => image[Symbol.dispose](),
			};
		},
		protect: (buffer, from, to) => done(mapper.protect(buffer, from, to)),
		unprotect: (buffer, from, to) => done(mapper.unprotect(buffer, from, to)),
	};
}

function warnProcess(message: string): void {
	process.emitWarning(message, { code: "SKERRY_MEMORY" });
}
