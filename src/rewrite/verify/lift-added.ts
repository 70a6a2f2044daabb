import { type Cursor, refuse } from "./cursor.ts";
import type { LiftOutline } from "./lift-outline.ts";

/** A function that was added, by what it stands for: the key is the instruction's bytes. */
interface Expected {
	readonly key: string;
	readonly params: readonly number[];
	readonly results: readonly number[];
	readonly body: () => readonly number[];
}

export function isBytes({ bytes, at, end }: Cursor, expected: readonly number[]): boolean {
	return end - at === expected.length && expected.every((byte, i) => bytes[at + i] === byte);
}

/** @throws SkerryError where other bytes stand */
export function takeBytes(to: Cursor, expected: readonly number[]): void {
	for (const byte of expected)
		if (to.byte() !== byte) throw refuse("an instruction that is the engine's is not replaced as it should be");
}

/** The functions behind the guest's own: each has to be what its callers need. */
export class Added {
	readonly #expected = new Map<number, Expected>();

	get size(): number {
		return this.#expected.size;
	}

	/** A call of an added function comes next; what that has to be is looked into at the end. */
	call(
		to: Cursor,
		key: string,
		params: readonly number[],
		results: readonly number[],
		body: () => readonly number[],
		count: number = params.length,
	): void {
		takeBytes(to, [0x10]);
		const index = to.number();
		const known = this.#expected.get(index);
		if (known !== undefined && known.key !== key) throw refuse("one function for two instructions");
		if (known !== undefined) return;
		this.#expected.set(index, { key, params: [count, ...params], results: [results.length, ...results], body });
	}

	/**
	 * One that may be called by none but other added functions: then it is the one that stands for nothing else.
	 * @returns its index; -1 where there is none
	 */
	find(key: string, first: number, count: number, shape: Omit<Expected, "key">): number {
		let found = -1;
		for (const [index, expected] of this.#expected) if (expected.key === key) found = index;
		for (let index = first; index < first + count && found < 0; index++) if (!this.#expected.has(index)) found = index;
		this.#expected.set(found, { key, ...shape });
		return found;
	}

	/** Compares them with what there is. */
	compare(lifted: Cursor, from: LiftOutline, to: LiftOutline, count: number): void {
		for (let i = 0; i < count; i++) {
			const index = from.functions.length + i;
			const expected = this.#expected.get(index);
			if (expected === undefined) throw refuse(`function ${index} is added, and stands for nothing`);
			const body = lifted.take(lifted.number());
			if (!isBytes(body, expected.body())) throw refuse(`function ${index} is not what stands for ${expected.key}`);
			const type = to.functions[index] ?? 0;
			const { params, results } = expected;
			const actual = to.types[type];
			if (type < from.types.length || actual === undefined || !isBytes(actual, [0x60, ...params, ...results]))
				throw refuse(`function ${index} has another type than ${expected.key}`);
		}
		if (this.#expected.size !== count) throw refuse("a call of a function that was not added");
	}
}
