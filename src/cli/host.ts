/** The one place where the command line meets what runs guests. Loaded only when a command line has been understood. */
import { SkerryError } from "../fault/mod.ts";
import type { Target } from "./target.ts";
import type { ListenAddress } from "./values.ts";

export interface UpOptions {
	readonly target: Target;
	readonly listen: ListenAddress;
	readonly env: Readonly<Record<string, string>>;
	/** Origins, as `parseOutboundOrigin` gives them. */
	readonly allowOutbound: readonly string[];
	/** Milliseconds that a call may take; the server's own default where it is not given. */
	readonly wallLimit?: number;
	readonly verbose: boolean;
}

export interface RunOptions {
	/** A component's file. */
	readonly path: string;
	/** The guest's arguments, without the name of the command. */
	readonly args: readonly string[];
	readonly env: Readonly<Record<string, string>>;
	/** Origins, as `parseOutboundOrigin` gives them. */
	readonly allowOutbound: readonly string[];
}

/** Serves until `stop` is aborted, then ends what is under way; the result is the exit status. */
export async function serve(options: UpOptions, _stop: AbortSignal): Promise<number> {
	throw new SkerryError("cli/internal", `Cannot serve ${options.target.path}: this build has no server`);
}

/** Runs a command to its end; the result is the guest's exit status. */
export async function runComponent(options: RunOptions): Promise<number> {
	throw new SkerryError("cli/internal", `Cannot run ${options.path}: this build has no engine`);
}
