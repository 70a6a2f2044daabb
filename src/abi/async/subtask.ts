import { CallScope } from "../handles.ts";
import { trap } from "../traps.ts";
import { Waitable } from "./waitable.ts";

/** CanonicalABI.md `Subtask.State`. */
export const SUBTASK = {
	starting: 0,
	started: 1,
	returned: 2,
	cancelledBeforeStarted: 3,
	cancelledBeforeReturned: 4,
} as const;

/** CanonicalABI.md `Subtask`: a call, as its caller sees it. */
export class Subtask extends Waitable {
	state: (typeof SUBTASK)[keyof typeof SUBTASK] = SUBTASK.starting;
	/** What it borrows of its caller; given back when the caller has been told that it is resolved, not before. */
	readonly scope: CallScope = new CallScope();
	/** Asks the callee to end early; a promise where that runs the callee. */
	cancel: (() => void | Promise<void>) | null = null;
	cancellationRequested = false;
	#delivered = false;

	get resolved(): boolean {
		return this.state >= SUBTASK.returned;
	}

	get resolveDelivered(): boolean {
		return this.#delivered;
	}

	deliverResolve(): void {
		this.#delivered = true;
		this.scope.release();
	}

	drop(): void {
		if (!this.#delivered) trap("cannot drop a subtask which has not yet resolved");
		this.join(null);
	}

	release(): void {}
}
