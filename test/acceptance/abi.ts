/**
 * `npm run soak -- abi [cases]`: so many random types and values through the canonical ABI's generated code and its interpreter, which have
 * to agree on results, traps, calls of realloc and memories. In processes of their own, each with another seed.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Of each kind of case (lifts, lowers, calls between guests) in one process. */
const PORTION = 20_000;

export function soakAbi(cases: number): boolean {
	const file = fileURLToPath(new URL("../../src/abi/generate/differential.test.ts", import.meta.url));
	const started = performance.now();
	let done = 0;
	while (done < cases) {
		const runs = Math.min(PORTION, cases - done);
		const env = { ...process.env, SKERRY_FUZZ_RUNS: `${runs}` };
		const { status, stdout } = spawnSync(process.execPath, ["--test", file], { env, encoding: "utf8" });
		if (status !== 0) {
			console.log(`${stdout}\nFAILED after ${done} cases`);
			return false;
		}
		done += runs;
		console.log(`  ${done} cases of each kind, ${((performance.now() - started) / 1000).toFixed(0)} s`);
	}
	console.log(`generated code and the interpreter agree on ${done} cases of each kind`);
	return true;
}
