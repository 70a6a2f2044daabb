import type { Calls } from "./calls.ts";
import { type Cursor, refuse, sameContent } from "./cursor.ts";
import {
	CALL,
	CALL_INDIRECT,
	CONTROL,
	END,
	FUNCTION_REFERENCE,
	Instructions,
	LOOP,
	PLAIN,
	TABLE_CHANGE,
} from "./instructions.ts";
import { type Fuel, FuelBook, type FuelSurroundings, isTailCall, SETTLED } from "./fuel.ts";
import { Carried, type ValueCosts } from "./carried.ts";
import { Beside } from "./metered-body.ts";
import { compareLocals, FUEL, LENGTH, LIMIT, NOTHING } from "./metered-locals.ts";
import { OpenStrips } from "./open-strips.ts";
import type { Outline } from "./outline.ts";
import { BARE_LOOP, costOf, IF_BLOCK, LOOP_BLOCK, type PathCosts, PLAIN_BLOCK, TRY_BLOCK } from "./path-costs.ts";
import type { PlainRun } from "./plain.ts";
import { costOfCounted, isMerge } from "./strips.ts";
import { moveFirstLocal } from "./threading.ts";

/** What is known of the module, and what is found out about it from one body to the next. */
export interface Surroundings extends FuelSurroundings {
	readonly outline: Outline;
	readonly calls: Calls;
	readonly paths: PathCosts;
	readonly values: ValueCosts;
	readonly plain: PlainRun;
	/** What bodies are looked at with, one after the other. */
	readonly frames: Frame[];
	readonly memories: number;
}

/** An open block. */
interface Frame {
	op: number;
	/** `undefined` where it is never reached. */
	start: Fuel | undefined;
	/** Where branches and the end lead. */
	end: Fuel | undefined;
	hasElse: boolean;
	/** How many blocks were added right around it, and around all that it stands in as well. */
	added: number;
	shift: number;
}

/** What is added around an outlined loop, and around one that runs in strips. */
const OUTLINE = 3;
const STRIP = 1;

/** Opcodes that control the flow. */
const IF = 0x04;
const ELSE = 0x05;
const TRY = 0x06;
const CATCH = 0x07;
const THROW = 0x08;
const RETHROW = 0x09;
const THROW_REF = 0x0a;
const BR = 0x0c;
const BR_TABLE = 0x0e;
const RETURN = 0x0f;
const DIRECT_CALL = 0x10;
const DELEGATE = 0x18;
const CATCH_ALL = 0x19;
const TRY_TABLE = 0x1f;
const CASTS = 0xfb;
/** What checks begin with. */
const CONSTANT = 0x41;
const LOCAL_GET = 0x20;

/** A body beside what it was rewritten to. */
export class BodyComparison {
	readonly #from: Cursor;
	readonly #beside: Beside;
	readonly #index: number;
	/** Bytes of the original. */
	readonly #size: number;
	readonly #module: Surroundings;
	readonly #instructions: Instructions;
	/** One for each depth, used again and again, in all bodies. */
	readonly #frames: Frame[];
	#depth = 0;
	/** Whether nothing was added. */
	#isSame = false;
	readonly #fuel: FuelBook;
	/** What is paid where a branch leads at which something was, if it is not the same. */
	#beyond: Fuel | undefined;
	/** Up to here something was added among plain instructions: they are looked at one by one. */
	#stepped = 0;
	/** Where control came together last. */
	#merge = 0;
	readonly #strips: OpenStrips;
	readonly #carried: Carried;

	/** @param body of the original */
	constructor(body: Cursor, to: Cursor, index: number, module: Surroundings) {
		const { threading } = module;
		const from = threading.has(index) ? moveFirstLocal(body, threading.paramsOf(index), index) : body;
		this.#from = from;
		this.#beside = new Beside(from, to, index);
		this.#frames = module.frames;
		this.#index = index;
		this.#size = body.end - body.at;
		this.#module = module;
		this.#instructions = new Instructions(from, true);
		this.#fuel = new FuelBook(from, this.#beside, index, module);
		const { values } = module;
		this.#strips = new OpenStrips(from, this.#beside, index, module);
		this.#carried = new Carried(values, values.results(values.typeOf(index)));
	}

