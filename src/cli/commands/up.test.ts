import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { SkerryCommand } from "../usage.ts";
import { parseUpOptions, upCommand } from "./up.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const file = fileURLToPath(import.meta.url);

/** What `skerry up WORD…` hands to the server. */
function read(...words: string[]): unknown {
	const command = new SkerryCommand("up");
	upCommand.describe(command);
	command.parse(words, { from: "user" });
	return parseUpOptions(command.args, command.opts(), { TOKEN: "secret" });
}

const defaults = {
	target: { kind: "app", path: "." },
	listen: { host: "127.0.0.1", port: 3000 },
	env: {},
	allowOutbound: [],
	limits: {},
	verbose: false,
};

const cases: readonly [words: readonly string[], expected: object][] = [
	[[], {}],
	[[folder], { target: { kind: "app", path: folder } }],
	[[file], { target: { kind: "component", path: file } }],
	[["--listen", "[::1]:80"], { listen: { host: "::1", port: 80 } }],
	[["-l", ":0", "--verbose"], { listen: { host: "127.0.0.1", port: 0 }, verbose: true }],
	// An option that may be repeated does not swallow what follows it.
	[
		["--allow-outbound", "https://a.example", file, "--allow-outbound=http://b.example:81/"],
		{ target: { kind: "component", path: file }, allowOutbound: ["https://a.example", "http://b.example:81/"] },
	],
	[
		["--env", "A=1", "--env", "TOKEN", folder],
		{ target: { kind: "app", path: folder }, env: { A: "1", TOKEN: "secret" } },
	],
	[["--limit.wall", "1.5s", "--limit.cpu=none"], { limits: { wall: 1500, cpu: null } }],
];

for (const [words, expected] of cases) {
	test(["skerry up", ...words].join(" "), () => {
		assert.deepEqual(JSON.parse(JSON.stringify(read(...words))), { ...defaults, ...expected });
	});
}
