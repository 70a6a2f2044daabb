import type { CommandModule } from "../command.ts";
import { serve, type UpOptions } from "../host.ts";
import { addBounds, parseBounds } from "../limit-options.ts";
import { createStopRequest } from "../signals.ts";
import { findTarget } from "../target.ts";
import { checkOutbound, collect, parseEnvironment, parseListen } from "../values.ts";

const DEFAULT_PORT = 3000;

export const upCommand: CommandModule = {
	describe(command) {
		command
			.argument("[app]", "folder of an application, or a component's .wasm file", ".")
			.option("-l, --listen <host:port>", "address to listen on; port 0 picks a free one", `127.0.0.1:${DEFAULT_PORT}`)
			.option("--allow-outbound <origin>", "let the guest send HTTP requests to this origin; may be repeated", collect)
			.option("--env <name=value>", "give the guest an environment variable; may be repeated", collect)
			.option("-v, --verbose", "log every request, and what is in use");
		addBounds(command);
		command.addHelpText(
			"after",
			`
Every request gets a fresh sandbox. It sees no files, no environment and no network but what these options grant.
\`skerry help limits\` lists what a guest may take.

Examples:
  $ skerry up                                         the application in this folder
  $ skerry up hello.wasm --listen 0.0.0.0:8080        one component, for the whole network
  $ skerry up shop --allow-outbound https://api.example.com --env TOKEN`,
		);
	},

	async run(args, options) {
		const parsed = parseUpOptions(args, options, process.env);
		using stop = createStopRequest();
		return await serve(parsed, stop);
	},
};

/** The command line of `skerry up` as the server takes it. */
export function parseUpOptions(
	[path = "."]: readonly string[],
	options: Readonly<Record<string, unknown>>,
	environment: Readonly<Record<string, string | undefined>>,
): UpOptions {
	const given = options as {
		listen: string;
		allowOutbound?: string[];
		env?: string[];
		verbose?: boolean;
	};
	return {
		target: findTarget(path),
		listen: parseListen(given.listen, DEFAULT_PORT),
		env: parseEnvironment(given.env ?? [], environment),
		allowOutbound: checkOutbound(given.allowOutbound ?? []),
		...parseBounds(options),
		verbose: given.verbose === true,
	};
}
