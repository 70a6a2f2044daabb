import { isErrorOf, messageOf, SkerryError, Trap } from "../../fault/mod.ts";
import { readFrames } from "./frames.ts";
import { TRAPS } from "./trap-table.ts";
import { webAssembly } from "./v8.ts";

/**
 * The error of a core call as the rest of Skerry knows it: V8's traps become a `Trap` in the specification's wording with the
 * guest's stack; a core exception that left the guest is a trap too; anything else is passed through.
 */
export function toTrap(error: unknown): unknown {
	if (error instanceof SkerryError) return error;
	const { RuntimeError, SuspendError } = webAssembly();
	if (isException(error)) {
		const explanation = "the guest threw an exception that nothing in it caught";
		return new Trap("uncaught exception", { cause: error, kind: "uncaught-exception", explanation });
	}
	if (isErrorOf(error, RuntimeError) || isErrorOf(error, SuspendError) || isStackOverflow(error)) {
		const said = messageOf(error);
		const message = plainMessage(said);
		const frames = readFrames(error);
		const known = TRAPS.find(({ v8 }) => message.startsWith(v8));
		if (known === undefined) return new Trap(said, { cause: error, frames });
		return new Trap(known.specification, { cause: error, kind: known.kind, explanation: known.guest, frames });
	}
	return error;
}

/** A trap in the segments of a module that is being instantiated says so at more length than one in an instruction. */
function plainMessage(message: string): string {
	return message
		.replace(/^WebAssembly\.Instance\(\): /, "")
		.replace(/^(data|element) segment \d+ is out/, "$1 segment out");
}

/** What a host function threw is kept as it is; only that the stack came to its end there is the guest's doing. */
export function hostFault(error: unknown): unknown {
	return isStackOverflow(error) ? toTrap(error) : error;
}

/** Whether it is the trap of `unreachable`: the guest's own, or that of a check which stops it. */
export function isUnreachable(error: unknown): boolean {
	return isErrorOf(error, webAssembly().RuntimeError) && messageOf(error).startsWith("unreachable");
}

/** Whether it is the trap of an access behind the end of a memory: the guest's own, or that of a check whose page is protected. */
export function isOutOfBounds(error: unknown): error is Error {
	return isErrorOf(error, webAssembly().RuntimeError) && messageOf(error).startsWith("memory access out of bounds");
}

/** No `Error` to V8. Asked of what hosts throw, too, which may be a proxy that throws when it is asked. */
function isException(error: unknown): boolean {
	try {
		return error instanceof webAssembly().Exception;
	} catch {
		return false;
	}
}

function isStackOverflow(error: unknown): error is RangeError {
	return isErrorOf(error, RangeError) && messageOf(error) === "Maximum call stack size exceeded";
}
