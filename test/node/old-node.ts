import { execFileSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";

/** A `node` in PATH that is older than 26, which is what the launcher is for; `undefined` where there is none. */
export const OLD_NODE: string | undefined = (process.env["PATH"] ?? "")
	.split(delimiter)
	.map((folder) => join(folder, process.platform === "win32" ? "node.exe" : "node"))
	.filter((path) => existsSync(path) && realpathSync(path) !== realpathSync(process.execPath))
	.find((path) => {
		const version = execFileSync(path, ["--version"], { encoding: "utf8" });
		return Number.parseInt(version.slice(1), 10) < 26;
	});

/** Why a test that needs the old Node is skipped. */
export const NO_OLD_NODE: string | false = OLD_NODE === undefined && "no node older than 26 in PATH";
