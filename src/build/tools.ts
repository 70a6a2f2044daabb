import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { dirname } from "node:path";
import { SkerryError } from "../fault/mod.ts";

/** A build tool: a package that is found, not depended on, because only those who build need it. */
export interface Tool {
	readonly name: string;
	/** Absolute folder of the package. */
	readonly folder: string;
	readonly version: string;
}

type ToolKey = "esbuild" | "componentize";

/** The packages and the versions that were tried; another one builds worlds of another WASI, or takes other options. */
const WANTED: Readonly<Record<ToolKey, { name: string; range: string; accepts: RegExp }>> = {
	esbuild: { name: "esbuild", range: "^0.28.2", accepts: /^0\.(?:2[5-9]|[3-9]\d)\./ },
	componentize: { name: "@bytecodealliance/componentize-js", range: "^0.23.0", accepts: /^0\.23\./ },
};

/** The tools that turn a script into a component. */
export type Tools = Readonly<Record<ToolKey, Tool>>;

/**
 * Finds the build tools as a module at each of `bases` would, the first base that has a fitting one winning.
 * @param bases absolute paths of files, which need not exist
 * @throws {SkerryError} `build/tool-missing` that names all that are missing and the line that installs them
 */
export function findTools(bases: readonly string[]): Tools {
	const problems: string[] = [];
	const install: string[] = [];
	const find = (key: ToolKey): Tool => {
		const { name, range, accepts } = WANTED[key];
		let found: Tool | undefined;
		for (const base of bases) {
			const tool = findTool(name, base);
			if (tool !== undefined && accepts.test(tool.version)) return tool;
			found ??= tool;
		}
		problems.push(found === undefined ? `${name} is not installed` : `${name} ${found.version} is not ${range}`);
		install.push(`${name}@${range}`);
		return { name, folder: "", version: "" };
	};
	const tools = { esbuild: find("esbuild"), componentize: find("componentize") };
	if (problems.length > 0) {
		throw new SkerryError("build/tool-missing", `Cannot build a script: ${problems.join(", ")}`, {
			hint: `npm i -D ${install.join(" ")}`,
		});
	}
	return tools;
}

function findTool(name: string, base: string): Tool | undefined {
	try {
		const file = findPackageJSON(name, base);
		if (file === undefined) return undefined;
		const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
		return { name, folder: dirname(file), version };
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
		throw error;
	}
}
