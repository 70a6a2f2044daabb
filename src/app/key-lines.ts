import { parse } from "smol-toml";
import { MAX_STATEMENT_LINES } from "./limits.ts";

/** A key path of a parsed manifest: names, and indexes of arrays of tables. */
export type KeyPath = readonly (string | number)[];

/** A path as a person writes it: `trigger.http[0].route`. */
export function printPath(path: KeyPath): string {
	let text = "";
	for (const part of path) {
		if (typeof part === "number") text += `[${part}]`;
		else text += (text === "" ? "" : ".") + (/^[\w-]+$/.test(part) ? part : JSON.stringify(part));
	}
	return text;
}

/**
 * The 1-based line on which each key of a TOML document starts, by its printed path. `text` must have parsed as a whole.
 *
 * Each statement is parsed alone, a line longer at a time until it is complete, so that the parser itself decides where it
 * ends. Should one be longer than the limit, the keys from there on have no line.
 */
export function findKeyLines(text: string): ReadonlyMap<string, number> {
	const lines = text.split("\n");
	const found = new Map<string, number>();
	const arrays = new Map<string, number>(); // printed path of an array of tables → its last index
	let table: KeyPath = [];
	let at = 0;
	while (at < lines.length) {
		const first = (lines[at] ?? "").trimStart();
		const statement = completeStatement(lines, at);
		if (statement === undefined) return found;
		const names = singlePath(statement.value);
		if (first.startsWith("[[")) {
			const array = withIndexes(names.slice(0, -1), arrays);
			array.push(...names.slice(-1));
			const index = (arrays.get(printPath(array)) ?? -1) + 1;
			arrays.set(printPath(array), index);
			table = [...array, index];
			record(found, table, at + 1);
		} else if (first.startsWith("[")) {
			table = withIndexes(names, arrays);
			record(found, table, at + 1);
		} else if (names.length > 0) {
			record(found, [...table, ...names], at + 1);
		}
		at = statement.end;
	}
	return found;
}

/** The statement that starts on line `start`: its value parsed alone, and the line after it. */
function completeStatement(lines: readonly string[], start: number): { value: unknown; end: number } | undefined {
	const limit = Math.min(lines.length, start + MAX_STATEMENT_LINES);
	for (let end = start + 1; end <= limit; end++) {
		try {
			return { value: parse(`${lines.slice(start, end).join("\n")}\n`), end };
		} catch {
			// not complete yet
		}
	}
	return undefined;
}

/** The names from the root of one statement's value down to its first leaf, array or table with several keys. */
function singlePath(value: unknown): string[] {
	const names: string[] = [];
	let here = value;
	while (typeof here === "object" && here !== null) {
		if (Array.isArray(here) || here instanceof Date) break;
		const keys = Object.keys(here);
		const only = keys[0];
		if (only === undefined || keys.length > 1) break;
		names.push(only);
		here = (here as Record<string, unknown>)[only];
	}
	return names;
}

/** A header's names with the index of the current element after each name that is an array of tables. */
function withIndexes(names: readonly string[], arrays: ReadonlyMap<string, number>): (string | number)[] {
	const path: (string | number)[] = [];
	for (const name of names) {
		path.push(name);
		const index = arrays.get(printPath(path));
		if (index !== undefined) path.push(index);
	}
	return path;
}

/** Notes a path and those above it, keeping the first line of each. */
function record(found: Map<string, number>, path: KeyPath, line: number): void {
	for (let length = 1; length <= path.length; length++) {
		const key = printPath(path.slice(0, length));
		if (!found.has(key)) found.set(key, line);
	}
}
