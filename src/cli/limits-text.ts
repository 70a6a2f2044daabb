import { formatLimit, LIMIT_NAMES, LIMITS, type LimitName } from "../fault/mod.ts";

function defaultOf(name: LimitName): string {
	const value = LIMITS[name].default;
	return value === Infinity ? "none" : formatLimit(name, value);
}

/** What `skerry help limits` prints: every limit with its default. */
export function describeLimits(): string {
	const rows = LIMIT_NAMES.map((name) => [`--limit.${name}`, defaultOf(name), LIMITS[name].bounds] as const);
	const widths = [0, 1].map((i) => Math.max(...rows.map((row) => (row[i] as string).length)));
	const lines = rows.map(([flag, value, bounds]) => {
		return `  ${flag.padEnd(widths[0] as number)}  ${value.padEnd(widths[1] as number)}  ${bounds}`;
	});
	return `What a guest may take. Each has a default; who reaches one is ended, and the error names it.

${lines.join("\n")}

Sizes are written 64KiB, 256MiB or 1GiB, times 50ms, 10s or 2m, numbers 5000, 5k or 2M; \`none\` lifts a limit.
In skerry.toml they stand under [limits], by the same names: memory = "256MiB", tables = 20000.
\`skerry run\` by itself sets none of time, host calls and output: a command takes as long as it takes.
`;
}

/** The same as a table of Markdown, for the documentation; with the reason of each default. */
export function tableOfLimits(): string {
	const rows = LIMIT_NAMES.map((name) => {
		const { bounds, origin } = LIMITS[name];
		return `| \`${name}\` | ${defaultOf(name)} | ${bounds} | ${origin} |`;
	});
	return ["| Limit | Default | Bounds | Why so much |", "| --- | --- | --- | --- |", ...rows].join("\n");
}