	run(): void {
		const from = this.#from;
		const instructions = this.#instructions;
		const { fuel } = this.#module;
		const { paths } = this.#module;
		const locals = this.#compareLocals();
		this.#isSame = sameContent(from, this.#beside.to);
		if (this.#fuel.isThreaded)
			this.#beside.expect([0x02, ...this.#module.threading.blockOf(this.#index)], "the block around its body");
		this.#push(0, 0);
		paths.enter(this.#index, locals, this.#size);
		instructions.depth = 1;
		this.#merge = from.at;
		this.#hasCheck(true);
		if (fuel) this.#fuel.pay();
		this.#module.plain.highestLocal = -1;
		while (!from.done) {
			if (from.at >= this.#stepped) this.#pass();
			const start = from.at;
			const kind = instructions.next();
			const { op } = instructions;
			if (fuel) this.#fuel.runOne(instructions);
			const isBulk = fuel && this.#fuel.runBulk(start, instructions);
			const values = kind === PLAIN && op !== CASTS ? 0 : this.#carried.pass(kind, instructions);
			const cost = costOf(op, instructions.code) + values;
			if (paths.isAlive) paths.run(cost);
			if (kind !== PLAIN) {
				if (!isBulk && !this.#isSame) this.#fuel.settle(start);
				if (kind === LOOP) this.#loop(start);
				else this.#step(kind, start, cost);
				if (isMerge(kind, op)) this.#merge = from.at;
			}
			if (this.#isSame || this.#depth === 0 || this.#fuel.now === undefined) continue;
			this.#findCheck();
			if (!fuel || kind === PLAIN || kind === LOOP) continue;
			// A payment may stand behind whatever is not plain
			this.#beside.equalUpTo(from.at);
			this.#fuel.pay();
		}
		if (from.at !== from.end || this.#depth > 0) throw this.#refuse("ends in the middle");
		if (!this.#isSame) this.#beside.equalUpTo(from.end);
		if (!this.#isSame && !this.#beside.to.done) throw this.#refuse("has more than its original");
		this.#checkNames();
		this.#fuel.finish();
	}

	/** Passes plain instructions, if nothing was added among them. */
	#pass(): void {
		const from = this.#from;
		const { plain, paths, fuel, pieces } = this.#module;
		const beside = this.#beside;
		const { at } = from;
		plain.pass(from);
		if (from.at === at) return;
		// What was added may begin with a constant that is the guest's next, too
		const isUnclear = !this.#isSame && beside.overlaps(from.at, pieces.constantSize, pieces.constant);
		if (isUnclear || (!this.#isSame && !beside.equals(from.at))) {
			this.#stepped = from.at;
			from.at = at;
			return;
		}
		if (fuel) this.#fuel.run(plain.paid);
		if (paths.isAlive) paths.run(plain.cost);
		if (!this.#isSame && this.#fuel.now !== undefined) this.#findCheck();
	}

	#refuse(what: string): Error {
		return refuse(`function ${this.#index} ${what}`);
	}

	/** @returns how many the original declares */
	#compareLocals(): number {
		const { fuel, pieces, threading } = this.#module;
		const book = this.#fuel;
		const { isThreaded } = book;
		const added = fuel ? (isThreaded ? LENGTH : FUEL) : pieces.strips ? LIMIT : NOTHING;
		const { locals, isLonger } = compareLocals(this.#from, this.#beside.to, added, this.#index);
		this.#beside.passed(this.#from.at);
		this.#strips.hasLimit = isLonger && !fuel;
		if (!fuel) return locals;
		const params = threading.paramsOf(this.#index);
		if (isThreaded) book.local = params;
		else if (isLonger) book.local = params + locals;
		book.length = params + locals + 1;
		return locals;
	}

	#checkNames(): void {
		const { highestMemory, highestTable, highestFunction } = this.#instructions;
		const { memories, outline, plain } = this.#module;
		// Those of functions that are given the fuel were looked at before
		const { lowest } = this.#strips;
		const local = lowest >= 0 ? lowest : this.#fuel.isThreaded ? -1 : this.#fuel.local;
		const highestLocal = Math.max(this.#instructions.highestLocal, plain.highestLocal);
		const foreign =
			highestMemory >= memories || (plain.accesses && memories === 0)
				? `memory ${Math.max(highestMemory, 0)}`
				: highestTable >= outline.tables
					? `table ${highestTable}`
					: highestFunction >= outline.functions.length
						? `function ${highestFunction}`
						: local >= 0 && highestLocal >= local
							? `local ${highestLocal}`
							: undefined;
		if (foreign !== undefined) throw this.#refuse(`names ${foreign}, which the guest does not have`);
	}

	/** A check may stand between any two instructions. */
	#findCheck(): void {
		const { next } = this.#beside;
		if (this.#strips.isLatch) return;
		if (next !== CONSTANT && (next !== LOCAL_GET || !this.#module.fuel)) return;
		this.#beside.equalUpTo(this.#from.at);
		this.#hasCheck(false);
	}

	/**
	 * A check that calls the slow path where it stands: what it takes from the local and the cell it gives back to both.
	 * @param begins whether a loop or the function does, here
	 */
	#hasCheck(begins: boolean): boolean {
		const { pieces, fuel } = this.#module;
		const book = this.#fuel;
		if (fuel && book.local < 0) return false;
		const beside = this.#beside;
		const start = beside.to.at;
		const before = book.now;
		book.reload();
		if (beside.has(pieces.check(book.local, begins))) {
			this.#check();
			return true;
		}
		beside.to.at = start;
		book.now = before;
		return false;
	}

	#check(): void {
		this.#fuel.check();
		this.#module.paths.check();
	}

	#push(op: number, added: number): void {
		const shift = this.#added + added;
		const start = this.#fuel.now;
		const frame = this.#frames[this.#depth];
		if (frame === undefined) this.#frames.push({ op, start, end: undefined, hasElse: false, added, shift });
		else {
			frame.op = op;
			frame.start = start;
			frame.end = undefined;
			frame.hasElse = false;
			frame.added = added;
			frame.shift = shift;
		}
		this.#depth++;
	}

	/** The block that a label means. */
	#at(label: number): Frame | undefined {
		return label < this.#depth ? this.#frames[this.#depth - 1 - label] : undefined;
	}

	#loop(start: number): void {
		const { fuel, pieces, paths } = this.#module;
		const beside = this.#beside;
		const end = this.#from.at;
		if (this.#isSame) {
			if (fuel && this.#fuel.now !== undefined) throw this.#refuse("has a loop that has no check");
			this.#push(LOOP_OP, 0);
			this.#openUnchecked(start);
			return;
		}
		beside.equalUpTo(start);
		if (fuel && this.#fuel.now === undefined) {
			// It never runs
			beside.equalUpTo(end);
			this.#push(LOOP_OP, 0);
			paths.open(LOOP_BLOCK);
			return;
		}
		const isOutlined = pieces.outlines && beside.to.bytes[beside.to.at] === 0x02;
		if (isOutlined) {
			const type = this.#from.bytes.subarray(start + 1, end);
			beside.expect([0x02, ...type, 0x03, 0x40, 0x02, 0x40], "the blocks around a loop");
		}
		beside.equalUpTo(end);
		this.#fuel.enterLoop();
		this.#push(LOOP_OP, isOutlined ? OUTLINE : 0);
		if (isOutlined) {
			this.#fuel.reload();
			this.#check();
			beside.expect([...pieces.condition(this.#fuel.local), 0x0d, 1], "a check: a loop that has no check");
		}
		const isChecked = isOutlined || this.#hasCheck(true);
		if (!isChecked && fuel) throw this.#refuse("has a loop that has no check");
		if (isChecked) paths.open(LOOP_BLOCK);
		else this.#openUnchecked(start);
		if (fuel) this.#fuel.pay();
		const frame = this.#at(0);
		if (
			frame === undefined ||
			!this.#strips.hasLimit ||
			!isChecked ||
			isOutlined ||
			!this.#strips.begin(start, this.#carried.label)
		)
			return;
		frame.added = STRIP;
		frame.shift += STRIP;
	}

	/** A loop without a check at its head: all its turns may be counted, or each has to pass a check elsewhere. */
	#openUnchecked(start: number): void {
		const { paths } = this.#module;
		const cost = paths.isAlive ? costOfCounted(this.#from, this.#carried, this.#merge, start) : 0;
		if (cost > 0) paths.run(cost);
		paths.open(cost > 0 ? LOOP_BLOCK : BARE_LOOP);
	}

	/** @param cost of the instruction itself, which has run */
	#step(kind: number, start: number, cost: number): void {
		const { calls, outline, paths } = this.#module;
		const instructions = this.#instructions;
		const { op } = instructions;
		switch (kind) {
			case CALL: {
				const callee = calls.direct(instructions.first);
				paths.call(callee, callee, isTailCall(op), cost);
				paths.run(this.#carried.behind(instructions));
				if (op === DIRECT_CALL && this.#module.threading.has(instructions.first)) this.#fuel.callThreaded(start);
				else this.#fuel.call(instructions);
				break;
			}
			case CALL_INDIRECT: {
				// Of what nobody can come to call nothing need be promised
				if (paths.isAlive) {
					const callee = calls.indirect(instructions.first);
					paths.call(callee, calls.other(instructions.second, callee), isTailCall(op), cost);
					paths.run(this.#carried.behind(instructions));
				}
				this.#fuel.call(instructions);
				break;
			}
			case FUNCTION_REFERENCE:
				outline.taken.add(instructions.first);
				break;
			case TABLE_CHANGE:
				calls.changesTables = true;
				break;
			case CONTROL:
				this.#compareBranch(start);
				if (op === RETURN && this.#fuel.isThreaded) this.#fuel.push(start);
				this.#control(op);
				break;
			case END:
				this.#end();
		}
	}

	/** A branch that leaves an outlined loop has the depths of three blocks more. */
	#compareBranch(start: number): void {
		const { op, labels } = this.#instructions;
		const isBranch = op === BR || op === BR + 1 || op === BR_TABLE || op === 0xd5 || op === 0xd6;
		if (!isBranch) {
			const unmoved = op === TRY || op === TRY_TABLE || op === DELEGATE || op === RETHROW || op === CASTS;
			if (unmoved && this.#added > 0) throw this.#refuse("has labels in an outlined loop that are not moved");
			return;
		}
		if (this.#module.fuel && this.#comparesPayment(start)) return;
		if (this.#strips.compareLatch(start, labels[0] ?? 0) || this.#added === 0) return;
		const shift = labels.map((label) => this.#shift(label));
		if (shift.every((by) => by === 0)) return;
		const beside = this.#beside;
		beside.equalUpTo(start);
		const { to } = beside;
		const wanted = [
			...(op === BR_TABLE ? [labels.length - 1] : []),
			...labels.map((label, i) => label + (shift[i] ?? 0)),
		];
		if (to.byte() !== op || wanted.some((number) => to.number() !== number))
			throw this.#refuse("has a branch that goes elsewhere");
		beside.passed(this.#from.at);
	}

	/**
	 * A branch at which something is paid or given back: instead of the `br_if` an `if` with both.
	 * @returns whether it was one, which is all done then; `#beyond` is what is paid where it leads
	 */
	#comparesPayment(start: number): boolean {
		const { op, labels } = this.#instructions;
		const [label = 0] = labels;
		const beside = this.#beside;
		const book = this.#fuel;
		const before = book.now;
		if (before === undefined || this.#isSame) return false;
		beside.equalUpTo(start);
		if (op !== BR + 1 || !beside.has([IF, 0x40])) return false;
		if (!book.pay()) throw this.#refuse("has another branch");
		beside.expect([BR], "a branch");
		if (beside.to.number() !== label + this.#shift(label) + 1) throw this.#refuse("has a branch that goes elsewhere");
		beside.expect([END_OP], "the end of a branch");
		beside.passed(this.#from.at);
		this.#beyond = book.now;
		book.now = before;
		return true;
	}

	#shift(label: number): number {
		return this.#added - (this.#at(label)?.shift ?? 0);
	}

	/** How many blocks were added around where the current instruction is. */
	get #added(): number {
		return this.#at(0)?.shift ?? 0;
	}

	#control(op: number): void {
		const { labels } = this.#instructions;
		const { calls, paths } = this.#module;
		switch (op) {
			case TRY_TABLE:
				calls.catches = true;
				if (this.#fuel.now !== undefined) for (const label of labels) this.#branch(label, SETTLED);
				this.#push(op, 0);
				paths.open(TRY_BLOCK, [...labels]);
				break;
			case TRY:
				calls.catches = true;
				this.#push(op, 0);
				paths.open(TRY_BLOCK);
				break;
			case 0x02:
			case IF:
				this.#push(op, 0);
				paths.open(op === IF ? IF_BLOCK : PLAIN_BLOCK);
				break;
			case ELSE:
			case CATCH:
			case CATCH_ALL: {
				const frame = this.#at(0);
				if (frame === undefined) throw this.#refuse("goes on behind its end");
				this.#join(frame, this.#fuel.now);
				frame.hasElse = true;
				this.#fuel.now = op === ELSE || frame.start === undefined ? frame.start : SETTLED;
				if (op === ELSE) paths.turn();
				else paths.handle();
				break;
			}
			case DELEGATE:
				this.#end();
				break;
			case THROW:
			case RETHROW:
			case THROW_REF:
				calls.catches = true;
				if (paths.isAlive) paths.throws();
				paths.stop();
				this.#fuel.leave();
				break;
			case RETURN:
				paths.leave();
				this.#fuel.leave();
				break;
			case 0x00:
				paths.stop();
				this.#fuel.now = undefined;
				break;
			default:
				if (this.#fuel.now === undefined) break;
				for (const label of labels) this.#branch(label, this.#beyond ?? this.#fuel.now);
				this.#beyond = undefined;
				if (paths.isAlive) for (const label of labels) paths.branch(label);
				if (op === BR || op === BR_TABLE) {
					this.#fuel.now = undefined;
					paths.stop();
				}
		}
	}

	#branch(label: number, state: Fuel): void {
		const frame = this.#at(label);
		if (frame === undefined) throw this.#refuse("has a branch that leads nowhere");
		if (frame.op === LOOP_OP) {
			this.#fuel.comeBack(frame.start, state);
		} else this.#join(frame, state);
	}

	#join(frame: Frame, state: Fuel | undefined): void {
		if (state !== undefined) frame.end = this.#fuel.join(frame.end, state);
	}

	#end(): void {
		const frame = this.#at(0);
		if (frame === undefined) throw this.#refuse("goes on behind its end");
		this.#depth--;
		this.#join(frame, this.#fuel.now);
		if (frame.op === IF && !frame.hasElse) this.#join(frame, frame.start);
		this.#fuel.now = frame.end;
		this.#module.paths.end();
		if (frame.added === OUTLINE) this.#endOutlined();
		else if (frame.added === STRIP) this.#strips.end();
		if (this.#depth > 0) return;
		if (this.#fuel.isThreaded) this.#fuel.giveBack();
		this.#fuel.leave();
	}

	#endOutlined(): void {
		const beside = this.#beside;
		const { pieces } = this.#module;
		beside.equalUpTo(this.#from.at);
		const slow = [0x0c, 2, 0x0b, ...pieces.ask(this.#fuel.local), 0x0c, 0, 0x0b, 0x00, 0x0b];
		beside.expect(slow, "the slow path of a loop");
	}
}

const LOOP_OP = 0x03;
const END_OP = 0x0b;
