/** What `npm publish` would publish: packed, checked, and installed in an empty folder outside the repository. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { NO_OLD_NODE, OLD_NODE } from "../node/old-node.ts";
import { type Ended, runProcess } from "../node/process.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const hello = join(root, "../shared/suites/http/rust-hello-0.2.wasm");
/** Of the packed file; what is in it is the built sources, and what stands beside them to be read. */
const MAX_TARBALL_BYTES = 900_000;

interface Packed {
	readonly filename: string;
	readonly size: number;
	readonly files: readonly { readonly path: string }[];
}

let folder = "";
let packed: Packed;
let tarball = "";

before(async () => {
	folder = mkdtempSync(join(tmpdir(), "skerry-package-"));
	const { stdout, stderr, status } = await runTool("npm", ["pack", "--json", "--pack-destination", folder], root);
	assert.equal(status, 0, stderr);
	packed = readPacked(stdout);
	tarball = join(folder, packed.filename);
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("the packed file holds what was built, and nothing else", () => {
	const paths = packed.files.map(({ path }) => path);
	const others = paths.filter(
		(path) => !/^dist\/(?:[a-z0-9-]+\/)*[a-z0-9-]+(?:\.generated)?\.(?:js|d\.ts)$/.test(path),
	);
	assert.deepEqual(others.sort(), [
		"CHANGELOG.md",
		"LICENSE",
		"README.md",
		"SECURITY.md",
		"bin/skerry.js",
		"docs/embedding.md",
		"docs/limits.md",
		"docs/linux.md",
		"package.json",
	]);
	assert.ok(paths.includes("dist/index.js") && paths.includes("dist/cli/main.js"));
	assert.ok(packed.size < MAX_TARBALL_BYTES, `${packed.size} bytes`);
});

test("publint finds nothing", async () => {
	const { stdout, stderr, status } = await runTool("publint", ["run", tarball, "--strict"], root);
	assert.equal(status, 0, stdout + stderr);
});

test("attw finds the types where they are looked for", async () => {
	// CommonJS callers get the ES module: `require()` of one works on every Node this package runs on.
	const { stdout, stderr, status } = await runTool("attw", [tarball, "--profile", "esm-only"], root);
	assert.equal(status, 0, stdout + stderr);
});

suite("installed in an empty folder", () => {
	let consumer = "";
	let offline: string | undefined;

	before(async () => {
		consumer = join(folder, "consumer");
		mkdirSync(consumer);
		writeFileSync(join(consumer, "package.json"), '{ "name": "consumer", "private": true, "type": "module" }');
		const args = ["install", tarball, "--prefer-offline", "--no-audit", "--no-fund", "--fetch-retries=1"];
		const { stderr, status } = await runTool("npm", args, consumer);
		if (status === 0) return;
		// A registry that cannot be reached says nothing of the package; any other failure does.
		assert.match(stderr, /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH/);
		offline = "the npm registry cannot be reached";
	});

	/** With the system's Node as the only one in PATH, as on a machine that has no other; npm's own warnings are not ours. */
	const env = (): NodeJS.ProcessEnv => ({
		...process.env,
		npm_config_loglevel: "error",
		PATH: [dirname(OLD_NODE ?? ""), "/usr/bin", "/bin"].join(delimiter),
	});

	for (const [title, command, args] of [
		["npx skerry", "npx", ["skerry", "--version"]],
		["node_modules/.bin/skerry", "node_modules/.bin/skerry", ["--version"]],
	] as const) {
		test(`${title} starts on an older Node`, { skip: NO_OLD_NODE }, async (t) => {
			if (offline !== undefined) return t.skip(offline);
			const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
			const ended = await runProcess(command, args, { cwd: consumer, env: env() });
			assert.deepEqual(ended, { stdout: `skerry ${version}\n`, stderr: "", status: 0, signal: null });
		});
	}

	test("imported on an older Node, it says what it needs", { skip: NO_OLD_NODE }, async (t) => {
		if (offline !== undefined) return t.skip(offline);
		const code =
			'import { Engine, SkerryError } from "skerry"; try { new Engine(); } catch (e) { console.log(e instanceof SkerryError, e.code, e.hint); }';
		const ended = await runProcess(OLD_NODE ?? "", ["--input-type=module", "--eval", code], { cwd: consumer });
		const stdout = "true engine/unsupported-platform run on Node.js 26: `npm i` has put it at node_modules/.bin/node\n";
		assert.deepEqual(ended, { stdout, stderr: "", status: 0, signal: null });
	});

	test("a script imports it by name, with types", async (t) => {
		if (offline !== undefined) return t.skip(offline);
		writeFileSync(
			join(consumer, "script.ts"),
			'import { type Code, type Component, Engine, SkerryError } from "skerry";\n' +
				"const load = async (bytes: Uint8Array): Promise<Component> => new Engine().load(bytes);\n" +
				'const expected: Code = "binary/not-wasm";\n' +
				"const error: unknown = await load(Uint8Array.of(1, 2, 3, 4)).catch((error: unknown) => error);\n" +
				"console.log(error instanceof SkerryError && error.code === expected);\n",
		);
		const script = await runProcess(process.execPath, ["script.ts"], { cwd: consumer });
		assert.deepEqual(script, { stdout: "true\n", stderr: "", status: 0, signal: null });
		// Node's types, as a TypeScript project on Node has them: the grants of the API name Node's streams.
		const types = ["--typeRoots", join(root, "node_modules/@types"), "--types", "node"];
		const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "esnext", ...types, "script.ts"];
		const compiled = await runTool("tsc", options, consumer);
		assert.equal(compiled.status, 0, compiled.stdout);
	});

	const noServer = !existsSync(join(root, "src/server/mod.ts")) && "the part server is not written yet";
	const noSuite = !existsSync(hello) && `${hello} is not there`;
	test("npx skerry up serves a component", { skip: noServer || noSuite || NO_OLD_NODE }, async (t) => {
		if (offline !== undefined) return t.skip(offline);
		const server = spawn("npx", ["skerry", "up", hello, "--listen", "127.0.0.1:0"], {
			cwd: consumer,
			env: env(),
			stdio: ["ignore", "pipe", "pipe"],
			// A group of its own, so that npx and what it started end together.
			detached: true,
		});
		const ended = new Promise((resolve) => server.once("exit", resolve));
		try {
			let output = "";
			const address = await new Promise<string>((resolve, reject) => {
				const onText = (text: string): void => {
					output += text;
					const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0];
					if (url !== undefined) resolve(url);
				};
				server.stdout.setEncoding("utf8").on("data", onText);
				server.stderr.setEncoding("utf8").on("data", onText);
				server.once("exit", (status) => reject(new Error(`skerry up ended with ${status}: ${output}`)));
			});
			const response = await fetch(address, { signal: AbortSignal.timeout(30_000) });
			assert.equal(response.status, 200);
			assert.match(await response.text(), /hello world/i);
		} finally {
			if (server.pid !== undefined && server.exitCode === null) process.kill(-server.pid, "SIGTERM");
			await ended;
		}
	});
});

/** Runs `npm`, or a binary of the repository's `node_modules`. */
async function runTool(name: string, args: readonly string[], cwd: string): Promise<Ended> {
	const path = [join(root, "node_modules/.bin"), process.env["PATH"]].join(delimiter);
	return runProcess(name, args, { cwd, env: { ...process.env, PATH: path }, timeout: 240_000 });
}

/** What `npm pack --json` says, behind what the build printed. Its shape differs between versions of npm. */
function readPacked(output: string): Packed {
	const at = output.search(/^[[{]/m);
	const parsed: unknown = JSON.parse(output.slice(at));
	const [first] = Object.values(parsed as Record<string, Packed>);
	assert(first !== undefined);
	return first;
}
