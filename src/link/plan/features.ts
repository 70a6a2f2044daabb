import { SkerryError } from "../../fault/mod.ts";

/** What the specification gates, and what is refused by name unless it is switched on. */
export interface Features {
	/** Async functions lifted without a callback, whose stack waits. */
	readonly stackful?: boolean | undefined;
	/** Threads that take turns (`thread.new-indirect` and its like; `thread.yield` is no such). */
	readonly threads?: boolean | undefined;
	/** `subtask.cancel` that does not wait. */
	readonly asyncCancel?: boolean | undefined;
}

/** @throws SkerryError `link/unsupported` where it is off */
export function checkFeature(features: Features, feature: keyof Features, what: string, offset: number): void {
	if (features[feature] === true) return;
	throw new SkerryError("link/unsupported", `Cannot link ${what}: the feature "${feature}" is not switched on`, {
		place: { offset },
	});
}

/** A construct that cannot be linked yet, by its name. */
export function unsupported(what: string, offset: number | undefined): SkerryError {
	const place = offset === undefined ? {} : { place: { offset } };
	return new SkerryError("link/unsupported", `Cannot link ${what}: not supported yet`, place);
}
