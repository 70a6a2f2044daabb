/** A growing list of unsigned numbers, for the millions that a pass over a large module meets. */
export class NumberList {
	#items: Uint32Array;
	length = 0;

	constructor(capacity = 1024) {
		this.#items = new Uint32Array(capacity);
	}

	push(value: number): void {
		if (this.length === this.#items.length) {
			const grown = new Uint32Array(this.length * 2);
			grown.set(this.#items);
			this.#items = grown;
		}
		this.#items[this.length++] = value;
	}

	/** The list as it is now; not copied. */
	get items(): Uint32Array {
		return this.#items.subarray(0, this.length);
	}
}
