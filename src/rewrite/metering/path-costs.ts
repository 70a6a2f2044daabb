import { type CodeReader, defineSkim } from "../../wasm/mod.ts";
import {
	BLOCK,
	BR,
	BR_IF,
	BR_TABLE,
	CATCH,
	DELEGATE,
	ELSE,
	END,
	FLOW,
	IF,
	isCall,
	labelsOf,
	LOOP,
	RETURN,
	THROW,
	TRY,
	UNREACHABLE,
} from "./control.ts";
import { BOUND, COST, costOfEntry, FIRST_CALL, SMALL_FIRST_CALL, TAIL, TURN, UP } from "./costs.ts";
import type { Values } from "./values.ts";

/** What callers are promised of a function; -1 where there is no such way. */
export interface Contract {
	/** The most that runs before its first check, or to its end. */
	readonly head: number;
	/** The most that runs on a way through it without a check. */
	readonly through: number;
	/** The most that runs from its last check to its end. */
	readonly tail: number;
}

/** What is known of the function that the current instruction calls. */
export interface Callee extends Contract {
	/** Whether it may come back to the caller: then what runs behind the call may run in every frame of a recursion. */
	readonly closes: boolean;
	/** If so, the most that has run since its last check where it comes back; 0 of what is bounded in each frame. */
	readonly returns: number;
	/** What it takes to compile what is called, beside what its head has of it: counted but right behind a check. */
	readonly first: number;
}

export interface PathRules {
	readonly callee: () => Callee;
	/** Whether a loop, by its number in the body, has a check at its head. */
	readonly isChecked: (loop: number) => boolean;
	/** What a loop may run behind the check at its head before it comes to that again, by its number in the body; 0 but for strips. */
	readonly stripOf: (loop: number) => number;
	/** What all turns of a loop cost that has no check for that, by its number in the body; 0 for all others. */
	readonly shortOf: (loop: number) => number;
	/** Whether what runs behind calls that close a cycle is bounded in each frame, or told to whoever calls. */
	readonly isBounded: boolean;
	/** Whether what is first called behind a call that closes a cycle need not be counted in each frame. */
	readonly callsFew: boolean;
	/** What the function may run before its first check, and from its last to its end. */
	readonly head: number;
	readonly tail: number;
	/** Of a body in which they cost something. */
	readonly values: Values | undefined;
	/** Whether calls may throw. */
	readonly throws: boolean;
	/** Whether the function is checked where it is entered, or before it calls what closes a cycle. */
	readonly entry: "none" | "early" | "late";
}

/** What has run at most: since the function's entry, since a check, since a call that closes a cycle; -1 where no way comes from there. */
class Costs {
	head = -1;
	since = -1;
	up = -1;

	get isAlive(): boolean {
		return this.head >= 0 || this.since >= 0;
	}

	set({ head, since, up }: Costs): this {
		this.head = head;
		this.since = since;
		this.up = up;
		return this;
	}

	/** Of two ways that meet, the one that costs more. */
	join({ head, since, up }: Costs): void {
		if (head > this.head) this.head = head;
		if (since > this.since) this.since = since;
		if (up > this.up) this.up = up;
	}

	/** What a handler takes over: before the first check, it was counted where its block began. */
	take(cost: number): void {
		if (this.since >= 0) this.since += cost;
		if (this.up >= 0) this.up += cost;
	}

	add(cost: number): void {
		if (this.head >= 0) this.head += cost;
		if (this.since >= 0) this.since += cost;
		if (this.up >= 0) this.up += cost;
	}

	/** Whether so much more is too much, of which `head` may be run before the first check. */
	exceeds(cost: number, head: number): boolean {
		return (
			(this.head >= 0 && this.head + cost > head) ||
			(this.since >= 0 && this.since + cost > BOUND) ||
			(this.up >= 0 && this.up + cost > BACK)
		);
	}

	check(): void {
		this.head = this.up = -1;
		this.since = 0;
	}

	end(): void {
		this.head = this.since = this.up = -1;
	}
}

/** What may run behind a call that closes a cycle: what was called may have come back so long after its last check. */
const BACK = BOUND - TAIL;

const NONE: readonly number[] = [];

/** Operators from here on have a prefix. */
const PREFIXED = 0x100;

/** An open block. There is one for each depth, which is used again and again. */
class Frame {
	flow = 0;
	readonly start = new Costs();
	/** Behind it. */
	readonly end = new Costs();
	/** Where its exceptions are caught. */
	readonly thrown = new Costs();
	/** Of a `try_table`, as depths from outside of it. */
	labels: readonly number[] = NONE;
	hasElse = false;
	isCaught = false;
	/** A loop without a check of its own. */
	isBare = false;
}

/** All that does nothing to the flow of control is passed over. */
const SKIM = defineSkim((op) => FLOW[op] !== 0, COST);

/**
 * Walks one body and finds where it has to be checked, so that on no way more runs between two checks than the bounds say. What runs behind a call that closes a
 * cycle is bounded where it comes to the end of the function: then what called that goes on, in its turn.
 */
