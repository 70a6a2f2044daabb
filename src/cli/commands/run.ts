import type { CommandModule } from "../command.ts";
import { addBounds, parseBounds } from "../limit-options.ts";
import { runGuest, type RunOptions } from "../run-guest.ts";
import { requireFile } from "../target.ts";
import { checkOutbound, collect, parseEnvironment, parseFolders } from "../values.ts";

export const runCommand: CommandModule = {
	describe(command) {
		command
			.argument("<file>", "a component that exports wasi:cli/run, or a core module: a command of WASI 0.1")
			.argument("[args...]", "arguments for the guest, after --")
			.option("--env <name=value>", "give the guest an environment variable; may be repeated", collect)
			.option(
				"--dir <host::guest>",
				"open a folder of this machine to the guest, under its own name; ::ro behind it for reading only; may be repeated",
				collect,
			)
			.option("--allow-outbound <origin>", "let the guest send HTTP requests to this origin; may be repeated", collect)
			.option("--invoke <name>", "call this function of a core module with numbers, and show what it gives")
			.option("-v, --verbose", "say how long it took");
		addBounds(command);
		command.addHelpText(
			"after",
			`
The guest has this terminal's input and output, its arguments, and nothing else but what these options grant.
The exit status is the guest's; 134 when it traps, 137 when it reached a limit. \`skerry help limits\` lists all limits.

Examples:
  $ skerry run tool.wasm
  $ skerry run tool.wasm --env LANG -- --input file
  $ skerry run convert.wasm --dir ./in::in::ro --dir ./out::out --limit.memory 64MiB
  $ skerry run math.wasm --invoke add -- 1 2
  $ cat data | skerry run filter.wasm > result`,
		);
	},

	async run(args, options) {
		return await runGuest(parseRunOptions(args, options, process.env));
	},
};

/** The command line of `skerry run` as the engine takes it. */
export function parseRunOptions(
	[path = "", ...args]: readonly string[],
	options: Readonly<Record<string, unknown>>,
	environment: Readonly<Record<string, string | undefined>>,
): RunOptions {
	const given = options as {
		allowOutbound?: string[];
		env?: string[];
		dir?: string[];
		invoke?: string;
		verbose?: boolean;
	};
	return {
		path: requireFile(path),
		args,
		invoke: given.invoke,
		env: parseEnvironment(given.env ?? [], environment),
		folders: parseFolders(given.dir ?? []),
		allowOutbound: checkOutbound(given.allowOutbound ?? []),
		...parseBounds(options),
		verbose: given.verbose === true,
	};
}
