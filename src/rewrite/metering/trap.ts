import { type BranchHint, type BranchHints, CodeWriter, type IndirectNameMap, type Module } from "../../wasm/mod.ts";
import type { Survey } from "../survey.ts";
import { encodeCheck } from "./check.ts";
import type { EditedCode } from "./code-editor.ts";
import { moveLabels } from "./labels.ts";

interface TrapParts {
	/** The index of the memory with the flag. */
	readonly memory: number;
	/** How many functions are imported. */
	readonly imported: number;
	readonly hints: BranchHints | null;
	readonly labels: IndirectNameMap;
}

/** Puts a check at the head of each loop and at these entries, without looking at what is between them. */
export function insertTraps(
	module: Module,
	survey: Survey,
	entries: Uint8Array,
	{ memory, imported: firstFunction, hints: old, labels }: TrapParts,
): EditedCode {
	const check = encodeCheck(memory);
	const { code } = module;
	const { bytes } = check;
	const writer = new CodeWriter(code);
	const hints = new Map<number, readonly BranchHint[]>();
	for (let body = 0; body < code.starts.length; body++) {
		const start = code.starts[body] ?? 0;
		const added: BranchHint[] = [];
		const insert = (position: number): void => {
			writer.insert(position);
			added.push({ offset: writer.offsetOf(position) + check.branch, likely: false });
			writer.out.range(bytes, 0, bytes.length);
		};
		writer.begin(start);
		if (entries[body] === 1) insert(survey.codeStarts[body] ?? 0);
		for (let i = survey.loopStarts[body] ?? 0; i < (survey.loopStarts[body + 1] ?? 0); i++)
			insert(survey.loops[i] ?? 0);
		writer.finishBody(code.ends[body] ?? 0);
		const kept = old?.get(firstFunction + body) ?? [];
		if (kept.length === 0) {
			if (added.length > 0) hints.set(firstFunction + body, added);
			continue;
		}
		let before = 0;
		const moved = [...kept]
			.sort((a, b) => a.offset - b.offset)
			.map(({ offset, likely }) => {
				// Each check that lies before it, counted by where that came to lie
				while ((added[before]?.offset ?? Infinity) - check.branch <= offset + before * bytes.length) before++;
				return { offset: offset + before * bytes.length, likely };
			});
		hints.set(
			firstFunction + body,
			[...moved, ...added].sort((a, b) => a.offset - b.offset),
		);
	}
	return {
		code: writer.finish(),
		hints: old === null ? null : hints,
		labels: labels.size === 0 ? labels : moveLabels(module, survey, entries, labels),
	};
}
