import { type Module, OP } from "../../wasm/mod.ts";
import { FUEL_CELL } from "./check.ts";
import { type CodeEditor, opensBlock } from "./code-editor.ts";
import {
	BR,
	BR_IF,
	BR_TABLE,
	CALL,
	CALL_FREE,
	CATCH,
	countParams,
	DELEGATE,
	ELSE,
	END,
	findLoops,
	FLOW,
	IF,
	labelsOf,
	LOOP,
	OUTLINED,
	RETURN,
	THROW,
	TRY,
	UNREACHABLE,
} from "./control.ts";
import { closeOutline, EXIT_DEPTH, moveBranch, openOutline } from "./outline.ts";
import { findSegments, type Segment } from "./segments.ts";

interface FuelParts {
	/** The index of the memory with the cell. */
	readonly memory: number;
	/** The index of the function that is the slow path. */
	readonly slow: number;
	/** Whether the module knows exceptions. */
	readonly throws: boolean;
}

/**
 * Exact, deterministic fuel: every instruction that runs costs one, but those that do nothing (`nop`, `drop`) and those that only
 * delimit (`block`, `loop`, `try`, `try_table`, `else`, `catch`, `catch_all`, `delegate`, `end`, `return`, `unreachable`), which are
 * free. A bulk operation costs one like any other, whatever its length. What is counted is the module as this pass gets it.
 *
 * A segment (`findSegments`) is paid when it begins, so one that a trap cuts short is paid whole; the cell in memory is right at
 * every call, at every trap, and where an exception is caught. That makes the count depend on nothing but the program: not on the
 * machine, not on slices. An exception of the host's that passes through a module which knows no exceptions is like a trap.
 *
 * Paying is a store, and a load where the local that mirrors the cell may not be right, as behind calls. Loop heads, and entries of
 * functions so that each cycle of calls has one, look whether the cell is negative: at the first of these at which more is consumed
 * than was given the guest can be ended, so that point is the program's alone, too.
 */
export function insertFuel(module: Module, entries: Uint8Array, editor: CodeEditor, parts: FuelParts): void {
	const params = countParams(module);
	const loops: number[] = [];
	const { reader } = editor;
	for (let body = 0; body < module.code.starts.length; body++) {
		reader.enter(body);
		const segments = findSegments(reader, parts.throws);
		const isChecked = entries[body] === 1;
		reader.enter(body);
		findLoops(reader, params, loops);
		// A loop that is reached has a segment of its own
		const isLooping = loops.length > 0 && segments.length > 1;
		if (!isChecked && !isLooping && segments.every(({ cost }) => cost === 0)) {
			editor.copy(body);
			continue;
		}
		editor.begin(body);
		const runs = reader.locals();
		const local = (params[module.functions[body] ?? 0] ?? 0) + runs.reduce((sum, { count }) => sum + count, 0);
		editor.writer
			.replace(reader.bodyStart, reader.codeStart)
			.locals([...runs, { count: 1, type: { kind: "number", name: "i64" } }]);
		new FuelWriter(editor, { ...parts, local, segments, loops }).write(isChecked);
		editor.finishBody();
	}
}

interface Frame {
	readonly flow: number;
	/** Whether it is reached, and the local right, where it begins. */
	readonly alive: boolean;
	readonly right: boolean;
	/** Whether a branch leads behind it, and the local is right in all that do. */
	reached: boolean;
	rightAtBranches: boolean;
	hasElse: boolean;
	/** What is paid at the head of the outlined loop that it is; -1 for all others. */
	readonly outlined: number;
}

interface FuelBody extends FuelParts {
	/** The local that mirrors the cell. */
	readonly local: number;
	readonly segments: readonly Segment[];
	readonly loops: readonly number[];
}

/** Writes one body. */
class FuelWriter {
	readonly #editor: CodeEditor;
	readonly #body: FuelBody;
	readonly #frames: Frame[] = [];
	#segment = 0;
	#loop = 0;
	#alive = true;
	/** Whether the local is what the cell is. */
	#right = false;
	/** How many blocks are open in the outlined loop; -1 outside of one. */
	#depth = -1;

	constructor(editor: CodeEditor, body: FuelBody) {
		this.#editor = editor;
		this.#body = body;
	}

	write(isChecked: boolean): void {
		const editor = this.#editor;
		const { reader } = editor;
		this.#push(0, -1);
		if (isChecked) this.#payAndCheck(reader.codeStart);
		else this.#pay(reader.codeStart);
		while (editor.next()) {
			const flow = FLOW[reader.op] ?? 0;
			if (flow === 0) continue;
			if (flow === LOOP) this.#openLoop();
			else {
				this.#step(flow);
				if (this.#segmentHere !== undefined) this.#pay(reader.end);
			}
		}
	}

	get #segmentHere(): Segment | undefined {
		const segment = this.#body.segments[this.#segment];
		return segment?.position === this.#editor.reader.end ? segment : undefined;
	}