export class PathWalk {
	readonly #reader: CodeReader;
	readonly #rules: PathRules;
	readonly #now = new Costs();
	readonly #exit = new Costs();
	readonly #taken = new Costs();
	readonly #frames: Frame[] = [];
	#depth = 0;
	/** The blocks whose handlers an exception finds, the innermost last. */
	readonly #tries: Frame[] = [];
	/** Where checks are to be, ascending. */
	readonly sites: number[] = [];
	/** How many of them are only before calls that close a cycle. */
	late = 0;
	/** Whether something that has more to run than is told ends the function. */
	isUnfit = false;
	#loop = 0;
	#head = 0;
	/** What the current instruction costs. */
	#cost = 0;

	constructor(reader: CodeReader, rules: PathRules) {
		this.#reader = reader;
		this.#rules = rules;
	}

	run(body: number): Contract {
		const reader = this.#reader;
		const now = this.#now;
		const { values } = this.#rules;
		reader.enter(body);
		values?.enter(body);
		// It is compiled, and locals are written, before anything of the body is run, be it a check
		now.head = this.#head = costOfEntry(reader.declared);
		if (this.#rules.entry === "early") this.#check(reader.codeStart);
		this.#push(BLOCK);
		for (let from = reader.end; reader.nextOf(SKIM); from = reader.end) {
			if (now.isAlive && reader.passed > 0) this.#pass(from);
			const { op } = reader;
			const flow = FLOW[op] as number;
			this.#cost = COST[op] as number;
			if (values !== undefined) this.#cost += values.step(reader);
			if (now.isAlive) {
				if (isCall(op)) this.#call();
				else this.#pay(this.#cost);
			}
			if (flow !== 0) this.#step(flow);
		}
		return { head: this.#head, through: this.#exit.head, tail: this.#exit.since };
	}

	/** Instructions from `from` to the current one, one by one only where they are too much together. */
	#pass(from: number): void {
		const now = this.#now;
		const reader = this.#reader;
		const { passed, start } = reader;
		if (!now.exceeds(passed, this.#rules.head)) {
			now.add(passed);
			if (now.head > this.#head) this.#head = now.head;
			return;
		}
		reader.rewind(from);
		while (reader.end < start && reader.next()) this.#pay(COST[reader.op] as number);
		reader.next();
	}

	/** The block that a label means. */
	#at(label: number): Frame | undefined {
		return label < this.#depth ? this.#frames[this.#depth - 1 - label] : undefined;
	}

	#check(position: number): void {
		if (this.sites.at(-1) !== position) this.sites.push(position);
		this.#now.check();
	}

	/** Before the current instruction, which has been paid. */
	#checkBefore(): void {
		this.#check(this.#reader.start);
		this.#now.add(this.#cost);
	}

