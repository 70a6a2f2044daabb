import type { Waitable } from "../../sys/mod.ts";
import { attemptUntil, type Watch, watchOf } from "./watch.ts";

/** `wasi:io/poll.pollable`. */
export class Pollable {
	readonly watch: Watch;
	readonly #onDrop: (() => void) | undefined;

	constructor(watch: Watch, onDrop?: () => void) {
		this.watch = watch;
		this.#onDrop = onDrop;
	}

	/** A pollable for something that can be waited for. */
	static of(waitable: Waitable): Pollable {
		return new Pollable(watchOf(waitable));
	}

	ready(): boolean {
		return this.watch.ready();
	}

	/** A promise only when it has to wait. */
	block(): undefined | Promise<undefined> {
		if (this.ready()) return undefined;
		return this.#wait();
	}

	async #wait(): Promise<undefined> {
		await attemptUntil(
			() => [this.watch],
			() => this.ready() || undefined,
		);
	}

	drop(): void {
		this.#onDrop?.();
	}
}

/** The indexes of those that are ready, in order; waits until there is one. */
export function pollAll(pollables: readonly Pollable[]): number[] | Promise<number[]> {
	return attemptUntil(
		() => pollables.map(({ watch }) => watch),
		() => findReady(pollables),
	);
}

function findReady(pollables: readonly Pollable[]): number[] | undefined {
	let ready: number[] | undefined;
	for (let i = 0; i < pollables.length; i++) {
		if (!(pollables[i] as Pollable).ready()) continue;
		if (ready === undefined) ready = [i];
		else ready.push(i);
	}
	return ready;
}
