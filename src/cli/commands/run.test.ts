import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { SkerryError } from "../../fault/mod.ts";
import { SkerryCommand } from "../usage.ts";
import { parseRunOptions, runCommand } from "./run.ts";

const file = fileURLToPath(import.meta.url);
const folder = fileURLToPath(new URL(".", import.meta.url));
const defaults = { path: file, args: [], env: {}, folders: {}, allowOutbound: [], limits: {}, verbose: false };

/** What `skerry run WORD…` hands to the engine. */
function read(...words: string[]): unknown {
	const command = new SkerryCommand("run");
	runCommand.describe(command);
	command.parse(words, { from: "user" });
	return parseRunOptions(command.args, command.opts(), {});
}

const cases: readonly [words: readonly string[], expected: object][] = [
	[[file], {}],
	[[file, "a", "b"], { args: ["a", "b"] }],
	[[file, "--", "--env", "X=1", "--", "-h"], { args: ["--env", "X=1", "--", "-h"] }],
	[["--env", "A=", file, "--", ""], { args: [""], env: { A: "" } }],
	[[file, "--allow-outbound", "https://a.example"], { allowOutbound: ["https://a.example"] }],
	[[file, "--invoke", "add", "--", "1", "-2"], { invoke: "add", args: ["1", "-2"] }],
	[
		["--dir", `${folder}::in::ro`, file, "--dir", folder, "-v"],
		{
			folders: { in: { path: folder, readOnly: true }, [folder]: { path: folder, readOnly: false } },
			verbose: true,
		},
	],
	[
		[file, "--limit.memory", "64MiB", "--limit.hostCalls=5k", "--metering", "yield"],
		{ limits: { memory: 64 * 1024 * 1024, hostCalls: 5000 }, metering: "yield" },
	],
	[[file, "--fuel", "5M"], { limits: { fuel: 5_000_000 }, metering: "fuel" }],
];

for (const [words, expected] of cases) {
	test(["skerry run", ...words].join(" "), () => {
		const result = JSON.parse(JSON.stringify(read(...words)));
		assert.deepEqual(result, { ...defaults, ...expected });
	});
}

test("an option of the guest's before -- is refused, with what to write instead", () => {
	assert.throws(
		() => read(file, "--input", "x"),
		(error: unknown) => error instanceof SkerryError && error.hint?.includes("stands after --: -- --input") === true,
	);
});

const refused: readonly [words: readonly string[], message: RegExp, hint: RegExp][] = [
	[["--dir", "nowhere::in"], /there is no folder nowhere$/, /HOST::GUEST/],
	[["--dir", `${folder}::in::wr`], /wr is neither ro nor rw$/, /HOST::GUEST::ro/],
	[["--dir", `${file}::in`], /is no folder$/, /HOST::GUEST/],
	[["--dir", "::in"], /::in is not HOST::GUEST$/, /HOST::GUEST/],
	[["--limit.memory", "64 mb"], /Cannot read --limit\.memory 64 mb: it must be a size such as 256MiB/, /help limits/],
	[["--limit.cpu", "50"], /Cannot read --limit\.cpu 50: it must be a time such as 50ms/, /help limits/],
	[["--limit.cpu", "0ms"], /--limit\.cpu 0ms/, /help limits/],
	[["--limit.tables", "-1"], /--limit\.tables -1: it must be a number of elements/, /help limits/],
	[["--fuel", "x"], /Cannot read --fuel x/, /help limits/],
	[["--fuel", "5", "--metering", "trap"], /Cannot count fuel with --metering trap/, /--metering fuel/],
	[["--limit.cpu", "5ms", "--metering", "off"], /Cannot limit cpu with --metering off/, /--metering trap/],
	[["--metering", "yeld"], /there is no such mode/, /did you mean yield\?/],
];

for (const [words, message, hint] of refused) {
	test(`refused: ${words.join(" ")}`, () => {
		assert.throws(
			() => read(file, ...words),
			(error: unknown) => {
				assert.ok(error instanceof SkerryError && error.code === "cli/usage", String(error));
				assert.match(error.message, message);
				assert.match(error.hint ?? "", hint);
				return true;
			},
		);
	});
}
