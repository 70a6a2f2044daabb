import type { SkerryCommand } from "./usage.ts";

/** One command of the command line, in a file of its own under `commands/`. */
export interface CommandModule {
	/** Adds arguments, options and examples. Options are read as strings; `run` makes sense of them. */
	describe(command: SkerryCommand): void;
	/** Does it, and gives the process's exit status. */
	run(args: readonly string[], options: Readonly<Record<string, unknown>>): Promise<number>;
}
