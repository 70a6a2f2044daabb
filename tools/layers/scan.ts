import { globSync, readFileSync } from "node:fs";
import { join, posix, sep } from "node:path";
import { parseSync, Visitor } from "oxc-parser";

export interface Import {
	/** As written. */
	readonly specifier: string;
	/** Path from the root for a relative specifier; `undefined` for a package or a built-in. */
	readonly target: string | undefined;
	/** 1-based. */
	readonly line: number;
}

export interface SourceFile {
	/** Path from the root, with slashes. */
	readonly path: string;
	/** The folder under `src/`; `index` for the public door. */
	readonly part: string;
	/** `*.test.ts`, and `*.fixture.ts`, which only tests import. */
	readonly isTest: boolean;
	readonly lines: number;
	readonly imports: readonly Import[];
	/** Lines that mention the global `WebAssembly`, as a value or a type. */
	readonly webAssembly: readonly number[];
	/** Lines with an `import()` of what only the run shows. */
	readonly unknownImports: readonly number[];
	/** What keeps the file from being checked. */
	readonly problems: readonly string[];
}

/** Every TypeScript file under `root/src`, parsed. */
export function scanSources(root: string): SourceFile[] {
	return globSync("src/**/*.{ts,mts,cts,tsx,js,mjs,cjs}", { cwd: root })
		.map((path) => path.split(sep).join("/"))
		.sort()
		.map((path) => scanFile(path, readFileSync(join(root, path), "utf8")));
}

function scanFile(path: string, text: string): SourceFile {
	const { program, module, errors } = parseSync(path, text);
	const problems = errors.map((error) => `cannot be parsed: ${error.message}`);
	const lineAt = (offset: number): number => text.slice(0, offset).split("\n").length;
	const imports: Import[] = [];
	const add = (specifier: string, offset: number): void => {
		const target = specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : undefined;
		imports.push({ specifier, target, line: lineAt(offset) });
	};

	for (const { moduleRequest } of module.staticImports) add(moduleRequest.value, moduleRequest.start);
	for (const { entries } of module.staticExports) {
		// `export { a, b } from` gives one entry per name.
		const request = entries.find((entry) => entry.moduleRequest !== null)?.moduleRequest;
		if (request) add(request.value, request.start);
	}
	const webAssembly: number[] = [];
	const unknownImports: number[] = [];
	new Visitor({
		ImportExpression: ({ source, start }) => {
			if (source.type === "Literal" && typeof source.value === "string") add(source.value, start);
			else unknownImports.push(lineAt(start));
		},
		TSImportType: ({ source, start }) => add(source.value, start),
		TSExternalModuleReference: ({ start }) => problems.push(`line ${lineAt(start)} imports with require()`),
		Identifier: ({ name, start }) => {
			if (name === "WebAssembly") webAssembly.push(lineAt(start));
		},
	}).visit(program);

	const [, folder = "", ...rest] = path.split("/");
	return {
		path,
		part: rest.length === 0 ? folder.replace(/\.ts$/, "") : folder,
		isTest: isTestPath(path),
		lines: text.split("\n").length - (text.endsWith("\n") ? 1 : 0),
		imports,
		webAssembly,
		unknownImports,
		problems,
	};
}

function isTestPath(path: string): boolean {
	return /\.(?:test|fixture)\.ts$/.test(path);
}
