/** The three ways in which a guest calls another are one: Wasm, generated JavaScript, the interpreter. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { outcomeOfSeed } from "./passing-random.fixture.ts";

const SEEDS = 200;
const FIRST = Number(process.env["SKERRY_TEST_SEED"] ?? 0);

test(`random calls between guests end alike in Wasm, in generated JavaScript and in the interpreter, ${SEEDS} from seed ${FIRST}`, async () => {
	const fixture = fileURLToPath(new URL("passing-random.fixture.ts", import.meta.url));
	const flags = ["--disallow-code-generation-from-strings", "--no-warnings"];
	const interpreting = promisify(execFile)(process.execPath, [...flags, fixture, "interpret", `${FIRST}`, `${SEEDS}`], {
		maxBuffer: 1 << 28,
	});
	const generated: (readonly string[])[] = [];
	let asked = 0;
	let returned = 0;
	let trapped = 0;
	for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
		const direct = await outcomeOfSeed(seed, true);
		const through = await outcomeOfSeed(seed, false);
		assert.deepEqual(direct.calls, through.calls, `seed ${seed}`);
		assert.equal(through.asked, 0);
		asked += direct.asked;
		for (const outcome of direct.calls) {
			if (/: Trap|LimitExceeded/.test(outcome)) trapped++;
			else returned++;
		}
		generated.push(through.calls);
	}
	const interpreted = JSON.parse((await interpreting).stdout) as string[][];
	for (const [i, calls] of generated.entries()) assert.deepEqual(interpreted[i], calls, `seed ${FIRST + i}`);
	assert.ok(asked > SEEDS && returned > SEEDS && trapped > SEEDS / 4, `${asked}, ${returned}, ${trapped}`);
});
