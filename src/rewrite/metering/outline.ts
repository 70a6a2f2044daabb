import { type CodeWriter, OP } from "../../wasm/mod.ts";
import type { CodeEditor } from "./code-editor.ts";
import { BR, BR_IF, BR_TABLE, FLOW, labelsOf } from "./control.ts";

/**
 * A loop with its slow path outside of it:
 *
 *   block $x              of the loop's type
 *     loop $o
 *       block $y
 *         loop $l         of the loop's type
 *           check, br_if $y
 *           …
 *         end
 *         br $x
 *       end
 *       the slow path
 *       br $o
 *     end
 *     unreachable
 *   end
 *
 * The operands on the stack are none when $l begins, so that going out to $y and in again by $o changes nothing.
 */
const ADDED_BLOCKS = 3;

/** Writes what stands before an outlined loop, which is the current instruction. */
export function openOutline(editor: CodeEditor): void {
	const { reader, writer } = editor;
	writer.insert(reader.start);
	const { bytes } = reader.code;
	writer.op(OP.block).out.range(bytes, reader.start + 1, reader.end);
	writer.op(OP.loop).out.u8(0x40);
	writer.op(OP.block).out.u8(0x40);
	editor.addLabels(ADDED_BLOCKS);
}

/** How deep `$y` is at the head of the loop. */
export const EXIT_DEPTH = 1;

/** Writes what stands behind the end of an outlined loop, which is the current instruction. */
export function closeOutline({ reader, writer }: CodeEditor, slowPath: (writer: CodeWriter) => void): void {
	writer.insert(reader.end);
	writer.op(OP.br).out.u32(2);
	writer.op(OP.end);
	slowPath(writer);
	writer.op(OP.br).out.u32(0);
	writer.op(OP.end).op(OP.unreachable).op(OP.end);
}

/** Writes the current instruction with its labels moved, where it is a branch that leaves the outlined loop that it stands in. */
export function moveBranch({ reader, writer }: CodeEditor, depthInLoop: number): void {
	const flow = FLOW[reader.op];
	if (flow !== BR && flow !== BR_IF && flow !== BR_TABLE) return;
	const labels = labelsOf(reader);
	if (labels.every((label) => label <= depthInLoop)) return;
	const moved = labels.map((label) => (label <= depthInLoop ? label : label + ADDED_BLOCKS));
	writer.replace(reader.start, reader.end).op(reader.op);
	if (flow === BR_TABLE) writer.out.u32(moved.length - 1);
	for (const label of moved) writer.out.u32(label);
}
