import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The commit of this tree, with `+` when files differ from it; nothing outside a repository. */
export function commit(): string | null {
	const folder = fileURLToPath(new URL("..", import.meta.url));
	const git = (...args: string[]): string =>
		execFileSync("git", ["-C", folder, ...args], { encoding: "utf8", stdio: "pipe" }).trim();
	try {
		return git("rev-parse", "--short=12", "HEAD") + (git("status", "--porcelain") === "" ? "" : "+");
	} catch {
		return null;
	}
}
