import { basename } from "node:path";
import { isatty } from "node:tty";

import { type Component, ComponentError, Engine, type GrantedPath, type Grants, type Imports } from "../embed/mod.ts";
import { inFile, type Limits, type MeteringMode, nearest, SkerryError } from "../fault/mod.ts";
import { GuestExit } from "../wasi/mod.ts";
import { decodeModuleInterface, isCoreModule } from "../wasm/mod.ts";
import { readCoreValues, showCoreValues } from "./core-values.ts";
import { withProgress } from "./progress.ts";
import { readInput } from "./target.ts";
import { paint } from "./terminal.ts";

export interface RunOptions {
	/** The file of a component or core module. */
	readonly path: string;
	/** The guest's arguments, without the name of the command; with `invoke`, those of the function. */
	readonly args: readonly string[];
	/** The exported function of a core module that is called instead of the command. */
	readonly invoke: string | undefined;
	readonly env: Readonly<Record<string, string>>;
	/** Folders by the guest's names. */
	readonly folders: Readonly<Record<string, GrantedPath>>;
	/** Origins, as `parseOutboundPolicy` takes them. */
	readonly allowOutbound: readonly string[];
	readonly limits: Limits;
	readonly metering: MeteringMode | undefined;
	readonly verbose: boolean;
}

/** A command takes as long as it takes: whoever waits for it can stop it. */
const NO_DEADLINES: Limits = { wall: Infinity, cpu: Infinity, hostCalls: Infinity };

const RUN = /^wasi:cli\/run@(\d+\.\d+)/;

/** Runs a command to its end with this process's streams; the result is the guest's exit status. */
export async function runGuest(options: RunOptions): Promise<number> {
	const { path, metering } = options;
	const bytes = await readInput(path);
	try {
		const engine = new Engine({
			limits: { ...NO_DEADLINES, ...options.limits },
			...(metering && { metering }),
			onWarning: (message) => process.stderr.write(`warning: ${message}\n`),
		});
		// There is but one call.
		const load = { imports: knownImports(bytes, options), wasi: toGrants(options), warm: 0 };
		const started = performance.now();
		const guest = await withProgress("compiling", () => engine.load(bytes, load));
		if (guest.kind === "component" && Object.keys(options.folders).length > 0) throw noFolders(path);
		if (options.verbose) say(`compiled in ${(performance.now() - started).toFixed(1)} ms`);
		return await call(guest, options);
	} catch (error) {
		// What is wrong with its bytes has a place in them.
		throw error instanceof SkerryError && error.place !== undefined ? inFile(error, path) : error;
	}
}

async function call(guest: Component, options: RunOptions): Promise<number> {
	const started = performance.now();
	try {
		if (options.invoke !== undefined) await invoke(guest, options.invoke, options);
		else await guest.call(commandOf(guest, options.path), []);
		return 0;
	} catch (error) {
		if (error instanceof ComponentError) return 1;
		if (error instanceof GuestExit) return error.status;
		throw error;
	} finally {
		if (options.verbose) say(`ran for ${(performance.now() - started).toFixed(1)} ms`);
	}
}

function say(line: string): void {
	process.stderr.write(`${paint("dim", line, process.stderr)}\n`);
}

function toGrants({ path, args, invoke, env, folders, allowOutbound }: RunOptions): Grants {
	const { stderr } = process;
	return {
		args: [basename(path), ...(invoke === undefined ? args : [])],
		env,
		folders,
		// A getter, so that the process's stdin is opened only by a guest that reads it.
		stdin: () => process.stdin,
		stdout: process.stdout,
		stderr,
		terminal: { stdin: isatty(0), stdout: isatty(1), stderr: isatty(2) },
		allowOutbound,
		onDenied: (what, hint, origin) => {
			const grant = origin === undefined ? hint : `grant it with --allow-outbound ${origin}`;
			stderr.write(`${paint("yellow", "denied:", stderr)} ${what}; ${grant}\n`);
		},
	};
}

/**
 * What is there for core modules beside WASI: the marks that benchmark programs (Sightglass) set around what they measure. They
 * tell the guest nothing.
 */
function knownImports(bytes: Uint8Array, { verbose }: RunOptions): Imports {
	if (!isCoreModule(bytes)) return {};
	const { imports } = decodeModuleInterface(bytes);
	if (!imports.some(({ module }) => module === "bench")) return {};
	let started = 0;
	return {
		bench: {
			start: () => {
				started = performance.now();
			},
			end: () => {
				if (verbose) say(`measured ${(performance.now() - started).toFixed(3)} ms`);
			},
		},
	};
}

/** The export that is the command. */
function commandOf(guest: Component, path: string): readonly string[] {
	const exports = guest.exportNames;
	if (guest.kind === "core module") {
		if (guest.coreType("_start") !== undefined) return ["_start"];
		throw new SkerryError("link/no-export", `Cannot run ${path}: it does not export the function _start`, {
			hint: `\`--invoke NAME\` calls another of its functions: ${callable(guest).join(", ") || "there are none"}`,
		});
	}
	const run = exports.find((name) => RUN.exec(name)?.[1] === "0.2");
	if (run === undefined) throw noRun(path, exports);
	return [run, "run"];
}

const callable = (guest: Component): string[] => guest.exportNames.filter((name) => guest.coreType(name) !== undefined);

/** Calls a function of a core module with numbers, and shows what it gives. */
async function invoke(guest: Component, name: string, { path, args }: RunOptions): Promise<void> {
	if (guest.kind !== "core module") {
		throw new SkerryError("link/unsupported", `Cannot invoke ${name}: ${path} is a component`, {
			hint: "--invoke calls functions of core modules, as yet",
		});
	}
	const type = guest.coreType(name);
	if (type === undefined) {
		const near = nearest(name, callable(guest));
		throw new SkerryError("link/no-export", `Cannot invoke ${name}: ${path} exports no such function`, {
			hint: near === undefined ? `its functions are ${callable(guest).join(", ")}` : `did you mean ${near}?`,
		});
	}
	const values = readCoreValues(name, type, args);
	using sandbox = guest.instantiate();
	// A reactor is to be told once, before anything else.
	if (guest.coreType("_initialize") !== undefined) await sandbox.call(["_initialize"], []);
	for (const line of showCoreValues(await sandbox.call([name], values))) process.stdout.write(`${line}\n`);
}

function noFolders(path: string): SkerryError {
	return new SkerryError(
		"link/unsupported",
		`Cannot open a folder to ${path}: files of WASI 0.2 are not supported yet`,
		{
			hint: "--dir is for core modules, as yet",
		},
	);
}

function noRun(path: string, exports: readonly string[]): SkerryError {
	const later = exports.find((name) => RUN.test(name));
	if (later !== undefined) {
		return new SkerryError(
			"link/unsupported",
			`Cannot run ${path}: it exports ${later}, and WASI 0.3 is not supported yet`,
		);
	}
	const serves = exports.some((name) => name.startsWith("wasi:http/"));
	return new SkerryError("link/no-export", `Cannot run ${path}: it does not export wasi:cli/run`, {
		hint: serves
			? `it answers HTTP requests: \`skerry up ${path}\``
			: `\`skerry inspect ${path}\` shows what it exports`,
	});
}
