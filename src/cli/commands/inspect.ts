import { CODES, inFile } from "../../fault/mod.ts";
import type { CommandModule } from "../command.ts";
import { createReport } from "../inspect/report.ts";
import { renderReport } from "../inspect/render.ts";
import { withProgress } from "../progress.ts";
import { readInput, requireFile } from "../target.ts";

export const inspectCommand: CommandModule = {
	describe(command) {
		command
			.argument("<file>", "a component, a core module, or a compiled component")
			.option("--full", "print the interfaces of the world with their types, too")
			.option("--json", "print the report as JSON")
			.addHelpText(
				"after",
				`
Shows the interface as WIT, every nested module with its size, what a guest would have to be granted, and which
command can run it. Nothing in the file is executed. The exit status is 65 for a file that is not valid.

Examples:
  $ skerry inspect hello.wasm
  $ skerry inspect hello.wasm --full --json | jq -r .wit > hello.wit`,
			);
	},

	async run([path = ""], options) {
		const file = requireFile(path);
		const report = await withProgress(`Reading ${path}`, async () => {
			const bytes = await readInput(file);
			try {
				return await createReport(path, bytes, options["full"] === true);
			} catch (error) {
				throw inFile(error, path);
			}
		});
		process.stdout.write(options["json"] === true ? `${JSON.stringify(report, null, 2)}\n` : renderReport(report));
		return report.invalid === undefined ? 0 : CODES["component/invalid"].exit;
	},
};
