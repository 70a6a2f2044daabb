import { SkerryError, Trap } from "../fault/mod.ts";
import { TRAPS } from "./trap-table.ts";
import { webAssembly } from "./v8.ts";

/**
 * The error of a core call as the rest of Skerry knows it: V8's traps become a `Trap` in the specification's wording with the
 * guest's stack as V8 gave it; a core exception that left the guest is a trap too; anything else is passed through.
 */
export function toTrap(error: unknown): unknown {
	if (error instanceof SkerryError) return error;
	const { RuntimeError, Exception } = webAssembly();
	if (error instanceof Exception) return new Trap("uncaught exception", { cause: error });
	if (!(error instanceof Error)) return error;
	const { name, message } = error;
	const known = TRAPS.find(([text]) => message.startsWith(text));
	if (!(error instanceof RuntimeError) && name !== "SuspendError" && name !== "RangeError") return error;
	return new Trap(known?.[1] ?? message, { cause: error, frames: guestFrames(error) });
}

/** The guest's frames of a V8 stack, innermost first: `function+0xoffset`, without the host's own frames. */
function guestFrames(error: unknown): string[] {
	const stack = error instanceof Error ? (error.stack ?? "") : "";
	const frames: string[] = [];
	for (const line of stack.split("\n")) {
		const match = /^\s*at (?:(.*?) \()?wasm:\/\/wasm\/([^:]*):wasm-function\[(\d+)\]:(0x[0-9a-f]+)\)?$/.exec(line);
		if (match === null) continue;
		frames.push(`${match[1] ?? `func[${match[3]}]`} at ${match[2]}+${match[4]}`);
	}
	return frames;
}
