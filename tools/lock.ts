/**
 * `npm run lock`: completes package-lock.json after `npm install`, so that `npm ci` takes it; `--check` only looks.
 * See `lock/complete.ts` for what npm leaves out.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { completeLock, findMissingEntries, type Lock } from "./lock/complete.ts";

const path = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const lock: Lock = JSON.parse(readFileSync(path, "utf8"));
const missing = findMissingEntries(lock);
const count = Object.keys(lock.packages).length;
if (process.argv.includes("--check")) {
	for (const [place, { version }] of missing) console.error(`package-lock.json lacks ${place} ${version}`);
	if (missing.size > 0) {
		console.error("`npm ci` will refuse it; `npm run lock` completes it");
		process.exitCode = 1;
	}
	console.log(`lock: ${count} packages, ${missing.size} missing`);
} else {
	writeFileSync(path, `${JSON.stringify(completeLock(lock, missing), null, "\t")}\n`);
	console.log(`lock: ${count} packages, ${missing.size} added`);
}
