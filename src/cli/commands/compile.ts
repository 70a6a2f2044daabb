import { randomUUID } from "node:crypto";
import { rename, rm, stat, writeFile } from "node:fs/promises";
import { inFile, METERING_MODES } from "../../fault/mod.ts";
import { compileComponent } from "../../pool/mod.ts";
import type { CommandModule } from "../command.ts";
import { METERING_HELP } from "../limit-options.ts";
import { withProgress } from "../progress.ts";
import { unwritable } from "../file-errors.ts";
import { readInput, requireFile } from "../target.ts";
import { usageError } from "../usage.ts";

type Metering = Parameters<typeof compileComponent>[1];

interface CompileOptions {
	readonly source: string;
	readonly output: string;
	readonly metering: Metering;
}

export const compileCommand: CommandModule = {
	describe(command) {
		command
			.argument("<component>", "a component, or a file of this command to make anew")
			.option("-o, --output <file>", "where to write it; beside the component, as .skerry, by default")
			.option("--metering <mode>", METERING_HELP)
			.addHelpText(
				"after",
				`
The file holds the component and its modules as Skerry runs them: \`up\` and \`run\` take it as they take the component,
and start sooner. Another version of Skerry reads it too, and does then what it can no longer use. Treat such a file as you
treat a program: what it says of the component is believed.

Examples:
  $ skerry compile app.wasm
  $ skerry compile app.wasm -o /srv/app.skerry && skerry up /srv/app.skerry`,
			);
	},

	async run(args, options) {
		const { source, output, metering } = parseCompileOptions(args, options);
		const bytes = await readInput(source);
		const compiled = await withProgress("compiling", () => compileComponent(bytes, metering)).catch(
			(error: unknown) => {
				throw inFile(error, source);
			},
		);
		await write(output, compiled);
		process.stdout.write(`${output} (${(compiled.length / 1e6).toFixed(1)} MB)\n`);
		return 0;
	},
};

/** The command line of `skerry compile`. */
export function parseCompileOptions(
	[source = ""]: readonly string[],
	{ output, metering = "trap" }: { readonly output?: string; readonly metering?: string },
): CompileOptions {
	const mode = METERING_MODES.find((known) => known === metering);
	if (mode === undefined)
		throw usageError(
			`Cannot use --metering ${metering}: there is no such mode`,
			`the modes are ${METERING_MODES.join(", ")}`,
		);
	const file = requireFile(source);
	return { source: file, output: output ?? `${file.replace(/\.(?:wasm|skerry)$/, "")}.skerry`, metering: mode };
}

/** Whoever serves the file meanwhile finds the old one or the new one. What is no file, such as `/dev/stdout`, stays what it is. */
async function write(output: string, bytes: Uint8Array): Promise<void> {
	const there = await stat(output).catch(() => undefined);
	if (there !== undefined && !there.isFile()) {
		return await writeFile(output, bytes).catch((error: unknown) => {
			throw unwritable(output, error);
		});
	}
	const part = `${output}.${randomUUID()}`;
	try {
		await writeFile(part, bytes);
		await rename(part, output);
	} catch (error) {
		await rm(part, { force: true });
		throw unwritable(output, error);
	}
}
