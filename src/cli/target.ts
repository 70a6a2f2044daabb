import { statSync } from "node:fs";
import { SkerryError } from "../fault/mod.ts";

/** What `skerry up` is pointed at. */
export type Target =
	| { readonly kind: "component"; readonly path: string }
	| { readonly kind: "app"; readonly path: string };

/** Whether a path is an application folder or a component's file. */
export function findTarget(path: string): Target {
	return { kind: statPath(path).isDirectory() ? "app" : "component", path };
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

function statPath(path: string): ReturnType<typeof statSync> & object {
	try {
		return statSync(path);
	} catch (cause) {
		throw unreadable(path, cause);
	}
}

/** The error for a file that cannot be read. */
export function unreadable(path: string, cause: unknown): SkerryError {
	const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
	const state =
		code === "ENOENT" || code === "ENOTDIR"
			? "there is no such file or folder"
			: code === "EACCES" || code === "EPERM"
				? "permission denied"
				: cause instanceof Error
					? cause.message
					: String(cause);
	return new SkerryError("cli/file-not-found", `Cannot read ${path}: ${state}`);
}
