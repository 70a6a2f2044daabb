import type { Rules } from "./check.ts";
import type { SourceFile } from "./scan.ts";

/** `document` with what stands between its markers drawn anew: the table of parts, and the graph of what is really imported. */
export function drawArchitecture(document: string, files: readonly SourceFile[], rules: Rules): string {
	const present = new Set(files.map(({ part }) => part));
	return replaceBetween(
		replaceBetween(document, "parts", drawTable(rules, present)),
		"graph",
		drawGraph(files, rules.foundation),
	);
}

function replaceBetween(document: string, name: string, text: string): string {
	const begin = `<!-- ${name}: drawn by npm run layers -- --write -->\n`;
	const end = `<!-- /${name} -->`;
	const from = document.indexOf(begin);
	const to = document.indexOf(end);
	if (from === -1 || to < from) throw new Error(`ARCHITECTURE.md lacks the markers of "${name}"`);
	return document.slice(0, from + begin.length) + text + document.slice(to);
}

function drawTable({ parts }: Rules, present: ReadonlySet<string>): string {
	const rows = parts
		.filter(({ name }) => present.has(name))
		.map(({ name, holds, uses }) => {
			const stands = uses.filter((used) => present.has(used)).join(", ");
			return `| \`${name}\` | ${holds} | ${stands === "" ? "–" : stands} |\n`;
		});
	return `| Part | Holds | Stands on |\n| --- | --- | --- |\n${rows.join("")}`;
}

/** An edge for each import between parts that no longer path implies; the foundation is left out, for everyone uses it. */
function drawGraph(files: readonly SourceFile[], foundation: readonly string[]): string {
	const edges = new Map<string, Set<string>>();
	for (const { part, imports, isTest } of files) {
		if (isTest || foundation.includes(part)) continue;
		const targets = edges.get(part) ?? new Set();
		edges.set(part, targets);
		for (const { target } of imports) {
			const used = target?.split("/")[1];
			if (used !== undefined && used !== part && !foundation.includes(used)) targets.add(used);
		}
	}
	const reaches = (from: string, to: string): boolean =>
		[...(edges.get(from) ?? [])].some((next) => next === to || reaches(next, to));
	const lines = [...edges.keys()].sort().flatMap((part) => {
		const targets = [...(edges.get(part) ?? [])].sort();
		const direct = targets.filter((target) => !targets.some((other) => other !== target && reaches(other, target)));
		return direct.length === 0 ? [`\t${part}`] : direct.map((target) => `\t${part} --> ${target}`);
	});
	return `\`\`\`mermaid\ngraph TD\n${lines.join("\n")}\n\`\`\`\n`;
}
