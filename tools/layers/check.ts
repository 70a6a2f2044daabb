import { isBuiltin } from "node:module";
import type { Part } from "../parts.ts";
import type { SourceFile } from "./scan.ts";

export interface Rules {
	readonly parts: readonly Part[];
	/** Parts that everyone may use. */
	readonly foundation: readonly string[];
	readonly publicDoorUses: readonly string[];
	readonly webAssemblyPart: string;
	readonly maxLines: number;
	/** Path → reason. */
	readonly longFiles: Readonly<Record<string, string>>;
}

export interface Violation {
	readonly rule:
		| "table"
		| "parse"
		| "unknown-part"
		| "count"
		| "resolve"
		| "direction"
		| "door"
		| "cycle"
		| "built-in"
		| "webassembly"
		| "length";
	readonly file: string;
	readonly message: string;
}

/** The pseudo part of `src/index.ts`. */
const PUBLIC_DOOR = "index";

/** Everything in which the sources break the rules. */
export function checkLayers(files: readonly SourceFile[], rules: Rules): Violation[] {
	return [
		...checkTable(rules.parts),
		...checkCounts(files, rules),
		...files.flatMap((file) => checkFile(file, files, rules)),
		...findCycles(files),
		...checkLongFiles(files, rules),
	];
}

/** A row may name only rows above it, so that the table itself has no cycle. */
function checkTable(parts: readonly Part[]): Violation[] {
	const above = new Set<string>();
	const violations: Violation[] = [];
	for (const { name, uses } of parts) {
		for (const used of uses) {
			if (!above.has(used)) {
				const message = `part ${name} uses ${used}, which does not stand above it in the table`;
				violations.push({ rule: "table", file: "tools/parts.ts", message });
			}
		}
		above.add(name);
	}
	return violations;
}

function checkCounts(files: readonly SourceFile[], { parts }: Rules): Violation[] {
	const violations: Violation[] = [];
	for (const { name, files: minimum } of parts) {
		const seen = files.filter((file) => file.part === name).length;
		if (seen < minimum) {
			const message = `${seen} files seen where the table expects ${minimum} at least`;
			violations.push({ rule: "count", file: `src/${name}`, message });
		}
	}
	return violations;
}

/** The parts that each part may use: the transitive closure of `uses`, and the foundation. */
function allowedParts({ parts, foundation, publicDoorUses }: Rules): Map<string, Set<string>> {
	const allowed = new Map<string, Set<string>>();
	const closure = (uses: readonly string[]): Set<string> =>
		new Set(uses.flatMap((used) => [used, ...(allowed.get(used) ?? [])]));
	for (const { name, uses } of parts) {
		// A part of the foundation stands only on what its own row says.
		allowed.set(name, closure(foundation.includes(name) ? uses : [...uses, ...foundation]));
	}
	allowed.set(PUBLIC_DOOR, closure([...publicDoorUses, ...foundation]));
	return allowed;
}

function checkFile(file: SourceFile, files: readonly SourceFile[], rules: Rules): Violation[] {
	const violations: Violation[] = [];
	const report = (rule: Violation["rule"], message: string): void => {
		violations.push({ rule, file: file.path, message });
	};
	for (const problem of file.problems) report("parse", problem);
	const part = rules.parts.find(({ name }) => name === file.part);
	if (part === undefined && file.part !== PUBLIC_DOOR) report("unknown-part", `${file.part} is not in tools/parts.ts`);
	// A part that may use Node may load a package that it has found itself.
	if (!file.isTest && part?.node !== true) {
		for (const line of file.unknownImports) report("resolve", `line ${line} imports what only the run shows`);
	}
	const allowed = allowedParts(rules).get(file.part) ?? new Set();

	for (const { specifier, target, line } of file.imports) {
		if (target === undefined) {
			if (part?.node === false && !file.isTest && isBuiltin(specifier)) {
				report("built-in", `line ${line} imports ${specifier}, but ${part.name} does without Node`);
			}
			if (specifier === "skerry") report("door", `line ${line} imports the package by its public name`);
			continue;
		}
		const imported = files.find(({ path }) => path === target);
		if (imported === undefined) {
			// Tests may reach outside `src`, for fixtures.
			if (!file.isTest) report("resolve", `line ${line} imports ${specifier}, which is no source file`);
			continue;
		}
		if (imported.isTest && !file.isTest) report("resolve", `line ${line} imports ${specifier}, which is for tests`);
		if (imported.part === file.part) continue;
		if (!allowed.has(imported.part)) {
			report("direction", `line ${line} imports ${specifier}: ${file.part} may not use ${imported.part}`);
		} else if (target !== `src/${imported.part}/mod.ts`) {
			report("door", `line ${line} imports ${specifier}: other parts are used through their mod.ts`);
		}
	}
	if (file.part !== rules.webAssemblyPart && !file.isTest) {
		for (const line of file.webAssembly) {
			report("webassembly", `line ${line} mentions WebAssembly; only ${rules.webAssemblyPart} does`);
		}
	}
	if (file.lines > rules.maxLines && rules.longFiles[file.path] === undefined) {
		report("length", `${file.lines} lines, more than ${rules.maxLines}`);
	}
	return violations;
}

function checkLongFiles(files: readonly SourceFile[], { longFiles, maxLines }: Rules): Violation[] {
	return Object.keys(longFiles)
		.filter((path) => (files.find((file) => file.path === path)?.lines ?? 0) <= maxLines)
		.map((path) => ({ rule: "length", file: path, message: "is listed as long but is not; remove it from the list" }));
}

/** Every group of files that import each other in a circle (Tarjan's strongly connected components), types included. */
function findCycles(files: readonly SourceFile[]): Violation[] {
	const byPath = new Map(files.map((file) => [file.path, file]));
	const order = new Map<string, number>();
	const stack: string[] = [];
	const onStack = new Set<string>();
	const violations: Violation[] = [];

	const visit = (path: string): number => {
		const index = order.size;
		order.set(path, index);
		stack.push(path);
		onStack.add(path);
		let lowest = index;
		for (const { target } of byPath.get(path)?.imports ?? []) {
			if (target === undefined || !byPath.has(target)) continue;
			if (!order.has(target)) lowest = Math.min(lowest, visit(target));
			else if (onStack.has(target)) lowest = Math.min(lowest, order.get(target) ?? lowest);
		}
		if (lowest === index) {
			const group = stack.splice(stack.indexOf(path));
			for (const member of group) onStack.delete(member);
			const selfImport = byPath.get(path)?.imports.some(({ target }) => target === path) === true;
			if (group.length > 1 || selfImport) {
				violations.push({ rule: "cycle", file: path, message: `imports in a circle: ${group.sort().join(", ")}` });
			}
		}
		return lowest;
	};
	for (const { path } of files) if (!order.has(path)) visit(path);
	return violations;
}
