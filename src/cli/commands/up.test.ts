import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { SkerryCommand } from "../usage.ts";
import { parseUpOptions, upCommand } from "./up.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const file = fileURLToPath(new URL("../../../package.json", import.meta.url));
const quickstart = fileURLToPath(new URL("../../../examples/quickstart", import.meta.url));

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
	[[`${quickstart}/skerry.toml`], { target: { kind: "app", path: quickstart } }],
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

const wrong: readonly [path: string, code: string, message: RegExp][] = [
	[fileURLToPath(import.meta.url), "cli/usage", /^Cannot serve .*up\.test\.ts: it is a script, and not a component$/],
	["/dev/zero", "cli/file-not-found", /^Cannot read \/dev\/zero: it is a device, and no file$/],
	["nothing-there.wasm", "cli/file-not-found", /^Cannot read nothing-there\.wasm: there is no such file or folder$/],
];

for (const [path, code, message] of wrong) {
	test(`skerry up ${path} is refused`, { skip: path.startsWith("/dev/") && process.platform === "win32" }, () => {
		assert.throws(() => read(path), { code, message });
	});
}

/** Before the command line begins: reading the component takes for ever. */
const NEVER_READ = `
	import fs from "node:fs/promises";
	import { syncBuiltinESMExports } from "node:module";
	const { open } = fs;
	fs.open = (path, ...rest) => {
		if (!String(path).endsWith("package.json")) return open(path, ...rest);
		console.log("reading");
		return new Promise(() => setInterval(() => {}, 1000));
	};
	syncBuiltinESMExports();
`;

test("a signal ends it while it has not begun to listen", { skip: process.platform === "win32" }, async () => {
	const launcher = fileURLToPath(new URL("../../../bin/skerry.js", import.meta.url));
	const preload = `data:text/javascript,${encodeURIComponent(NEVER_READ)}`;
	const child = spawn(process.execPath, ["--import", preload, launcher, "up", file, "--listen", ":0"], {
		stdio: ["ignore", "pipe", "ignore"],
		timeout: 20_000,
	});
	await once(child.stdout, "data", { signal: AbortSignal.timeout(20_000) });
	child.kill("SIGTERM");
	assert.deepEqual(await once(child, "exit"), [143, null]);
});
