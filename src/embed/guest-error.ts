import { isErrorOf, LimitExceeded, nameStderr, Trap } from "../fault/mod.ts";
import { GuestExit, type WasiContext } from "../wasi/mod.ts";

/** What a call in this context came to, with what the guest said of it: languages tell of an exception there, and trap. */
export function withStderr(error: unknown, context: WasiContext): unknown {
	if (error instanceof Trap || error instanceof LimitExceeded || isErrorOf(error, GuestExit)) {
		nameStderr(error, context.lastStderr);
	}
	return error;
}
