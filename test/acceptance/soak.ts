/** `npm run soak -- stop [times]`, `npm run soak -- reset [runs] [first seed]`: what has to hold many times in a row. */
const [name, ...numbers] = process.argv.slice(2);
const valid = numbers.every((text) => /^[1-9]\d{0,8}$/.test(text));
const [count, seed] = numbers.map(Number);
if (name === "stop" && valid && numbers.length <= 1) {
	const { soakStop } = await import("./stop.ts");
	await soakStop(count ?? 1000);
} else if (name === "reset" && valid && numbers.length <= 2) {
	const { soakReset } = await import("./reset.ts");
	process.exitCode = (await soakReset(count ?? 100_000, seed ?? 1)) ? 0 : 1;
} else {
	console.error("usage: npm run soak -- stop [times] | reset [runs] [first seed]");
	process.exitCode = 2;
}
