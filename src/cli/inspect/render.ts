import { basename } from "node:path";
import { paint, printable } from "../terminal.ts";
import type { Need, Verdict } from "./needs.ts";
import type { Part, Report } from "./report.ts";

/** A report for a person. Coloured where standard output is a terminal. */
export function renderReport(report: Report): string {
	const safe = JSON.parse(JSON.stringify(report), (key, value: unknown) =>
		typeof value === "string" ? printableLine(key, value) : value,
	) as Report;
	const { file, kind, size, compiled, imports, exports, wit, invalid, needs, commands, root } = safe;
	const made = compiled && `, compiled with metering ${compiled.metering} (file of ${formatSize(compiled.size)})`;
	const blocks = [`${paint("bold", basename(file))}: ${kind}, ${formatSize(size)}${made ?? ""}\n`];
	if (wit !== undefined) {
		blocks.push(block("Interface", wit.trimEnd().split("\n")));
	} else {
		blocks.push(block("Imports", imports), block("Exports", exports));
	}
	blocks.push(block("Parts", renderPart(root)));
	blocks.push(block("Made by", renderProducers(root)));
	if (kind === "component" || needs.length > 0) blocks.push(block("Needs", renderNeeds(needs)));
	blocks.push(block("Runs with", commands.map(renderVerdict)));
	if (invalid !== undefined) blocks.push(block("Not valid", invalid.split("\n")));
	return blocks.join("\n");
}

/** All text of a report may come from the file. Only the parts of Skerry's own making have more than one line. */
function printableLine(key: string, text: string): string {
	return printable(key === "wit" || key === "invalid" ? text : text.replaceAll("\n", "\\n"));
}

function block(title: string, lines: readonly string[]): string {
	const body = lines.length === 0 ? ["nothing"] : lines;
	return `${paint("bold", title)}\n${body.map((line) => (line === "" ? "" : `  ${line}`)).join("\n")}\n`;
}

/** Lines of a tree: the part, its sections on one line, and the parts within it. */
function renderPart(part: Part): string[] {
	const name = part.name === undefined ? "" : ` ${JSON.stringify(part.name)}`;
	const sections = part.sections.map(({ name, count, size }) => {
		return `${name}${count > 1 ? ` ×${count}` : ""} ${formatSize(size)}`;
	});
	const lines = [`${part.kind}${name}, ${formatSize(part.size)} at 0x${part.offset.toString(16)}`];
	const margin = part.parts.length > 0 ? "│ " : "  ";
	lines.push(...wrap(sections).map((line) => `${margin} ${paint("dim", line)}`));
	for (const [i, child] of part.parts.entries()) {
		const isLast = i === part.parts.length - 1;
		const [first = "", ...rest] = renderPart(child);
		lines.push(`${isLast ? "└─" : "├─"} ${first}`, ...rest.map((line) => `${isLast ? "  " : "│ "} ${line}`));
	}
	return lines;
}

const WIDTH = 100;

/** Joins items with commas into lines of at most `WIDTH`. */
function wrap(items: readonly string[]): string[] {
	const lines: string[] = [];
	let line = "";
	for (const [i, item] of items.entries()) {
		const text = i === items.length - 1 ? item : `${item},`;
		if (line !== "" && line.length + 1 + text.length > WIDTH) {
			lines.push(line);
			line = "";
		}
		line = line === "" ? text : `${line} ${text}`;
	}
	return line === "" ? lines : [...lines, line];
}

/** Every producer once, wherever in the tree it is named. */
function renderProducers(root: Part): string[] {
	const lines = new Set<string>();
	const visit = ({ producers, parts }: Part): void => {
		for (const { field, name, version } of producers) lines.add(`${field}: ${`${name} ${version}`.trim()}`);
		for (const part of parts) visit(part);
	};
	visit(root);
	return [...lines];
}

function renderNeeds(needs: readonly Need[]): string[] {
	return needs.flatMap(({ interfaces, grant, meaning }) => [
		`${grant === null ? paint("yellow", "unavailable") : paint("green", grant)}  ${meaning}`,
		...interfaces.map((name) => `    ${name}`),
	]);
}

function renderVerdict({ command, possible, reason }: Verdict): string {
	return `${possible ? paint("green", "yes") : paint("red", "no ")} ${command.padEnd(10)}  ${reason}`;
}

/** Bytes, in the decimal units of file managers. */
function formatSize(bytes: number): string {
	if (bytes < 1000) return `${bytes} B`;
	return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
