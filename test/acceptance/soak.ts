/** `npm run soak -- stop [times] [trap|yield|fuel] [idle|load]`: what has to hold many times in a row. */
import { LOADS, METERINGS, soakStop } from "./stop.ts";

const [name, times = "1000", ...rest] = process.argv.slice(2);
const meterings = METERINGS.filter((metering) => rest.includes(metering));
const loads = LOADS.filter((load) => rest.includes(load));
if (name === "stop" && meterings.length + loads.length === rest.length && /^[1-9]\d{0,6}$/.test(times)) {
	await soakStop(Number(times), meterings.length === 0 ? METERINGS : meterings, loads.length === 0 ? LOADS : loads);
} else {
	console.error("usage: npm run soak -- stop [times] [trap|yield|fuel] [idle|load]");
	process.exitCode = 2;
}
