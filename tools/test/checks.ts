import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { formatSeconds, heading } from "./console.ts";
import type { Suite } from "./summary.ts";

interface Check {
	readonly name: string;
	/** A binary of `node_modules/.bin`, or `node`. */
	readonly command: string;
	readonly args: readonly string[];
}

export const CHECKS: readonly Check[] = [
	{ name: "typecheck", command: "tsc", args: ["--noEmit"] },
	{ name: "lint", command: "oxlint", args: ["--type-aware", "--deny-warnings"] },
	{ name: "format", command: "oxfmt", args: ["--check"] },
	{ name: "layers", command: "node", args: ["tools/layers.ts"] },
	{ name: "lock", command: "node", args: ["tools/lock.ts", "--check"] },
	{ name: "knip", command: "knip", args: ["--no-progress", "--no-config-hints"] },
];

/** Runs one check and shows what it says: all of it when it fails. */
export function runCheck(root: string, { name, command, args }: Check): Suite {
	heading(`${name} (${[command, ...args].join(" ")})`);
	const started = performance.now();
	const binaries = join(root, "node_modules/.bin");
	const { status, error } = spawnSync(command === "node" ? process.execPath : join(binaries, command), args, {
		cwd: root,
		stdio: "inherit",
		shell: process.platform === "win32",
		timeout: 300_000,
	});
	const failed = status === 0 ? 0 : 1;
	const took = formatSeconds(performance.now() - started);
	console.log(failed === 0 ? `ok in ${took}` : `FAILED in ${took}${error === undefined ? "" : `: ${error.message}`}`);
	return { suite: name, passed: 1 - failed, failed, skipped: 0, note: took };
}