	#pay(cost: number): void {
		const now = this.#now;
		if (now.exceeds(cost, this.#rules.head)) this.#check(this.#reader.start);
		now.add(cost);
		if (now.head > this.#head) this.#head = now.head;
	}

	#call(): void {
		const now = this.#now;
		const { head, through, tail, closes, returns, first } = this.#rules.callee();
		// Right behind a check another one is of no use
		const isChecked = now.head < 0 && now.up < 0 && now.since === 0;
		let cost = this.#cost + (isChecked ? 0 : first);
		const once = this.#rules.callsFew ? FIRST_CALL + (closes || first <= SMALL_FIRST_CALL ? first : 0) : 0;
		const results = this.#rules.values?.behind(this.#reader) ?? 0;
		const isLast = FLOW[this.#reader.op] === RETURN || this.#rules.throws;
		const isLate = closes && now.head >= 0 && this.#rules.entry === "late";
		if (isLate) this.late++;
		if (
			isLate ||
			(!isChecked &&
				(now.exceeds(cost + (results > 0 ? Math.max(head, through + results) : head), this.#rules.head) ||
					(isLast && through >= 0 && this.#isLateToEnd(cost + through, once))))
		) {
			this.#check(this.#reader.start);
			cost -= first;
		}
		if (now.head >= 0) this.#head = Math.max(this.#head, now.head + cost + head);
		if (through < 0) now.end();
		else {
			now.add(cost + through);
			if (now.up >= 0) now.up -= once;
		}
		if (closes) {
			now.since = Math.max(now.since, returns);
			now.up = Math.max(now.up, returns);
			if (isLast && this.#rules.isBounded && returns > UP) this.isUnfit = true;
		} else now.since = Math.max(now.since, tail, now.head < 0 ? 0 : -1);
		if (this.#rules.throws) {
			this.#exit.join(now);
			this.#tries.at(-1)?.thrown.join(now);
		}
		if (results === 0) return;
		now.add(results);
		if (now.head > this.#head) this.#head = now.head;
	}

	/** Whether it is too much if the function ends behind the current call, which is not checked, with what of its cost is not in each frame. */
	#isLateToEnd(cost: number, once: number): boolean {
		const { since, up } = this.#now;
		return (since >= 0 && since + cost > TAIL) || (this.#rules.isBounded && up >= 0 && up + cost - once > UP);
	}

	/** The function ends with the current instruction, be it a branch to its own block: that does not pass a check before its last `end`. */
	#leave(): void {
		if ((this.#rules.isBounded && this.#now.up > UP) || this.#now.since > this.#rules.tail) this.#checkBefore();
		this.#exit.join(this.#now);
	}

	#push(flow: number, isBare = false, labels: readonly number[] = NONE): void {
		const frame = (this.#frames[this.#depth++] ??= new Frame());
		frame.flow = flow;
		frame.start.set(this.#now);
		frame.end.end();
		frame.labels = labels;
		frame.hasElse = frame.isCaught = false;
		frame.isBare = isBare;
		if (flow !== TRY) return;
		frame.thrown.end();
		this.#tries.push(frame);
	}

	#step(flow: number): void {
		const now = this.#now;
		const reader = this.#reader;
		switch (flow) {
			case LOOP: {
				const loop = this.#loop++;
				const short = this.#rules.shortOf(loop);
				if (short > 0) {
					if (now.isAlive && now.exceeds(short, this.#rules.head)) this.#checkBefore();
					this.#pay(short);
					this.#push(flow);
					break;
				}
				const isBare = !this.#rules.isChecked(loop);
				if (now.isAlive && isBare) now.since = Math.max(now.since, TURN);
				else if (now.isAlive) {
					now.check();
					now.add(this.#rules.stripOf(loop));
				}
				this.#push(flow, isBare);
				break;
			}
			case TRY:
				this.#push(flow, false, labelsOf(reader));
				break;
			case BLOCK:
			case IF:
				this.#push(flow);
				break;
			case BR_IF:
			case BR:
			case BR_TABLE:
				if (!now.isAlive) break;
				if (flow !== BR_TABLE && reader.op < PREFIXED) this.#branch(reader.first);
				else this.#branches(labelsOf(reader));
				if (flow !== BR_IF) now.end();
				break;
			case ELSE: {
				const frame = this.#at(0);
				if (frame === undefined) break;
				frame.end.join(now);
				frame.hasElse = true;
				now.set(frame.start);
				break;
			}
			case CATCH:
				this.#catch();
				break;
			case END:
			case DELEGATE:
				this.#end();
				break;
			case THROW:
				if (now.isAlive) this.#leave();
				this.#tries.at(-1)?.thrown.join(now);
				now.end();
				break;
			case RETURN:
				if (isCall(reader.op)) this.#exit.join(now);
				else this.#leave();
				now.end();
				break;
			case UNREACHABLE:
				now.end();
		}
	}

	#branch(label: number): void {
		const frame = this.#at(label);
		if (frame === undefined) return;
		if (frame.isBare) this.#turn();
		if (frame === this.#frames[0]) this.#leave();
		else if (frame.flow !== LOOP) frame.end.join(this.#now);
	}

	#branches(labels: readonly number[]): void {
		const frames = labels.flatMap((label) => this.#at(label) ?? []);
		if (frames.some((frame) => frame.isBare)) this.#turn();
		// A check of this one is one of all
		if (frames.some((frame) => frame === this.#frames[0])) this.#leave();
		for (const frame of frames) if (frame.flow !== LOOP && frame !== this.#frames[0]) frame.end.join(this.#now);
	}

	/** A turn that comes to a loop without a check brings little with it. */
	#turn(): void {
		if (this.#now.since > TURN || this.#now.up >= 0) this.#checkBefore();
	}

	/** The block's exceptions are caught, or go on to the next handler. */
	#leaveTry(frame: Frame): void {
		if (frame.isCaught || frame.flow !== TRY) return;
		frame.isCaught = true;
		this.#tries.pop();
		this.#tries.at(-1)?.thrown.join(frame.thrown);
	}

	#catch(): void {
		const frame = this.#at(0);
		if (frame?.flow !== TRY) return;
		frame.end.join(this.#now);
		this.#leaveTry(frame);
		this.#now.set(frame.thrown);
		this.#now.take(this.#rules.values?.caught ?? 0);
	}

	#end(): void {
		const frame = this.#at(0);
		if (frame === undefined) return;
		this.#depth--;
		const { end, start, thrown, labels } = frame;
		end.join(this.#now);
		if (frame.flow === IF && !frame.hasElse) end.join(start);
		this.#now.set(end);
		this.#leaveTry(frame);
		const taken = this.#taken.set(thrown);
		taken.take(this.#rules.values?.caught ?? 0);
		for (const label of labels) {
			const target = this.#at(label);
			if (target === undefined || target.flow === LOOP) continue;
			// Where the function ends with it, its caller takes over as much
			if (target === this.#frames[0]) this.#exit.join(thrown);
			else target.end.join(taken);
		}
		if (this.#depth === 0) this.#leave();
	}
}
