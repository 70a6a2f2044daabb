import {
	type BranchHint,
	type BranchHints,
	type Code,
	CodeReader,
	CodeWriter,
	defineSkim,
	type IndirectNameMap,
	operatorOf,
} from "../../wasm/mod.ts";
import { FLOW } from "./control.ts";
import { writeFillers } from "./fillers.ts";

const OF_FLOW = defineSkim((op) => FLOW[op] !== 0);

/** Code that was written anew, and what points into it. */
export interface EditedCode {
	readonly code: Code;
	/** `null` where the guest's own could not be read. */
	readonly hints: BranchHints | null;
	/** The new numbers of labels that have names. */
	readonly labels: IndirectNameMap;
	/** How many functions stand behind all others that are there for V8 to inline as much as without checks. */
	readonly fillers: number;
}

/** Walks bodies and writes them anew; branch hints and the numbers of labels come along. */
export class CodeEditor {
	readonly reader: CodeReader;
	readonly writer: CodeWriter;
	readonly #code: Code;
	readonly #imported: number;
	readonly #old: BranchHints | null;
	readonly #names: IndirectNameMap;
	readonly #hints = new Map<number, readonly BranchHint[]>();
	readonly #labels = new Map<number, ReadonlyMap<number, string>>();
	/** Of the body that is being written. */
	#function = 0;
	#kept: ReadonlyMap<number, boolean> = new Map();
	#added: BranchHint[] = [];
	#numbers: number[] = [];
	#nextLabel = 0;

	/** @param imported how many functions are imported */
	constructor(code: Code, imported: number, hints: BranchHints | null, names: IndirectNameMap) {
		this.reader = new CodeReader(code);
		this.writer = new CodeWriter(code);
		this.#code = code;
		this.#imported = imported;
		this.#old = hints;
		this.#names = names;
		for (const [index, labels] of names) this.#labels.set(index, labels);
	}

	/** A body that stays as it is. */
	copy(body: number): void {
		const kept = this.#old?.get(this.#imported + body);
		if (kept !== undefined) this.#hints.set(this.#imported + body, kept);
		this.writer.begin(this.#code.starts[body] ?? 0).finishBody(this.#code.ends[body] ?? 0);
	}

	begin(body: number): void {
		this.#function = this.#imported + body;
		this.#kept = new Map((this.#old?.get(this.#function) ?? []).map(({ offset, likely }) => [offset, likely]));
		this.#added = [];
		this.#numbers = [];
		this.#nextLabel = 0;
		this.reader.enter(body);
		this.writer.begin(this.reader.bodyStart);
	}

	/** Moves to the next instruction. What was to be written before it has been written. */
	next(): boolean {
		const { reader } = this;
		if (!reader.next()) return false;
		if (this.#kept.size > 0) {
			const likely = this.#kept.get(reader.start - reader.bodyStart);
			if (likely !== undefined) this.#added.push({ offset: this.writer.offsetOf(reader.start), likely });
		}
		return true;
	}

	/** Moves to the next instruction that does something to the flow of control, or to another one. */
	nextOfFlow(): boolean {
		// Hints may stand at any instruction, and move with it
		return this.#kept.size > 0 ? this.next() : this.reader.nextOf(OF_FLOW);
	}

	/** Whether nothing points into the body, so that it can be edited without being walked. */
	isPlain(body: number): boolean {
		const index = this.#imported + body;
		return this.#old?.has(index) !== true && !this.#names.has(index);
	}

	/** Goes to the end of the body. */
	skip(body: number): void {
		this.reader.rewind(this.#code.ends[body] ?? 0);
	}

	/** The current instruction opens a block. */
	countLabel(): void {
		if (this.#names.has(this.#function)) this.#numbers.push(this.#nextLabel++);
	}

	/** Blocks are written that the guest does not have. */
	addLabels(count: number): void {
		this.#nextLabel += count;
	}

	/** What is written next is a branch that is hardly ever taken. */
	hintUnlikely(position: number): void {
		this.#added.push({ offset: this.writer.offsetOf(position), likely: false });
	}

	/** The current instruction, which is written anew, does not keep the hint that it had. */
	dropHint(): void {
		if (this.#kept.has(this.reader.start - this.reader.bodyStart)) this.#added.pop();
	}

	finishBody(): void {
		const { reader } = this;
		this.writer.finishBody(reader.end);
		if (this.#added.length > 0) this.#hints.set(this.#function, this.#added);
		const names = this.#names.get(this.#function);
		if (names !== undefined) {
			const moved = [...names].map(([label, name]) => [this.#numbers[label] ?? label, name] as const);
			this.#labels.set(this.#function, new Map(moved));
		}
	}

	finish(): EditedCode {
		const fillers = writeFillers(this.#code, this.writer);
		const hints = this.#old === null ? null : this.#hints;
		return { code: this.writer.finish(), hints, labels: this.#labels, fillers };
	}
}

/** Whether the operator opens a block. */
export function opensBlock(op: number): boolean {
	return operatorOf(op)?.atoms[0] === "block";
}
