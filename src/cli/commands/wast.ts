import type { CommandModule } from "../command.ts";
import { METERING_HELP, parseMetering } from "../limit-options.ts";
import { runScripts, type ScriptOptions } from "../run-scripts.ts";
import { requireFile } from "../target.ts";
import { usageError } from "../usage.ts";

/** As `wast/run.ts` has them: that part is loaded only when a script is run. */
const STRATEGIES = ["fresh", "copy", "cow"] as const;

export const wastCommand: CommandModule = {
	describe(command) {
		command
			.argument("<scripts...>", "test scripts, .wast, of core modules or components")
			.option("--metering <mode>", METERING_HELP)
			.option(
				"--strategy <name>",
				`how core instances are used up and put back before the script has them: ${STRATEGIES.join(", ")}`,
			)
			.option("-v, --verbose", "name what is skipped, too")
			.addHelpText(
				"after",
				`
Each failure is a line with its file and line; the last line is the sum. The exit status is 0 when nothing failed, else 1.
Modules go through the same engine as guests. The text is read by @bytecodealliance/jco-transpile, which has to be installed.

Examples:
  $ skerry wast i32.wast
  $ skerry wast core/*.wast --metering off --strategy cow`,
			);
	},

	async run(args, options) {
		return await runScripts(parseWastOptions(args, options));
	},
};

/** The command line of `skerry wast` as the runner takes it. */
export function parseWastOptions(args: readonly string[], options: Readonly<Record<string, unknown>>): ScriptOptions {
	const strategy = options["strategy"] as string | undefined;
	const found = STRATEGIES.find((name) => name === strategy);
	if (strategy !== undefined && found === undefined) {
		throw usageError(
			`Cannot read --strategy ${strategy}: there is no such strategy`,
			`the strategies are ${STRATEGIES.join(", ")}`,
		);
	}
	return {
		paths: args.map(requireFile),
		metering: parseMetering(options["metering"]),
		strategy: found,
		verbose: options["verbose"] === true,
	};
}
