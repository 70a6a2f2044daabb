import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { SkerryError } from "../../fault/mod.ts";
import { SkerryCommand } from "../usage.ts";
import { parseRunOptions, runCommand } from "./run.ts";

const file = fileURLToPath(import.meta.url);

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
];

for (const [words, expected] of cases) {
	test(["skerry run", ...words].join(" "), () => {
		const result = JSON.parse(JSON.stringify(read(...words)));
		assert.deepEqual(result, { path: file, args: [], env: {}, allowOutbound: [], ...expected });
	});
}

test("an option of the guest's before -- is refused, with what to write instead", () => {
	assert.throws(
		() => read(file, "--input", "x"),
		(error: unknown) => error instanceof SkerryError && error.hint?.includes("stands after --: -- --input") === true,
	);
});
