import { type Module, OP } from "../../wasm/mod.ts";
import type { Survey } from "../survey.ts";
import { type CodeEditor, opensBlock } from "./code-editor.ts";
import { countParams, DELEGATE, END, findLoops, FLOW, LOOP, OUTLINED } from "./control.ts";
import { closeOutline, EXIT_DEPTH, moveBranch, openOutline } from "./outline.ts";
import { encodeCondition } from "./slow-path.ts";
import { findTurns } from "./turns.ts";

interface YieldParts {
	/** The index of the memory with the flag. */
	readonly memory: number;
	/** The index of the function that is the slow path. */
	readonly slow: number;
}

/**
 * Puts checks of the flag into bodies. Innermost loops that call nothing have the slow path outside; at all other places it is
 * `(if flag (then (call $slow)))`; and loops of which every turn passes the check of a loop within have none (`findTurns`).
 */
export function insertYields(
	module: Module,
	survey: Survey,
	entries: Uint8Array,
	editor: CodeEditor,
	parts: YieldParts,
): void {
	const params = countParams(module);
	const loops: number[] = [];
	for (let body = 0; body < module.code.starts.length; body++) {
		const hasLoops = survey.loopStarts[body] !== survey.loopStarts[body + 1];
		if (!hasLoops && entries[body] !== 1) {
			editor.copy(body);
			continue;
		}
		editor.begin(body);
		if (hasLoops) {
			findLoops(editor.reader, params, loops);
			const without = loops.every((bits) => bits === OUTLINED)
				? undefined
				: findTurns(editor.reader, body, loops.length);
			without?.forEach((bit, loop) => {
				if (bit === 1) loops[loop] = UNCHECKED;
			});
			editor.begin(body);
		}
		if (entries[body] === 1) insertCall(editor, editor.reader.codeStart, parts);
		writeLoops(editor, loops, parts);
		editor.finishBody();
	}
}

/** Instead of `OUTLINED`. */
const UNCHECKED = 2;

/** Writes the rest of the body. */
function writeLoops(editor: CodeEditor, loops: readonly number[], parts: YieldParts): void {
	const { reader, writer } = editor;
	let loop = 0;
	/** How many blocks are open in the outlined loop; -1 outside of one. They do not nest. */
	let depth = -1;
	while (editor.next()) {
		const flow = FLOW[reader.op];
		if (flow === 0) continue;
		if (flow === LOOP) {
			const bits = loops[loop++] ?? 0;
			const outlined = (bits & OUTLINED) !== 0;
			if (outlined) {
				openOutline(editor);
				depth = 0;
			}
			editor.countLabel();
			if (outlined) {
				writer.insert(reader.end);
				encodeCondition(writer.out, "yield", parts.memory);
				editor.hintUnlikely(reader.end);
				writer.op(OP.br_if).out.u32(EXIT_DEPTH);
			} else if (bits !== UNCHECKED) insertCall(editor, reader.end, parts);
		} else if (opensBlock(reader.op)) {
			editor.countLabel();
			if (depth >= 0) depth++;
		} else if (depth >= 0) {
			if (flow !== END && flow !== DELEGATE) moveBranch(editor, depth);
			else if (depth-- === 0) closeOutline(editor, () => writer.op(OP.call).out.u32(parts.slow));
		}
	}
}

function insertCall(editor: CodeEditor, position: number, { memory, slow }: YieldParts): void {
	const { writer } = editor;
	writer.insert(position);
	encodeCondition(writer.out, "yield", memory);
	editor.hintUnlikely(position);
	writer.op(OP.if).out.u8(0x40);
	writer.op(OP.call).out.u32(slow);
	writer.op(OP.end);
	editor.addLabels(1);
}
