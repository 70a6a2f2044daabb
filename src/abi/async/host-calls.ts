/** A call by the host that has not returned. */
export interface HostCall {
	resolve(value: unknown): void;
	reject(error: unknown): void;
}

/** Calls by the host into a sandbox, until each has been told what came of it. */
export class HostCalls {
	readonly #calls = new Set<HostCall>();
	/** Those that have their result, told to the host once the thread that gave it stops: until then it may trap. */
	#resolved: { call: HostCall; value: unknown }[] = [];

	get size(): number {
		return this.#calls.size;
	}

	/** Whether any is to be told of its result. */
	get areTellable(): boolean {
		return this.#resolved.length > 0;
	}

	/** A call begins, or has begun. */
	add(call: HostCall): void {
		this.#calls.add(call);
	}

	/** It has its result. */
	resolve(call: HostCall, value: unknown): void {
		this.#resolved.push({ call, value });
	}

	/** It does not begin. */
	refuse(call: HostCall, error: unknown): void {
		this.#calls.delete(call);
		call.reject(error);
	}

	/** Tells those that have their result. */
	tell(): void {
		const { length } = this.#resolved;
		if (length === 0) return;
		for (const { call, value } of length === 1 ? [this.#resolved.pop()!] : this.#resolved.splice(0)) {
			this.#calls.delete(call);
			call.resolve(value);
		}
	}

	/** None is under way any more. @returns those that were */
	drain(): HostCall[] {
		const calls = [...this.#calls];
		this.#resolved = [];
		this.#calls.clear();
		return calls;
	}
}
