import { Cursor, refuse } from "./cursor.ts";
import { Instructions } from "./instructions.ts";
import { readTypeGroup } from "./items.ts";
import { KIND_FUNCTION, type Outline, readVector } from "./outline.ts";

/** Types as `readType` puts them: of the fuel, and what begins those that consist of two numbers. */
const I64 = "126";
const TWO_NUMBERS = new Set(["99", "100"]);

interface Signature {
	readonly params: readonly string[];
	readonly results: readonly string[];
}

/**
 * Functions that take the fuel as a parameter behind their own, and give it back as a result behind their own, as the rewriter says: they
 * are of types that stand behind all others, one for each of those that they had, in the order in which these first come.
 */
export class Threading {
	readonly #flags: Uint8Array;
	readonly #signatures: readonly (Signature | undefined)[];
	readonly #outline: Outline;
	readonly #imported: number;
	/** What types of functions become. */
	readonly #places = new Map<number, number>();
	/** What is to be added to the types. */
	readonly types: readonly string[];

	/**
	 * @param types the content of the original's section of types
	 * @param flags 1 for each body that the rewriter says to be one of these
	 */
	constructor(types: Cursor, outline: Outline, flags: Uint8Array) {
		this.#flags = flags;
		this.#outline = outline;
		this.#imported = outline.count(KIND_FUNCTION);
		this.#signatures = readVector(types, readTypeGroup).flatMap((group) => typesIn(group).map(readSignature));
		const added: string[] = [];
		for (let body = 0; body < flags.length; body++) {
			const index = this.#imported + body;
			if (!this.has(index)) continue;
			const type = outline.functions[index] ?? -1;
			if (this.#places.has(type)) continue;
			const { params, results } = this.#signatureOf(index);
			if (results.length > 1) throw refuse(`function ${index} gives back the fuel behind more than one result`);
			this.#places.set(type, added.length);
			added.push(`func (${[...params, I64].join(" ")})(${[...results, I64].join(" ")})`);
		}
		this.types = added;
	}

	has(index: number): boolean {
		return this.#flags[index - this.#imported] === 1;
	}

	/** How many types there are in the original. */
	get originals(): number {
		return this.#signatures.length;
	}

	/**
	 * Types of the guest's own functions.
	 * @param first the index of the first type that was added for these
	 */
	functions(first: number): readonly number[] {
		const { functions } = this.#outline;
		return functions.slice(this.#imported).map((type, body) => {
			return this.has(this.#imported + body) ? first + (this.#places.get(type) ?? 0) : type;
		});
	}

	/** How many parameters a function has in the original. */
	paramsOf(index: number): number {
		return this.#signatureOf(index).params.length;
	}

	/** The type of a block around all of a function's body, as bytes: those of a result that is a number. */
	blockOf(index: number): readonly number[] {
		const [result] = this.#signatureOf(index).results;
		if (result === undefined) return [0x40];
		if (!/^\d+$/.test(result)) throw refuse(`function ${index} gives back the fuel behind a result that is no number`);
		return [Number(result)];
	}

	#signatureOf(index: number): Signature {
		const signature = this.#signatures[this.#outline.functions[index] ?? -1];
		if (signature === undefined) throw refuse(`function ${index} is of no type of a function`);
		return signature;
	}

	/** Nobody but the guest's own calls by name may lead to them. */
	compareOpen(index: number): void {
		if (this.has(index)) throw refuse(`function ${index} wants fuel from callers that give none`);
	}

	/** Handlers look for the fuel in the cell. */
	compareThrows(): void {
		if (this.#places.size > 0) throw refuse("it keeps the fuel from what an exception may reach");
	}
}

/** One type, or those of a group of more or less. */
function typesIn(group: string): readonly string[] {
	if (!group.startsWith("rec ")) return [group];
	return group === "rec " ? [] : group.slice(4).split(", ");
}

function readSignature(type: string): Signature | undefined {
	const found = /func \(([^)]*)\)\(([^)]*)\)$/.exec(type);
	if (found === null) return undefined;
	return { params: valuesIn(found[1] ?? ""), results: valuesIn(found[2] ?? "") };
}

function valuesIn(list: string): readonly string[] {
	const numbers = list === "" ? [] : list.split(" ");
	const values: string[] = [];
	for (let i = 0; i < numbers.length; i++) {
		const number = numbers[i] ?? "";
		values.push(TWO_NUMBERS.has(number) ? `${number} ${numbers[++i]}` : number);
	}
	return values;
}

/** The locals that a body declares, parameters not among them; the cursor goes behind. */
function countLocals(cursor: Cursor): number {
	let count = 0;
	for (let runs = cursor.number(); runs > 0; runs--) {
		count += cursor.number();
		cursor.skipType();
	}
	return count;
}

/**
 * A body, from its locals on, as it is when the first local that it declares stands behind all others: its place is that of the fuel.
 * @param params how many parameters there are: it is the local of this index
 */
export function moveFirstLocal(body: Cursor, params: number, index: number): Cursor {
	const { bytes, at: start, end } = body;
	const probe = new Cursor(bytes, start, end);
	const behind = params + countLocals(probe);
	const out = new Bytes(2 * (end - start) + 32);
	const declared = new Cursor(bytes, start, end);
	const runs = readVector(declared, (cursor) => {
		const count = cursor.number();
		const { at } = cursor;
		cursor.skipType();
		return { count, type: bytes.subarray(at, cursor.at) };
	}).filter(({ count }) => count > 0);
	const [first, ...others] = runs;
	const moved = first === undefined ? [] : [{ ...first, count: first.count - 1 }, ...others, { ...first, count: 1 }];
	const left = moved.filter(({ count }) => count > 0);
	out.number(left.length);
	for (const { count, type } of left) {
		out.number(count);
		out.bytes(type);
	}
	const code = new Cursor(bytes, probe.at, end);
	const instructions = new Instructions(code, true);
	let copied = code.at;
	while (!code.done) {
		const { at } = code;
		instructions.next();
		const { op } = instructions;
		if (op < 0x20 || op > 0x22 || instructions.local !== params) continue;
		out.bytes(bytes.subarray(copied, at));
		out.number(op);
		out.number(behind);
		copied = code.at;
	}
	out.bytes(bytes.subarray(copied, end));
	const { highestLocal } = instructions;
	if (highestLocal >= behind)
		throw refuse(`function ${index} names local ${highestLocal}, which the guest does not have`);
	return new Cursor(out.taken);
}

class Bytes {
	readonly #buffer: Uint8Array;
	#size = 0;

	constructor(most: number) {
		this.#buffer = new Uint8Array(most);
	}

	/** An unsigned LEB128, shortest form. */
	number(value: number): void {
		let rest = value;
		for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.#buffer[this.#size++] = (rest & 0x7f) | 0x80;
		this.#buffer[this.#size++] = rest;
	}

	bytes(bytes: Uint8Array): void {
		this.#buffer.set(bytes, this.#size);
		this.#size += bytes.length;
	}

	get taken(): Uint8Array {
		return this.#buffer.subarray(0, this.#size);
	}
}
