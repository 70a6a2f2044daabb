import { type CodeReader, encodeValueType, OP, type ValueTypeSyntax } from "../../wasm/mod.ts";
import { FUEL_CELL } from "./check.ts";
import { type CodeEditor, opensBlock } from "./code-editor.ts";
import {
	BR,
	BR_IF,
	BR_TABLE,
	BULK,
	BYTES,
	CALL,
	CATCH,
	DELEGATE,
	ELSE,
	END,
	FLOW,
	IF,
	labelsOf,
	LOOP,
	RETURN,
	THROW,
	TRY,
	UNREACHABLE,
} from "./control.ts";
import { OUTLINED } from "./loops.ts";
import { closeOutline, EXIT_DEPTH, openOutline, OUTLINE_BLOCKS, Outlines } from "./outline.ts";
import { encodeCondition } from "./slow-path.ts";

export interface FuelParts {
	/** The index of the memory with the cell. */
	readonly memory: number;
	/** The index of the function that is the slow path. */
	readonly slow: number;
	/** Whether the module knows exceptions. */
	readonly throws: boolean;
}

/** 64 bytes cost one. */
const BYTES_SHIFT = 6n;

/** Where the fuel is right: in the cell alone, in both, or in the local alone. */
const IN_CELL = 0;
const IN_BOTH = 1;
const IN_LOCAL = 2;
type Place = typeof IN_CELL | typeof IN_BOTH | typeof IN_LOCAL;

interface Frame {
	readonly flow: number;
	/** Whether it is reached, and where the fuel is right, where it begins. */
	readonly alive: boolean;
	readonly place: Place;
	/** Whether a branch leads behind it, and whether in any of these the local alone is right. */
	reached: boolean;
	isAhead: boolean;
	hasElse: boolean;
}

interface FuelBody extends FuelParts {
	/** The local that holds the fuel. */
	readonly local: number;
	/**
	 * The local behind all of the guest's. Where the fuel is a parameter the guest's first one is there, if it declares any, and what is for
	 * lengths, behind it; else the fuel.
	 */
	readonly behind: number;
	/** Where the fuel is a parameter and a result: what comes before it. */
	readonly result: ValueTypeSyntax | null | undefined;
	/** What is paid, and at which branches, as in `Segments`. */
	readonly segments: Float64Array;
	readonly branches: ReadonlyMap<number, number>;
	readonly loops: readonly number[];
	/** Where it is to be checked besides its loops. */
	readonly sites: readonly number[];
	readonly isPure: (callee: number) => boolean;
	readonly takesFuel: (callee: number) => boolean;
	readonly isWide: (reader: CodeReader) => boolean;
}

/**
 * Writes one body. Where ways of control meet the fuel is in the local, or in modules that know exceptions in the cell, as handlers
 * find it there.
 */
export class FuelWriter {
	readonly #editor: CodeEditor;
	readonly #body: FuelBody;
	readonly #frames: Frame[] = [];
	#segment = 0;
	#site = 0;
	#loop = 0;
	#alive = true;
	#place: Place = IN_CELL;
	readonly #outlines = new Outlines();

	constructor(editor: CodeEditor, body: FuelBody) {
		this.#editor = editor;
		this.#body = body;
	}

	write(): void {
		const editor = this.#editor;
		const { reader } = editor;
		this.#begin();
		this.#push(0, false);
		this.#checkHere(reader.codeStart);
		this.#pay(reader.codeStart);
		while (editor.next()) {
			const flow = FLOW[reader.op] ?? 0;
			if (flow === 0) {
				if (BULK[reader.op] !== 0) this.#runBulk();
				else this.#rename();
				this.#checkHere(reader.end);
				continue;
			}
			if (flow === LOOP) this.#openLoop();
			else {
				this.#step(flow);
				this.#checkHere(reader.end);
				if (this.#segmentHere) this.#pay(reader.end);
			}
		}
	}

	get #isThreaded(): boolean {
		return this.#body.result !== undefined;
	}

