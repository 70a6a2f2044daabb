/**
 * What has to hold many times in a row: `npm run soak -- stop [times] [trap|yield|fuel] [idle|load] [part of a shape's name | 1/8] [--into FILE [--for SECONDS]]`, `-- reset [runs] [first seed]`,
 * `-- tasks [runs] [first seed]`, `-- mutate [binaries] [first seed]`, `-- abi [cases]`.
 */
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
	options: { into: { type: "string" }, for: { type: "string", default: "Infinity" } },
	allowPositionals: true,
});
const [name, ...rest] = positionals;
const numbers = rest.filter((text) => /^[1-9]\d{0,8}$/.test(text)).map(Number);
const words = rest.slice(numbers.length);
if (name === "stop" && numbers.length <= 1) {
	const { LOADS, METERINGS, soakStop } = await import("./stop.ts");
	const meterings = METERINGS.filter((metering) => words.includes(metering));
	const loads = LOADS.filter((load) => words.includes(load));
	const [shape = "", ...more] = words.filter((word) => ![...METERINGS, ...LOADS].includes(word as never));
	if (more.length === 0) {
		await soakStop(numbers[0] ?? 1000, {
			meterings: meterings.length === 0 ? METERINGS : meterings,
			loads: loads.length === 0 ? LOADS : loads,
			shape,
			into: values.into,
			seconds: Number(values.for),
		});
	} else explain();
} else if ((name === "reset" || name === "spies") && numbers.length <= 2 && words.length === 0) {
	const { soakReset } = await import("./reset.ts");
	process.exitCode = (await soakReset(name, numbers[0] ?? 100_000, numbers[1] ?? 1)) ? 0 : 1;
} else if (name === "tasks" && numbers.length <= 2 && words.length === 0) {
	const { soakTasks } = await import("./tasks.ts");
	process.exitCode = (await soakTasks(numbers[0] ?? 20_000, numbers[1] ?? 1)) ? 0 : 1;
} else if (name === "mutate" && numbers.length <= 2 && words.length === 0) {
	const { soakMutations } = await import("./mutate.ts");
	process.exitCode = (await soakMutations(numbers[0] ?? 100_000, numbers[1] ?? 1)) ? 0 : 1;
} else if (name === "abi" && numbers.length <= 1 && words.length === 0) {
	const { soakAbi } = await import("./abi.ts");
	process.exitCode = (await soakAbi(numbers[0] ?? 1_000_000)) ? 0 : 1;
} else explain();

function explain(): void {
	console.error(
		"usage: npm run soak -- stop [times] [trap|yield|fuel] [idle|load] [part of a shape's name | 1/8] [--into FILE [--for SECONDS]] | reset|spies|tasks|mutate [runs] [first seed] | abi [cases]",
	);
	process.exitCode = 2;
}
