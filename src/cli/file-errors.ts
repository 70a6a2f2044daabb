import { SkerryError } from "../fault/mod.ts";

/** The error for a file that cannot be read. */
export function unreadable(path: string, cause: unknown): SkerryError {
	// Node takes the command line for UTF-8: what is not has become this character
	const isGarbled = path.includes("\uFFFD");
	return new SkerryError(
		"cli/file-not-found",
		`Cannot read ${path === "" ? '""' : path}: ${stateOf(cause, "there is no such file or folder")}`,
		isGarbled ? { hint: "a name that is not UTF-8 cannot be given here: rename the file, or make a link to it" } : {},
	);
}

/** The error for a file that cannot be written. */
export function unwritable(path: string, cause: unknown): SkerryError {
	return new SkerryError("cli/file-not-found", `Cannot write ${path}: ${stateOf(cause, "there is no such folder")}`);
}

/** In words for what happens most. */
function stateOf(cause: unknown, missing: string): string {
	if (!(cause instanceof Error)) return String(cause);
	switch ((cause as NodeJS.ErrnoException).code) {
		case "ENOENT":
		case "ENOTDIR":
			return missing;
		case "EACCES":
		case "EPERM":
			return "permission denied";
		case "EISDIR":
			return "it is a folder";
		case "EROFS":
			return "the file system is read-only";
		case "ENOSPC":
			return "there is no space left";
		default:
			// Without the system call and its paths, of which one may be temporary.
			return cause.message.replace(/, \w+(?: '.*)?$/s, "");
	}
}
