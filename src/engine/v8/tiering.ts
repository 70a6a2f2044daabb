/**
 * When V8 optimises, for a process that serves: its own numbers are for programs that spend their time in a few functions, not for
 * requests that go through thousands, each once or twice. For all of the process.
 */
import { builtin, nodeV8 } from "./builtin.ts";

/** The little of `node:os` that is needed. */
interface Os {
	availableParallelism(): number;
}

/** Calls (weighed by their size) before a function of JavaScript is optimised; V8's own is 3,000. */
const CALLS = 1_500;
/** About as many bytes of code that a guest's function executes before it is optimised; V8's own is 13,000,000. */
const BYTES = 2_000_000;
/** V8's own limit of threads that compile guests. */
const MOST_TASKS = 128;

function setFlags(flags: Readonly<Record<string, number>>): void {
	for (const [name, value] of Object.entries(flags)) nodeV8()?.setFlagsFromString(`--${name}=${value}`);
}

/**
 * Guests are optimised after less work, by threads that leave a processor to the one that serves. To be called before a guest is
 * compiled.
 */
export function optimizeGuestsEarly(): void {
	const processors = (builtin("node:os") as Os | undefined)?.availableParallelism() ?? MOST_TASKS;
	setFlags({
		"wasm-tiering-budget": BYTES,
		"wasm-num-compilation-tasks": Math.min(Math.max(processors - 1, 1), MOST_TASKS),
	});
}

/** The host's functions are optimised after fewer calls. To be called when all is loaded: what loads it is not called any more. */
export function optimizeHostEarly(): void {
	setFlags({ "invocation-count-for-turbofan": CALLS });
}
