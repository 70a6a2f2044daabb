/** Values by name that live no longer than somebody uses them; while a value is being made, its promise is kept. */
export class WeakTable<T extends object> {
	readonly #entries = new Map<string, Promise<T> | WeakRef<object>>();
	/** By the object that keeps it. */
	readonly #values = new WeakMap<object, Map<string, T>>();
	readonly #registry = new FinalizationRegistry<string>((name) => {
		const entry = this.#entries.get(name);
		if (entry instanceof WeakRef && entry.deref() === undefined) this.#entries.delete(name);
	});

	get size(): number {
		return this.#entries.size;
	}

	get(name: string): Promise<T> | T | undefined {
		const entry = this.#entries.get(name);
		if (!(entry instanceof WeakRef)) return entry;
		const owner = entry.deref();
		return owner && this.#values.get(owner)?.get(name);
	}

	/**
	 * What fails leaves no entry.
	 * @param ownerOf what the value lives as long as; without it, the value itself
	 */
	add(name: string, making: Promise<T>, ownerOf: (value: T) => object = (value) => value): Promise<T> {
		this.#entries.set(name, making);
		making.then(
			(value) => this.#entries.get(name) === making && this.set(name, value, ownerOf(value)),
			() => this.#entries.get(name) === making && this.#entries.delete(name),
		);
		return making;
	}

	/** @param owner what the value lives as long as; it may be part of the value, or the value itself */
	set(name: string, value: T, owner: object): void {
		let values = this.#values.get(owner);
		if (values === undefined) this.#values.set(owner, (values = new Map()));
		values.set(name, value);
		this.#entries.set(name, new WeakRef(owner));
		this.#registry.register(owner, name);
	}
}
