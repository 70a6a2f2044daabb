import { SkerryError, Trap } from "../fault/mod.ts";
import { TRAPS } from "./trap-table.ts";
import { webAssembly } from "./v8.ts";

/**
 * The error of a core call as the rest of Skerry knows it: V8's traps become a `Trap` in the specification's wording with the
 * guest's stack as V8 gave it; a core exception that left the guest is a trap too; anything else is passed through.
 */
export function toTrap(error: unknown): unknown {
	if (error instanceof SkerryError) return error;
	const { RuntimeError, SuspendError, Exception } = webAssembly();
	if (error instanceof Exception) return new Trap("uncaught exception", { cause: error });
	if (error instanceof RuntimeError || error instanceof SuspendError || isStackOverflow(error)) {
		const message = plainMessage(error.message);
		const known = TRAPS.find(([text]) => message.startsWith(text));
		return new Trap(known?.[1] ?? error.message, { cause: error, frames: guestFrames(error) });
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
	return error instanceof webAssembly().RuntimeError && error.message.startsWith("unreachable");
}

function isStackOverflow(error: unknown): error is RangeError {
	return error instanceof RangeError && error.message === "Maximum call stack size exceeded";
}

/** The guest's frames of a V8 stack, innermost first: `function+0xoffset`, without the host's own frames. */
function guestFrames(error: Error): string[] {
	const stack = error.stack ?? "";
	const frames: string[] = [];
	for (const line of stack.split("\n")) {
		const match = /^\s*at (?:(.*?) \()?wasm:\/\/wasm\/([^:]*):wasm-function\[(\d+)\]:(0x[0-9a-f]+)\)?$/.exec(line);
		if (match === null) continue;
		frames.push(`${match[1] ?? `func[${match[3]}]`} at ${match[2]}+${match[4]}`);
	}
	return frames;
}