	/** What branches lead behind is a block, as behind it the fuel is put onto the stack. */
	#begin(): void {
		const { result } = this.#body;
		if (result === undefined) return;
		this.#place = IN_LOCAL;
		const { reader, writer } = this.#editor;
		writer.insert(reader.codeStart).op(OP.block);
		if (result === null) writer.out.u8(0x40);
		else encodeValueType(writer.out, result);
		this.#editor.addLabels(1);
	}

	/** The guest's local whose place the fuel has taken. */
	#rename(): void {
		const { local, behind } = this.#body;
		const { reader, writer } = this.#editor;
		const { op, first, start, end } = reader;
		if (first !== local || !this.#isThreaded) return;
		if (op === OP["local.get"] || op === OP["local.set"] || op === OP["local.tee"])
			writer.replace(start, end).op(op).out.u32(behind);
	}

	/** Puts the fuel onto the stack, where what comes next takes it from. */
	#pushFuel(position: number): void {
		this.#editor.writer.insert(position).op(OP["local.get"]).out.u32(this.#body.local);
	}

	get #segmentHere(): boolean {
		return this.#body.segments[2 * this.#segment] === this.#editor.reader.end;
	}

	#step(flow: number): void {
		const editor = this.#editor;
		const { reader } = editor;
		if (opensBlock(reader.op)) {
			if (flow === IF) this.#meet();
			if (flow === TRY) this.#settle();
			editor.countLabel();
			if (flow === TRY && this.#alive) for (const label of labelsOf(reader)) this.#branch(label);
			this.#push(flow, false);
			return;
		}
		switch (flow) {
			case ELSE:
			case CATCH:
				this.#meet();
				this.#turn(flow);
				break;
			case END:
			case DELEGATE:
				if (this.#frames.length === 1 && !this.#isThreaded) this.#settle();
				else this.#meet();
				this.#end();
				if (this.#frames.length === 0 && this.#isThreaded) this.#giveBack();
				break;
			case BR_IF:
			case BR:
			case BR_TABLE:
				this.#leap();
				if (flow !== BR_IF) this.#alive = false;
				break;
			case RETURN:
				if (this.#isThreaded) {
					this.#meet();
					this.#pushFuel(reader.start);
				} else this.#settle();
				this.#alive = false;
				break;
			case THROW:
			case UNREACHABLE:
				this.#settle();
				this.#alive = false;
				break;
			case CALL:
				if (reader.op === OP.call && this.#body.isPure(reader.first)) break;
				if (reader.op === OP.call && this.#body.takesFuel(reader.first)) {
					this.#callThreaded();
					break;
				}
				this.#settle();
				this.#place = IN_CELL;
		}
	}

	/** A function that takes the fuel, and gives back what it leaves: also where it is never reached, as it is to be valid. */
	#callThreaded(): void {
		const { reader, writer } = this.#editor;
		if (this.#alive && this.#place === IN_CELL) this.#load(reader.start);
		this.#pushFuel(reader.start);
		writer.insert(reader.end).op(OP["local.set"]).out.u32(this.#body.local);
		this.#place = IN_LOCAL;
	}

	/** The end of a function that was given the fuel. */
	#giveBack(): void {
		const { reader, writer } = this.#editor;
		this.#pushFuel(reader.end);
		writer.op(OP.end);
	}

	#push(flow: number, isOutlined: boolean): void {
		this.#outlines.push(isOutlined ? OUTLINE_BLOCKS : 0);
		this.#frames.push({
			flow,
			alive: this.#alive,
			place: this.#place,
			reached: false,
			isAhead: false,
			hasElse: false,
		});
	}

	/** Before the current instruction, behind which others find the fuel in the cell. */
	#settle(): void {
		if (!this.#alive || this.#place !== IN_LOCAL) return;
		const { reader, writer } = this.#editor;
		writer.insert(reader.start).op(OP["i32.const"]).out.s32(0);
		writer.op(OP["local.get"]).out.u32(this.#body.local);
		this.#access(OP["i64.store"]);
		this.#place = IN_BOTH;
	}

	/** Before the current instruction, with which ways of control part or meet. */
	#meet(): void {
		if (!this.#alive) return;
		if (this.#body.throws) {
			this.#settle();
			this.#place = IN_CELL;
		} else if (this.#place === IN_CELL) {
			this.#load(this.#editor.reader.start);
		}
	}

	/** A branch. */
	#leap(): void {
		const editor = this.#editor;
		const { reader } = editor;
		if (this.#alive) {
			const labels = labelsOf(reader);
			const amount = this.#body.branches.get(reader.start) ?? 0;
			if (amount !== 0) {
				this.#leapWith(amount, reader.first);
				return;
			}
			const outermost = this.#frames.length - 1;
			if (!this.#isThreaded && labels.includes(outermost)) this.#settle();
			if (this.#isThreaded || labels.some((label) => label !== outermost)) this.#meet();
			for (const label of labels) this.#branch(label);
		}
		this.#outlines.moveBranch(editor);
	}

	/** A `br_if` out of a loop, at which something is paid or given back when it is taken. */
	#leapWith(amount: number, label: number): void {
		const { reader, writer } = this.#editor;
		this.#meet();
		const place = this.#place;
		writer.replace(reader.start, reader.end).op(OP.if).out.u8(0x40);
		this.#take(amount);
		this.#branch(label);
		writer.op(OP.br).out.u32(this.#outlines.labelOf(label) + 1);
		writer.op(OP.end);
		this.#editor.addLabels(1);
		this.#place = place;
	}

	/** From one arm to the other. */
	#turn(flow: number): void {
		const frame = this.#frames.at(-1);
		if (frame === undefined) return;
		this.#join(frame);
		frame.hasElse = true;
		this.#alive = frame.alive;
		this.#place = flow === ELSE ? frame.place : IN_CELL;
	}

	/** The current place comes to lie behind the frame. */
	#join(frame: Frame): void {
		if (!this.#alive) return;
		frame.reached = true;
		frame.isAhead ||= this.#place === IN_LOCAL;
	}

	#branch(depth: number): void {
		const frame = this.#frames.at(-1 - depth);
		if (frame !== undefined && frame.flow !== LOOP) this.#join(frame);
	}

	#end(): void {
		const frame = this.#frames.pop();
		if (frame === undefined) return;
		this.#join(frame);
		if (frame.flow === IF && !frame.hasElse && frame.alive) {
			frame.reached = true;
			frame.isAhead ||= frame.place === IN_LOCAL;
		}
		this.#alive = frame.reached;
		if (this.#body.throws) this.#place = IN_CELL;
		else this.#place = frame.isAhead ? IN_LOCAL : IN_BOTH;
		if (this.#outlines.pop() > 0) closeOutline(this.#editor, () => this.#ask());
	}

	#openLoop(): void {
		const editor = this.#editor;
		const { reader, writer } = editor;
		const isOutlined = ((this.#body.loops[this.#loop++] ?? 0) & OUTLINED) !== 0;
		if (!this.#alive) {
			editor.countLabel();
			this.#push(LOOP, false);
			return;
		}
		this.#meet();
		// Turns come back with something paid
		if (!this.#body.throws) this.#place = IN_LOCAL;
		// Its own check is also one that was to stand here for another reason
		if (this.#body.sites[this.#site] === reader.end) this.#site++;
		if (!isOutlined) {
			editor.countLabel();
			this.#push(LOOP, false);
			this.#check(reader.end);
			this.#pay(reader.end);
			return;
		}
		openOutline(editor);
		editor.countLabel();
		this.#push(LOOP, true);
		this.#isNegative(reader.end);
		writer.op(OP.br_if).out.u32(EXIT_DEPTH);
		this.#pay(reader.end);
	}

	/** An instruction by length, which is paid for when it is done: then the length is known to be within something that there is. */
	#runBulk(): void {
		if (!this.#alive) return;
		const { writer, reader } = this.#editor;
		const { local, behind } = this.#body;
		const length = behind + 1;
		if (this.#place === IN_CELL) this.#load(reader.start);
		const isWide = this.#body.isWide(reader);
		writer.insert(reader.start);
		if (!isWide) writer.op(OP["i64.extend_i32_u"]);
		writer.op(OP["local.tee"]).out.u32(length);
		if (!isWide) writer.op(OP["i32.wrap_i64"]);
		writer.insert(reader.end);
		writer.op(OP["local.get"]).out.u32(local);
		writer.op(OP["local.get"]).out.u32(length);
		if (BULK[reader.op] === BYTES) {
			writer.op(OP["i64.const"]).out.s64(BYTES_SHIFT);
			writer.op(OP["i64.shr_u"]);
		}
		writer.op(OP["i64.sub"]).op(OP["local.set"]).out.u32(local);
		this.#place = IN_LOCAL;
	}

	/** Pays the next segment, which begins here. */
	#pay(position: number): void {
		const cost = this.#body.segments[2 * this.#segment++ + 1] ?? 0;
		if (cost === 0) return;
		const { writer } = this.#editor;
		writer.insert(position);
		this.#take(cost);
	}

	#take(cost: number): void {
		const { writer } = this.#editor;
		if (this.#place === IN_CELL) this.#pushCell();
		else writer.op(OP["local.get"]).out.u32(this.#body.local);
		writer.op(OP["i64.const"]).out.s64(BigInt(cost));
		writer.op(OP["i64.sub"]).op(OP["local.set"]).out.u32(this.#body.local);
		this.#place = IN_LOCAL;
	}

	#checkHere(position: number): void {
		if (this.#body.sites[this.#site] !== position) return;
		this.#site++;
		this.#check(position, position !== this.#editor.reader.codeStart);
	}

	/** @param beyond whether it stands behind what was paid long before: there, only the flag can say that the guest's time is over */
	#check(position: number, beyond = false): void {
		const editor = this.#editor;
		this.#isNegative(position, beyond);
		editor.writer.op(OP.if).out.u8(0x40);
		this.#ask();
		editor.writer.op(OP.end);
		editor.addLabels(1);
	}

	/** The slow path: it leaves the cell as far from the local as it was. */
	#ask(): void {
		const { local, slow } = this.#body;
		const { writer } = this.#editor;
		writer.op(OP["local.get"]).out.u32(local);
		writer.op(OP.call).out.u32(slow);
		writer.op(OP["local.set"]).out.u32(local);
	}

	#load(position: number): void {
		const { writer } = this.#editor;
		writer.insert(position);
		this.#pushCell();
		writer.op(OP["local.set"]).out.u32(this.#body.local);
		this.#place = IN_BOTH;
	}

	/** What follows branches. */
	#isNegative(position: number, orFlag = false): void {
		const editor = this.#editor;
		const { writer } = editor;
		if (this.#place === IN_CELL) this.#load(position);
		writer.insert(position).op(OP["local.get"]).out.u32(this.#body.local);
		writer.op(OP["i64.const"]).out.s64(0n);
		writer.op(OP["i64.lt_s"]);
		if (orFlag) {
			encodeCondition(writer.out, "yield", this.#body.memory);
			writer.op(OP["i32.or"]);
		}
		editor.hintUnlikely(position);
	}

	#pushCell(): void {
		this.#editor.writer.op(OP["i32.const"]).out.s32(0);
		this.#access(OP["i64.load"]);
	}

	/** Eight bytes aligned; bit 6 of the alignment says that a memory index follows. */
	#access(operator: number): void {
		this.#editor.writer.op(operator).out.u8(0x43).u32(this.#body.memory).u32(FUEL_CELL);
	}
}
