import type { CommandModule } from "../command.ts";
import { runComponent, type RunOptions } from "../run-guest.ts";
import { requireFile } from "../target.ts";
import { checkOutbound, collect, parseEnvironment } from "../values.ts";

export const runCommand: CommandModule = {
	describe(command) {
		command
			.argument("<component>", "a component that exports wasi:cli/run")
			.argument("[args...]", "arguments for the guest, after --")
			.option("--env <name=value>", "give the guest an environment variable; may be repeated", collect)
			.option("--allow-outbound <origin>", "let the guest send HTTP requests to this origin; may be repeated", collect)
			.addHelpText(
				"after",
				`
The guest has this terminal's input and output, its arguments, and nothing else but what these options grant.
The exit status is the guest's; 134 when it traps.

Examples:
  $ skerry run tool.wasm
  $ skerry run tool.wasm --env LANG -- --input file
  $ cat data | skerry run filter.wasm > result`,
			);
	},

	async run(args, options) {
		return await runComponent(parseRunOptions(args, options, process.env));
	},
};

/** The command line of `skerry run` as the engine takes it. */
export function parseRunOptions(
	[path = "", ...args]: readonly string[],
	options: Readonly<Record<string, unknown>>,
	environment: Readonly<Record<string, string | undefined>>,
): RunOptions {
	const given = options as { allowOutbound?: string[]; env?: string[] };
	return {
		path: requireFile(path),
		args,
		env: parseEnvironment(given.env ?? [], environment),
		allowOutbound: checkOutbound(given.allowOutbound ?? []),
	};
}
