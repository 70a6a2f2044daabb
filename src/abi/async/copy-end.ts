import { trap } from "../traps.ts";
import type { Copier, Shared } from "./shared-stream.ts";
import { Waitable } from "./waitable.ts";

export type EndKind = "stream" | "future";
type CopyState = "idle" | "sync-copying" | "async-copying" | "cancelling" | "done";

/** CanonicalABI.md `CopyEnd`: one end of a stream or future in a handle table. */
export class CopyEnd extends Waitable {
	readonly kind: EndKind;
	readonly readable: boolean;
	readonly shared: Shared;
	state: CopyState = "idle";
	/** The copy that is under way, or was the last. */
	copier: Copier | null = null;
	/** How the other side came to its end, for messages. */
	#why = "";

	constructor(kind: EndKind, readable: boolean, shared: Shared) {
		super();
		this.kind = kind;
		this.readable = readable;
		this.shared = shared;
	}

	get copying(): boolean {
		return this.state !== "idle" && this.state !== "done";
	}

	/** Nothing can be copied any more. */
	end(): void {
		this.state = "done";
		const other = this.readable ? "writable" : "readable";
		if (this.kind === "stream") this.#why = `being notified that the ${other} end dropped`;
		else this.#why = this.readable ? "previous read succeeded" : "previous write succeeded or readable end dropped";
	}

	/** Traps unless it can begin to copy, or be lifted. */
	checkIdle(what: string): void {
		if (this.state === "done") trap(`cannot ${what} ${this.kind} after ${this.#why}`);
		if (this.state !== "idle") trap("cannot have concurrent operations active on a future/stream");
	}

	drop(): void {
		if (this.copying)
			trap(this.readable ? "cannot remove busy stream: cannot drop busy stream" : "cannot drop busy stream");
		if (this.kind === "future" && !this.readable && this.state !== "done") {
			trap("cannot drop future write end without first writing a value");
		}
		this.release();
		this.join(null);
	}

	/** The sandbox ends, or the end is dropped: the other side learns of it. */
	release(): void {
		this.shared.drop();
	}
}
