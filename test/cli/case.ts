/**
 * A command line with what comes of it. Escape characters are written as ␛, null characters as ␀, the package's version as VERSION;
 * output whose last line does not end has ␃ there.
 */
export interface CliCase {
	/** `NAME=VALUE`. */
	readonly environment: readonly string[];
	readonly words: readonly string[];
	readonly stdout: string;
	readonly stderr: string;
	readonly status: number | null;
}

/**
 * The text of a case: `$ NAME=VALUE… skerry WORD…` (no quoting), then `--- stdout`, `--- stderr` and `--- status N`.
 * An empty output is left out.
 */
export function parseCase(text: string): CliCase {
	const [first = "", ...lines] = text.split("\n");
	const [prompt, ...line] = first.split(" ");
	const at = line.indexOf("skerry");
	if (prompt !== "$" || at === -1) throw new Error(`Cannot read the case: "${first}" is no command line`);
	const outputs = new Map<string, string>();
	let section = "";
	for (const line of lines) {
		const title = /^--- (.*)$/.exec(line)?.[1];
		if (title === undefined) outputs.set(section, `${outputs.get(section) ?? ""}${line}\n`);
		else section = title;
	}
	const status = /^status (\d+)$/.exec(section)?.[1];
	return {
		environment: line.slice(0, at),
		words: line.slice(at + 1).filter((word) => word !== ""),
		stdout: toOutput(outputs.get("stdout") ?? ""),
		stderr: toOutput(outputs.get("stderr") ?? ""),
		// A case that is yet to be blessed has none.
		status: status === undefined ? null : Number(status),
	};
}

const toOutput = (text: string): string => text.replaceAll("␀", "\0").replace(/␃\n$/, "");

const fromOutput = (text: string): string => `${text.replaceAll("\0", "␀")}${text.endsWith("\n") ? "" : "␃\n"}`;

export function printCase({ environment, words, stdout, stderr, status }: CliCase): string {
	const section = (title: string, text: string): string => (text === "" ? "" : `--- ${title}\n${fromOutput(text)}`);
	const line = ["$", ...environment, "skerry", ...words].join(" ");
	return `${line}\n${section("stdout", stdout)}${section("stderr", stderr)}--- status ${status}\n`;
}
