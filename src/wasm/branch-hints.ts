import { Reader, Writer } from "../bytes/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { MAX_FUNCTIONS, MAX_FUNCTION_SIZE } from "./limits.ts";

/** Name of the custom section, branch hinting proposal. It must stand before the code section. */
export const BRANCH_HINTS = "metadata.code.branch_hint";

export interface BranchHint {
	/** Of the `br_if` or `if`, from the start of the function body (its local declarations). */
	readonly offset: number;
	/** Whether the branch is taken more often than not. */
	readonly likely: boolean;
}

/** By function index, imports counted; offsets ascending. */
export type BranchHints = ReadonlyMap<number, readonly BranchHint[]>;

/** The content of the section. It binds nobody: `null` where it is malformed, and nothing throws. */
export function decodeBranchHints(bytes: Uint8Array): BranchHints | null {
	const reader = new Reader(bytes);
	const hints = new Map<number, BranchHint[]>();
	try {
		for (let n = reader.count("functions with hints", MAX_FUNCTIONS, 2); n > 0; n--) {
			const index = reader.u32();
			const list: BranchHint[] = [];
			for (let m = reader.count("branch hints", MAX_FUNCTION_SIZE, 3); m > 0; m--) {
				const offset = reader.u32();
				if (reader.u32() !== 1) return null;
				list.push({ offset, likely: reader.u8() === 1 });
			}
			hints.set(index, list);
		}
	} catch (error) {
		if (!(error instanceof SkerryError)) throw error;
		return null;
	}
	return hints;
}

/** The content of the section; functions ascending, as the proposal demands. */
export function encodeBranchHints(hints: BranchHints): Uint8Array {
	const out = new Writer().u32(hints.size);
	for (const [index, list] of [...hints].sort(([a], [b]) => a - b)) {
		out.u32(index).u32(list.length);
		// The size of a hint is always one byte
		for (const { offset, likely } of list)
			out
				.u32(offset)
				.u32(1)
				.u8(likely ? 1 : 0);
	}
	return out.finish();
}
