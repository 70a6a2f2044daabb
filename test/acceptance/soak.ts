/** `npm run soak -- stop [times]`: what has to hold many times in a row. */
const [name, times = "1000", ...rest] = process.argv.slice(2);
if (name === "stop" && rest.length === 0 && /^[1-9]\d{0,6}$/.test(times)) {
	const { soakStop } = await import("./stop.ts");
	await soakStop(Number(times));
} else {
	console.error("usage: npm run soak -- stop [times]");
	process.exitCode = 2;
}
