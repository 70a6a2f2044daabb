/** `npm run programs`: the programs of the suites with those that take longer, which `npm test` leaves out. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const files = ["sightglass.test.ts", "slots.test.ts", "wasi-p1.test.ts"].map((name) =>
	fileURLToPath(new URL(name, import.meta.url)),
);
const { status } = spawnSync(process.execPath, ["--test", "--test-concurrency=1", ...files], {
	stdio: "inherit",
	env: { ...process.env, SKERRY_LONG: "1" },
});
process.exitCode = status ?? 1;
