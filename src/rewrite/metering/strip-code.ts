import { type CodeWriter, OP } from "../../wasm/mod.ts";
import type { CodeEditor } from "./code-editor.ts";
import { type Invariant, shiftOf, type Strip } from "./strips.ts";

/**
 * A loop that is run in strips:
 *
 *   loop $o               of the loop's type
 *     check
 *     limit = how far the variable may go
 *     loop $l             of the loop's type
 *       …
 *       br_if $l (compare variable limit)
 *       br_if $o (compare variable bound)
 *       …
 *     end
 *   end
 *
 * With `lt` and `gt` the limit is the nearer of the bound and of where the variable is after so many turns. Whatever wraps around on the
 * way, after these it is there, and the comparison fails. With `ne` it is the bound if that is met within so many turns.
 */
export const STRIP_BLOCKS = 1;

/** Writes what stands before the check of a loop in strips, which is the current instruction. */
export function openStrip(editor: CodeEditor): void {
	const { reader, writer } = editor;
	writer.insert(reader.start);
	writer.op(OP.loop).out.range(reader.code.bytes, reader.start + 1, reader.end);
	editor.addLabels(STRIP_BLOCKS);
}

/** Sets the limit of the next strip. */
export function encodeLimit(writer: CodeWriter, strip: Strip, limit: number): void {
	const { variable, step, bound, compare, turns } = strip;
	const constant = (value: number): void => void writer.op(OP["i32.const"]).out.s32(value);
	const get = (local: number): void => void writer.op(OP["local.get"]).out.u32(local);
	push(writer, bound);
	get(variable);
	if (step.isLocal) {
		get(step.value);
		constant(turns);
		writer.op(OP["i32.mul"]);
	} else constant(Math.imul(step.value, turns));
	writer.op(OP["i32.add"]);
	if (compare === OP["i32.ne"]) {
		// How many turns there are to the bound, but one; a huge number if they pass it
		if (step.value < 0) get(variable);
		push(writer, bound);
		if (step.value > 0) get(variable);
		writer.op(OP["i32.sub"]);
		constant(-Math.abs(step.value));
		writer.op(OP["i32.add"]);
		constant(shiftOf(step.value));
		writer.op(OP["i32.rotr"]);
		constant(turns);
		writer.op(OP["i32.lt_u"]);
	} else {
		writer.op(OP["local.tee"]).out.u32(limit);
		push(writer, bound);
		get(limit);
		writer.op(compare);
	}
	writer.op(OP.select).op(OP["local.set"]).out.u32(limit);
}

/** Writes the branch back, which is the current instruction. */
export function moveLatch(editor: CodeEditor, strip: Strip, limit: number): void {
	const { reader, writer } = editor;
	editor.dropHint();
	writer.replace(strip.test, reader.end);
	writer.op(OP["local.get"]).out.u32(limit);
	writer.op(strip.compare);
	writer.op(OP.br_if).out.u32(reader.first);
	writer.op(OP["local.get"]).out.u32(strip.variable);
	if (!strip.isShort) {
		push(writer, strip.bound);
		writer.op(strip.compare);
	}
	writer.op(OP.br_if).out.u32(reader.first + 1);
}

function push(writer: CodeWriter, { isLocal, value }: Invariant): void {
	if (isLocal) writer.op(OP["local.get"]).out.u32(value);
	else writer.op(OP["i32.const"]).out.s32(value);
}