	#step(flow: number): void {
		const editor = this.#editor;
		const { reader } = editor;
		if (opensBlock(reader.op)) {
			editor.countLabel();
			if (flow === TRY && this.#alive) {
				// What is caught may come from a call
				for (const label of labelsOf(reader)) this.#branch(label, false);
			}
			this.#push(flow, -1);
			if (this.#depth >= 0) this.#depth++;
			return;
		}
		if (this.#depth >= 0 && flow !== END && flow !== DELEGATE) moveBranch(editor, this.#depth);
		switch (flow) {
			case ELSE:
			case CATCH: {
				const frame = this.#frames.at(-1);
				if (frame === undefined) break;
				this.#join(frame);
				frame.hasElse = true;
				this.#alive = frame.alive;
				this.#right = flow === ELSE && frame.right;
				break;
			}
			case END:
			case DELEGATE:
				this.#end();
				break;
			case BR_IF:
				if (this.#alive) for (const label of labelsOf(reader)) this.#branch(label, this.#right);
				break;
			case BR:
			case BR_TABLE:
				if (this.#alive) for (const label of labelsOf(reader)) this.#branch(label, this.#right);
				this.#alive = false;
				break;
			case RETURN:
			case THROW:
			case UNREACHABLE:
				this.#alive = false;
				break;
			case CALL:
				this.#right = false;
		}
	}

	#push(flow: number, outlined: number): void {
		this.#frames.push({
			flow,
			alive: this.#alive,
			right: this.#right,
			reached: false,
			rightAtBranches: true,
			hasElse: false,
			outlined,
		});
	}

	/** The end of what stands before this comes to lie where branches out of the frame do. */
	#join(frame: Frame): void {
		if (!this.#alive) return;
		frame.reached = true;
		frame.rightAtBranches &&= this.#right;
	}

	#branch(depth: number, right: boolean): void {
		const frame = this.#frames.at(-1 - depth);
		if (frame === undefined || frame.flow === LOOP) return;
		frame.reached = true;
		frame.rightAtBranches &&= right;
	}

	#end(): void {
		const frame = this.#frames.pop();
		if (frame === undefined) return;
		this.#join(frame);
		if (frame.flow === IF && !frame.hasElse && frame.alive) {
			frame.reached = true;
			frame.rightAtBranches &&= frame.right;
		}
		this.#alive = frame.reached;
		this.#right = frame.reached && frame.rightAtBranches;
		if (this.#depth >= 0 && this.#depth-- === 0) this.#closeLoop(frame.outlined);
	}

	#openLoop(): void {
		const editor = this.#editor;
		const { reader, writer } = editor;
		const { loops, segments } = this.#body;
		const bits = loops[this.#loop++] ?? 0;
		if (!this.#alive) {
			editor.countLabel();
			this.#push(LOOP, -1);
			return;
		}
		if ((bits & CALL_FREE) === 0) this.#right = false;
		else if (!this.#right) {
			writer.insert(reader.start);
			this.#load();
		}
		const cost = segments[this.#segment]?.cost ?? 0;
		if ((bits & OUTLINED) === 0) {
			editor.countLabel();
			this.#push(LOOP, -1);
			this.#payAndCheck(reader.end);
			return;
		}
		openOutline(editor);
		editor.countLabel();
		this.#push(LOOP, cost);
		this.#depth = 0;
		this.#pay(reader.end);
		this.#isNegative();
		editor.hintUnlikely(reader.end);
		writer.op(OP.br_if).out.u32(EXIT_DEPTH);
	}

	#closeLoop(cost: number): void {
		closeOutline(this.#editor, (writer) => {
			writer.op(OP.call).out.u32(this.#body.slow);
			// The loop begins anew and pays again
			if (cost === 0) this.#load();
			else this.#change(false, OP["i64.add"], cost);
		});
	}

	/** Pays the next segment, which begins here. */
	#pay(position: number): void {
		const { cost = 0 } = this.#body.segments[this.#segment++] ?? {};
		this.#editor.writer.insert(position);
		if (cost === 0) return;
		this.#change(this.#right, OP["i64.sub"], cost);
		this.#right = true;
	}

	#payAndCheck(position: number): void {
		const editor = this.#editor;
		const { writer } = editor;
		this.#pay(position);
		if (!this.#right) this.#load();
		this.#isNegative();
		editor.hintUnlikely(position);
		writer.op(OP.if).out.u8(0x40);
		writer.op(OP.call).out.u32(this.#body.slow);
		this.#load();
		writer.op(OP.end);
		editor.addLabels(1);
	}

	/** `cell = local = (local or cell) ± amount` */
	#change(fromLocal: boolean, operator: number, amount: number): void {
		const { local } = this.#body;
		const { writer } = this.#editor;
		writer.op(OP["i32.const"]).out.s32(0);
		if (fromLocal) writer.op(OP["local.get"]).out.u32(local);
		else {
			writer.op(OP["i32.const"]).out.s32(0);
			this.#access(OP["i64.load"]);
		}
		writer.op(OP["i64.const"]).out.s64(BigInt(amount));
		writer.op(operator);
		writer.op(OP["local.tee"]).out.u32(local);
		this.#access(OP["i64.store"]);
	}

	#load(): void {
		const { writer } = this.#editor;
		writer.op(OP["i32.const"]).out.s32(0);
		this.#access(OP["i64.load"]);
		writer.op(OP["local.set"]).out.u32(this.#body.local);
		this.#right = true;
	}

	#isNegative(): void {
		const { writer } = this.#editor;
		writer.op(OP["local.get"]).out.u32(this.#body.local);
		writer.op(OP["i64.const"]).out.s64(0n);
		writer.op(OP["i64.lt_s"]);
	}

	/** Eight bytes aligned; bit 6 of the alignment says that a memory index follows. */
	#access(operator: number): void {
		this.#editor.writer.op(operator).out.u8(0x43).u32(this.#body.memory).u32(FUEL_CELL);
	}
}
