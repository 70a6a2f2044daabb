import { globSync } from "node:fs";
import { sep } from "node:path";

/** The kinds of test files, as `--only` names them. */
export const TEST_GROUPS: readonly string[] = ["unit", "tools", "test"];

/** The suite a test file counts for: `src/PART`, `tools`, or `test/FOLDER`. */
export function suiteOf(file: string): string {
	const [top = "", folder = ""] = file.split("/");
	return top === "tools" || folder.endsWith(".test.ts") ? top : `${top}/${folder}`;
}

/** The test files under `paths` (all, when there are none) that belong to the groups or `test/` folders named in `only`. */
export function collectTestFiles(root: string, paths: readonly string[], only?: readonly string[]): string[] {
	const wanted = paths.map((path) => path.replace(/^\.\//, "").replace(/\/$/, ""));
	return globSync("{src,tools,test}/**/*.test.ts", { cwd: root, exclude: ["tools/fixtures/**"] })
		.map((path) => path.split(sep).join("/"))
		.filter((path) => wanted.length === 0 || wanted.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)))
		.filter((path) => only === undefined || only.some((name) => isOf(path, name)))
		.sort();
}

function isOf(path: string, name: string): boolean {
	if (name === "unit") return path.startsWith("src/");
	if (name === "tools" || name === "test") return path.startsWith(`${name}/`);
	return path.startsWith(`test/${name}/`);
}
