/**
 * `npm run soak -- abi [cases]`: so many random types and values through the canonical ABI's generated code and its interpreter, which have
 * to agree on results, traps, calls of realloc and memories. In processes of their own, each with another seed, one for each core.
 */
import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

/** Of each kind of case (lifts, lowers, calls between guests) in one process. */
const PORTION = 20_000;

const TEST = fileURLToPath(new URL("../../src/abi/generate/differential.test.ts", import.meta.url));

/** What it has to say where they do not agree. */
function runPortion(cases: number): Promise<string | undefined> {
	const env = { ...process.env, SKERRY_FUZZ_RUNS: `${cases}` };
	return new Promise((resolve) => {
		execFile(process.execPath, ["--test", TEST], { env, maxBuffer: 2 ** 28 }, (error, stdout) => {
			resolve(error === null ? undefined : stdout);
		});
	});
}

export async function soakAbi(cases: number): Promise<boolean> {
	const started = performance.now();
	let begun = 0;
	let done = 0;
	let failed = false;
	const work = async (): Promise<void> => {
		while (begun < cases && !failed) {
			const portion = Math.min(PORTION, cases - begun);
			begun += portion;
			const trouble = await runPortion(portion);
			if (trouble !== undefined) {
				failed = true;
				console.log(`${trouble}\nFAILED after ${done} cases`);
				return;
			}
			done += portion;
			console.log(`  ${done} cases of each kind, ${((performance.now() - started) / 1000).toFixed(0)} s`);
		}
	};
	await Promise.all(Array.from({ length: availableParallelism() }, work));
	if (!failed) console.log(`generated code and the interpreter agree on ${done} cases of each kind`);
	return !failed;
}
