import { builtin, nodeV8 } from "./builtin.ts";

/** The little of `node:os` that is needed. */
interface Os {
	availableParallelism(): number;
}

/**
 * Calls (weighed by their size) after which a function of JavaScript is optimised; V8's own is 3,000. Each host function has a call or two
 * of each request, so that the border between guest and host was optimised only after 15,000 requests.
 */
const CALLS = 1500;

/** About as many bytes of code that a function of a guest executes before it is optimised; V8's own is 13,000,000. */
const BYTES = 2_000_000;

/** V8's own limit. */
const MOST_TASKS = 128;

/**
 * For a process that serves: what is called often is optimised after fewer calls than V8's own numbers ask for, which are for programs
 * that do so in a few functions, not in thousands; and the threads that do it leave the one that serves a processor of its own. For all of
 * the process; to be called before anything is compiled.
 */
export function optimizeEarly(): void {
	const processors = (builtin("node:os") as Os | undefined)?.availableParallelism() ?? MOST_TASKS;
	const tasks = Math.min(Math.max(processors - 1, 1), MOST_TASKS);
	const flags = {
		"invocation-count-for-turbofan": CALLS,
		"wasm-tiering-budget": BYTES,
		"wasm-num-compilation-tasks": tasks,
	};
	for (const [name, value] of Object.entries(flags)) nodeV8()?.setFlagsFromString(`--${name}=${value}`);
}
