import { type Cursor, refuse } from "./cursor.ts";
import { CALL, CALL_INDIRECT, CONTROL, END, type Instructions, LOOP } from "./instructions.ts";
import { isTailCall } from "./fuel.ts";
import type { Outline } from "./outline.ts";

/** Nanoseconds for each value beyond a few that is moved where ways part or meet, or to a function. */
const VALUE = 16;
const FEW = 2;
const FEW_PARAMS = 16;
/** The same of fields that are made without values. */
const FIELD = 8;
const FEW_FIELDS = 32;
/** The same of tables of so many labels and more, for each time that they are twice as many. */
const MANY_LABELS = 1024;
const LABELS_DOUBLED = 18;

const GROUP = 0x4e;
const SUBTYPES = new Set([0x50, 0x4f]);
const FUNCTION = 0x60;
const STRUCTURE = 0x5f;
const ARRAY = 0x5e;

const IF = 0x04;
const ELSE = 0x05;
const TRY = 0x06;
const THROW = 0x08;
const BR = 0x0c;
const BR_IF = 0x0d;
const BR_TABLE = 0x0e;
const RETURN = 0x0f;
const DIRECT_CALL = 0x10;
const DELEGATE = 0x18;
const TRY_TABLE = 0x1f;
const BLOCK = 0x02;
const CATCH = 0x07;
const CATCH_ALL = 0x19;
const BR_ON_NULL = 0xd5;
const BR_ON_NON_NULL = 0xd6;
const COLLECTED = 0xfb;
const NEW_DEFAULT = 0x01;

/** How much a type takes and gives: parameters and results, or fields. */
interface Shape {
	readonly params: number;
	readonly results: number;
	readonly fields: number;
}

function costOf(count: number, few: number, each: number): number {
	return count > few ? (count - few) * each : 0;
}

/** @param labels beside the default */
function costOfTable(labels: number): number {
	return labels < MANY_LABELS ? 0 : Math.floor(Math.log2(labels)) * LABELS_DOUBLED;
}

/** @param cursor over the content of the section of types */
function readShapes(cursor: Cursor): readonly Shape[] {
	const shapes: Shape[] = [];
	const read = (): void => {
		let form = cursor.byte();
		if (SUBTYPES.has(form)) {
			for (let n = cursor.number(); n > 0; n--) cursor.skipNumber();
			form = cursor.byte();
		}
		const types = (isField: boolean): number => {
			const count = cursor.number();
			for (let n = count; n > 0; n--) {
				cursor.skipType();
				if (isField) cursor.skip(1);
			}
			return count;
		};
		if (form === FUNCTION) shapes.push({ params: types(false), results: types(false), fields: 0 });
		else if (form === STRUCTURE) shapes.push({ params: 0, results: 0, fields: types(true) });
		else if (form === ARRAY) {
			cursor.skipType();
			cursor.skip(1);
			shapes.push({ params: 0, results: 0, fields: 0 });
		} else throw refuse(`a type of form ${form}`);
	};
	for (let groups = cursor.number(); groups > 0; groups--) {
		if (cursor.bytes[cursor.at] !== GROUP) read();
		else {
			cursor.skip(1);
			for (let n = cursor.number(); n > 0; n--) read();
		}
	}
	return shapes;
}

/** What values cost in a module. */
export class ValueCosts {
	readonly #shapes: readonly Shape[];
	readonly #outline: Outline;
	/** What a handler may take over. */
	readonly caught: number;

	/** @param types the content of its section of types */
	constructor(types: Cursor, outline: Outline) {
		this.#shapes = readShapes(types);
		this.#outline = outline;
		this.caught = outline.tags.reduce((most, type) => Math.max(most, this.params(type)), 0);
	}

	/** Of what is negative it is a type of its own, of no parameters and one result at most. */
	params(type: number): number {
		return type < 0 ? 0 : costOf(this.#shapes[type]?.params ?? 0, FEW, VALUE);
	}

	results(type: number): number {
		return type < 0 ? 0 : costOf(this.#shapes[type]?.results ?? 0, FEW, VALUE);
	}

	given(type: number): number {
		return costOf(this.#shapes[type]?.params ?? 0, FEW_PARAMS, VALUE);
	}

	fields(type: number): number {
		return costOf(this.#shapes[type]?.fields ?? 0, FEW_FIELDS, FIELD);
	}

	typeOf(index: number): number {
		return this.#outline.functions[index] ?? -1;
	}

	thrown(tag: number): number {
		return this.params(this.#outline.tags[tag] ?? -1);
	}
}

/** The blocks of a body that are open, and what it costs to go to their labels and their ends. */
export class Carried {
	readonly #costs: ValueCosts;
	readonly #labels: number[];
	readonly #ends: number[];
	#depth = 1;

	/** @param label what it costs to go to the outermost block that is known: what leads beyond costs nothing */
	constructor(costs: ValueCosts, label: number) {
		this.#costs = costs;
		this.#labels = [label];
		this.#ends = [label];
	}

	/** The same for a loop without parameters and results, by itself. */
	ofLoop(): Carried {
		return new Carried(this.#costs, 0);
	}

	/** What it costs to go to the innermost block's label. */
	get label(): number {
		return this.#labels[this.#depth - 1] ?? 0;
	}

	/** What the instruction that was read last costs by the values that it takes along. */
	pass(kind: number, instructions: Instructions): number {
		const { op, code, first, block, labels } = instructions;
		const costs = this.#costs;
		switch (kind) {
			case LOOP:
				this.#open(costs.params(block), costs.results(block));
				return costs.params(block);
			case END:
				return this.#close();
			case CALL:
				return costs.given(costs.typeOf(first));
			case CALL_INDIRECT:
				return costs.given(first);
			case CONTROL:
				break;
			default:
				return op === COLLECTED && code === NEW_DEFAULT ? costs.fields(first) : 0;
		}
		if (op === BR || op === BR_IF) return this.#labels[this.#depth - 1 - (labels[0] ?? 0)] ?? 0;
		if (op === BLOCK || op === IF || op === TRY || op === TRY_TABLE) {
			this.#open(costs.results(block), costs.results(block));
			return op === BLOCK ? 0 : op === IF ? costs.params(block) : costs.caught;
		}
		if (op === ELSE || op === CATCH || op === CATCH_ALL) return this.#ends[this.#depth - 1] ?? 0;
		if (op === DELEGATE) return this.#close();
		if (op === THROW) return costs.thrown(first);
		if (op === RETURN) return this.#ends[0] ?? 0;
		// Of what is left a table, and branches on references, have labels, of which all take the same
		if (op === BR_TABLE)
			return costOfTable(labels.length - 1) + (this.#labels[this.#depth - 1 - (labels[0] ?? 0)] ?? 0);
		const hasLabel = op === BR_ON_NULL || op === BR_ON_NON_NULL || op === COLLECTED;
		return hasLabel ? (this.#labels[this.#depth - 1 - (labels[0] ?? 0)] ?? 0) : 0;
	}

	/** What the results of the call that was read last cost. */
	behind({ op, first }: Instructions): number {
		if (isTailCall(op)) return 0;
		const costs = this.#costs;
		return costs.results(op === DIRECT_CALL ? costs.typeOf(first) : first);
	}

	#open(label: number, end: number): void {
		this.#labels[this.#depth] = label;
		this.#ends[this.#depth++] = end;
	}

	#close(): number {
		this.#depth--;
		return this.#ends[this.#depth] ?? 0;
	}
}
