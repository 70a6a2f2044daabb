import { Trap } from "./error.ts";

/** What a call of a guest can end with. */
interface GuestError {
	readonly stderr: string | undefined;
}

// An error may leave one sandbox through a host function of another: it stays that of the first.
const withApp = new WeakSet<Trap>();
const withStderr = new WeakSet<GuestError>();

/** Whose guest it was that trapped. Said once: what comes later changes nothing. */
export function nameApp<T>(error: T, app: string | undefined): T {
	if (error instanceof Trap && !withApp.has(error)) {
		withApp.add(error);
		Object.assign(error, { app });
	}
	return error;
}

/** What the guest wrote before it came to this end. Said once: what comes later changes nothing. */
export function nameStderr(error: GuestError, stderr: string | undefined): void {
	if (withStderr.has(error)) return;
	withStderr.add(error);
	Object.assign(error, { stderr });
}
