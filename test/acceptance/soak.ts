/** `npm run soak -- stop [times]`: what has to hold many times in a row. */
const [name, ...rest] = process.argv.slice(2);
if (name === "stop") {
	const { soakStop } = await import("./stop.ts");
	await soakStop(Number(rest[0] ?? 1_000));
} else {
	console.error("usage: npm run soak -- stop [times]");
	process.exitCode = 2;
}
