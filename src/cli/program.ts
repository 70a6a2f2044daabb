import { readFileSync } from "node:fs";
import { CommanderError } from "commander";
import { nearest } from "../fault/mod.ts";
import type { CommandModule } from "./command.ts";
import { describeLimits } from "./limits-text.ts";
import { SkerryCommand, usageError } from "./usage.ts";

interface CommandEntry {
	readonly summary: string;
	/** Only the command that is called is loaded. */
	readonly load: () => Promise<CommandModule>;
}

const COMMANDS: ReadonlyMap<string, CommandEntry> = new Map([
	[
		"up",
		{
			summary: "serve an application folder or an HTTP component",
			load: async () => (await import("./commands/up.ts")).upCommand,
		},
	],
	[
		"run",
		{
			summary: "run a command-line component or core module",
			load: async () => (await import("./commands/run.ts")).runCommand,
		},
	],
	[
		"compile",
		{
			summary: "do ahead what loading a component takes",
			load: async () => (await import("./commands/compile.ts")).compileCommand,
		},
	],
	[
		"inspect",
		{
			summary: "show what a WebAssembly file holds, imports and exports, and what it needs",
			load: async () => (await import("./commands/inspect.ts")).inspectCommand,
		},
	],
	[
		"bindgen",
		{
			summary: "write the TypeScript types of a component or a WIT world",
			load: async () => (await import("./commands/bindgen.ts")).bindgenCommand,
		},
	],
	[
		"wast",
		{
			summary: "run test scripts of WebAssembly (.wast)",
			load: async () => (await import("./commands/wast.ts")).wastCommand,
		},
	],
]);

const EXAMPLES = `
Examples:
  $ skerry up                                  serve the application in this folder
  $ skerry up hello.wasm --listen :8080        serve one HTTP component
  $ skerry run tool.wasm -- --input x          run a command with arguments
  $ skerry inspect hello.wasm                  what is in it, and what it needs

\`skerry COMMAND --help\` explains a command.`;

/** Runs the command line. Throws what goes wrong; the result is the exit status. */
export async function runProgram(argv: readonly string[]): Promise<number> {
	if (argv[0] === "help" && argv[1] === "limits") {
		process.stdout.write(describeLimits());
		return 0;
	}
	// `skerry help up` is `skerry up --help`.
	const args = argv[0] === "help" ? [...argv.slice(1, 2), "--help"] : argv;
	const called = args.find((arg) => !arg.startsWith("-"));

	const program = new SkerryCommand("skerry")
		.description("WebAssembly application server: every call in a fresh, deny-by-default sandbox.")
		.version(`skerry ${readVersion()}`, "-V, --version", "show the version")
		.usage("COMMAND [options]")
		.addHelpText("after", EXAMPLES);
	let status = 0;
	for (const [name, { summary, load }] of COMMANDS) {
		const command = program.command(name).summary(summary);
		if (name !== called) continue;
		const definition = await load();
		definition.describe(command);
		command.action(async () => {
			status = await definition.run(command.args, command.opts());
		});
	}
	if (called !== undefined && !COMMANDS.has(called)) throw unknownCommand(called);
	if (args.length === 0) {
		program.outputHelp({ error: true });
		return usageError("").exitStatus;
	}
	try {
		await program.parseAsync(args, { from: "user" });
	} catch (error) {
		// Help and the version, once shown, end the parsing this way.
		if (error instanceof CommanderError && error.exitCode === 0) return 0;
		throw error;
	}
	return status;
}

function unknownCommand(name: string): Error {
	const meant = nearest(name, COMMANDS.keys());
	const file = name.endsWith(".wasm") ? `\`skerry up ${name}\` serves it, \`skerry run ${name}\` runs it` : undefined;
	const hint = meant === undefined ? "`skerry --help` lists the commands" : `did you mean \`skerry ${meant}\`?`;
	return usageError(`Cannot run the command ${name}: there is none of this name`, file ?? hint);
}

function readVersion(): string {
	// The same distance from `src/cli` and from `dist/cli`.
	const manifest: { version: string } = JSON.parse(
		readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
	);
	return manifest.version;
}
