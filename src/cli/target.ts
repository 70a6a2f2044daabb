import { statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { SkerryError } from "../fault/mod.ts";
import { FileTooLong, readWholeFile } from "../sys/mod.ts";
import { unreadable } from "./file-errors.ts";
import { usageError } from "./usage.ts";

/** What `skerry up` is pointed at. */
export type Target =
	| { readonly kind: "component"; readonly path: string }
	| { readonly kind: "app"; readonly path: string };

const SCRIPT = /\.[cm]?[jt]sx?$/;

/** Whether a path is an application folder or a component's file. */
export function findTarget(path: string): Target {
	if (statPath(path).isDirectory()) return { kind: "app", path };
	if (basename(path) === "skerry.toml") return { kind: "app", path: dirname(path) };
	if (SCRIPT.test(path)) {
		throw usageError(
			`Cannot serve ${path}: it is a script, and not a component`,
			"a script is served as an application: `skerry up FOLDER`, with a skerry.toml in the folder that names it",
		);
	}
	return { kind: "component", path };
}

/** Refuses what is no file. */
export function requireFile(path: string): string {
	const stat = statPath(path);
	if (stat.isDirectory()) {
		throw new SkerryError("cli/file-not-found", `Cannot read ${path}: it is a folder`, {
			hint: `\`skerry up ${path}\` serves an application folder`,
		});
	}
	return path;
}

/** Bytes of an input: as many as V8 takes of a module. */
const MAX_INPUT = 2 ** 30;

/** What stands in a file, or comes through a pipe. */
export async function readInput(path: string, most: number = MAX_INPUT): Promise<Buffer> {
	try {
		return await readWholeFile(path, most);
	} catch (cause) {
		if (cause instanceof FileTooLong) throw new SkerryError("binary/limit", `Cannot read ${path}: ${cause.message}`);
		throw unreadable(path, cause);
	}
}

function statPath(path: string): ReturnType<typeof statSync> & object {
	const stat = statAnything(path);
	// It would be read for ever: some have no end.
	if (stat.isCharacterDevice()) {
		throw new SkerryError("cli/file-not-found", `Cannot read ${path}: it is a device, and no file`);
	}
	return stat;
}

function statAnything(path: string): ReturnType<typeof statSync> & object {
	try {
		return statSync(path);
	} catch (cause) {
		throw unreadable(path, cause);
	}
}
