import { type CodeReader, type Module, OP } from "../../wasm/mod.ts";
import type { Survey } from "../survey.ts";
import { type CheckKind, encodeStop, encodeTouch } from "./check.ts";
import { type CodeEditor, opensBlock } from "./code-editor.ts";
import { countParams, DELEGATE, END, FLOW, LOOP } from "./control.ts";
import { LoopFinder, OUTLINED } from "./loops.ts";
import { closeOutline, EXIT_DEPTH, openOutline, OUTLINE_BLOCKS, Outlines } from "./outline.ts";
import { encodeCondition } from "./slow-path.ts";
import { encodeLimit, moveLatch, openStrip, STRIP_BLOCKS } from "./strip-code.ts";
import type { Strip } from "./strips.ts";
import type { CheckPlan } from "./work.ts";

interface FlagParts {
	/** The index of the memory with the flag. */
	readonly memory: number;
	/** The index of the function that is the slow path; -1: a guest that finds the flag up traps. */
	readonly slow: number;
	/** Without a slow path, how a check finds out that it is to trap. */
	readonly check: CheckKind;
}

/**
 * Puts checks of the flag into bodies. With a slow path, small innermost loops that call nothing have it outside, loops of which
 * every turn passes a check that stands elsewhere have none (`CheckPlan.bare`), and some that count have one for many turns
 * (`CheckPlan.strips`). At all other places a check is `(if flag (then …))`, or of
 * kind `page` a load.
 */
export function insertFlagChecks(
	module: Module,
	survey: Survey,
	plan: CheckPlan,
	editor: CodeEditor,
	parts: FlagParts,
): void {
	const params = countParams(module);
	const finder = new LoopFinder(params);
	const loops: number[] = [];
	const { reader } = editor;
	for (let body = 0; body < module.code.starts.length; body++) {
		const hasLoops = survey.loopStarts[body] !== survey.loopStarts[body + 1];
		const sites = plan.sites[body];
		if (!hasLoops && sites === undefined) {
			editor.copy(body);
			continue;
		}
		const found = plan.strips[body] ?? NO_STRIPS;
		if (parts.slow < 0 && found.size === 0 && editor.isPlain(body)) {
			const bare = plan.bare[body];
			const heads = survey.loops
				.subarray(survey.loopStarts[body], survey.loopStarts[body + 1])
				.filter((_, loop) => bare?.[loop] !== 1);
			editor.begin(body);
			for (const position of mergePositions(heads, sites ?? [])) insertCheck(editor, position, parts);
			editor.skip(body);
			editor.finishBody();
			continue;
		}
		loops.length = 0;
		if (hasLoops) {
			reader.enter(body);
			finder.find(reader, loops);
			// That it costs nothing more to look twice, with nothing to be called, was measured
			if (parts.slow < 0) loops.fill(0);
			plan.bare[body]?.forEach((bit, loop) => {
				if (bit === 1) loops[loop] = UNCHECKED;
			});
		}
		editor.begin(body);
		const strips = found.size > 0 && isRoomy(reader) ? found : NO_STRIPS;
		if (strips.size === 0) writeBody(editor, loops, sites ?? [], parts, NO_STRIPS, -1);
		else {
			const runs = reader.locals();
			const limit = (params[module.functions[body] ?? 0] ?? 0) + runs.reduce((sum, { count }) => sum + count, 0);
			editor.writer
				.replace(reader.bodyStart, reader.codeStart)
				.locals([...runs, { count: 1 + heightOf(strips), type: { kind: "number", name: "i32" } }]);
			writeBody(editor, loops, sites ?? [], parts, strips, limit);
		}
		editor.finishBody();
	}
}

const NO_STRIPS: ReadonlyMap<number, Strip> = new Map();

/** Locals of a body that may get more of ours: V8 takes 50,000 in all, with the parameters, of which there are 1,000 at most. */
const ROOMY = 48_000;

function isRoomy(reader: CodeReader): boolean {
	return reader.locals().reduce((sum, { count }) => sum + count, 0) <= ROOMY;
}

/** Both, ascending, and each but once. */
function mergePositions(loops: Uint32Array, sites: readonly number[]): readonly number[] {
	return sites.length === 0 ? [...loops] : [...new Set([...loops, ...sites])].sort((a, b) => a - b);
}

/** Instead of `OUTLINED`. */
const UNCHECKED = 2;

/** How deep strips are nested, but one. */
function heightOf(strips: ReadonlyMap<number, Strip>): number {
	let most = 0;
	for (const { height } of strips.values()) most = Math.max(most, height);
	return most;
}

/** @param limit the local in which strips keep how far they run, behind which are those of strips around them */
function writeBody(
	editor: CodeEditor,
	loops: readonly number[],
	sites: readonly number[],
	parts: FlagParts,
	strips: ReadonlyMap<number, Strip>,
	limit: number,
): void {
	const { reader, writer } = editor;
	let loop = 0;
	/** The loops in strips that are open, the innermost last. */
	const open: Strip[] = [];
	let site = 0;
	const outlines = new Outlines();
	outlines.push(0);
	/** Puts in what is to stand up to the position: without one, to the end of the current instruction. */
	const checkHere = (position: number = reader.end): void => {
		for (; (sites[site] ?? Infinity) <= position; site++) insertCheck(editor, sites[site] as number, parts);
	};
	checkHere();
	while (editor.nextOfFlow()) {
		checkHere(reader.start);
		const flow = FLOW[reader.op];
		const strip = open.at(-1);
		if (flow === 0) {
			checkHere();
			continue;
		}
		if (flow === LOOP) {
			const next = strips.get(loop);
			const bits = loops[loop++] ?? 0;
			if (next !== undefined) {
				openStrip(editor);
				insertCheck(editor, reader.start, parts);
				encodeLimit(writer, next, limit + next.height);
				open.push(next);
				outlines.push(STRIP_BLOCKS);
				editor.countLabel();
				checkHere();
				continue;
			}
			const outlined = (bits & OUTLINED) !== 0;
			if (outlined) openOutline(editor);
			outlines.push(outlined ? OUTLINE_BLOCKS : 0);
			editor.countLabel();
			if (outlined) {
				writer.insert(reader.end);
				encodeCondition(writer.out, "yield", parts.memory);
				editor.hintUnlikely(reader.end);
				writer.op(OP.br_if).out.u32(EXIT_DEPTH);
			} else if (bits !== UNCHECKED) insertCheck(editor, reader.end, parts);
		} else if (opensBlock(reader.op)) {
			editor.countLabel();
			outlines.push(0);
		} else if (strip !== undefined && reader.start === strip.branch) moveLatch(editor, strip, limit + strip.height);
		else if (flow !== END && flow !== DELEGATE) outlines.moveBranch(editor);
		else {
			const added = outlines.pop();
			if (added === STRIP_BLOCKS) {
				writer.insert(reader.end).op(OP.end);
				open.pop();
			} else if (added > 0) closeOutline(editor, () => writer.op(OP.call).out.u32(parts.slow));
		}
		checkHere();
	}
}

function insertCheck(editor: CodeEditor, position: number, { memory, slow, check }: FlagParts): void {
	const { writer } = editor;
	writer.insert(position);
	if (check === "page") {
		encodeTouch(writer.out, memory);
		return;
	}
	encodeCondition(writer.out, "yield", memory);
	editor.hintUnlikely(position);
	writer.op(OP.if).out.u8(0x40);
	if (slow < 0) encodeStop(writer.out, memory);
	else writer.op(OP.call).out.u32(slow);
	writer.op(OP.end);
	editor.addLabels(1);
}
