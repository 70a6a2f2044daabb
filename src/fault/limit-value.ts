import { LIMITS, type LimitName } from "./limits.ts";

/** Units as they are written behind a number, by the unit in which the table counts. Without one, the number counts that. */
const UNITS: Readonly<Record<"bytes" | "ms" | "count", ReadonlyMap<string, number>>> = {
	bytes: new Map([
		["", 1],
		["B", 1],
		["KiB", 2 ** 10],
		["MiB", 2 ** 20],
		["GiB", 2 ** 30],
		["kB", 1e3],
		["MB", 1e6],
		["GB", 1e9],
	]),
	ms: new Map([
		["ms", 1],
		["s", 1000],
		["m", 60_000],
		["h", 3_600_000],
	]),
	count: new Map([
		["", 1],
		["k", 1e3],
		["M", 1e6],
		["G", 1e9],
	]),
};

/** The longest timer that Node has. */
const MOST_MILLISECONDS = 2 ** 31 - 1;

function unitsOf(name: LimitName): ReadonlyMap<string, number> {
	const { unit } = LIMITS[name];
	return UNITS[unit === "bytes" || unit === "ms" ? unit : "count"];
}

/** The value of a limit as a person writes it: `64MiB`, `50ms`, `1000`, `2M`, `none`; `undefined` for what is none. */
export function parseLimit(name: LimitName, text: string): number | undefined {
	const { unit } = LIMITS[name];
	if (text === "none") return Infinity;
	const units = unitsOf(name);
	const [, amount = "", suffix = ""] = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text) ?? [];
	const factor = units.get(suffix);
	const value = factor === undefined || amount === "" ? Number.NaN : Number(amount) * factor;
	// Half a byte is a slip, half a millisecond too; but 0.1 KiB is some number of bytes.
	if (factor === 1 && !Number.isInteger(value)) return undefined;
	const whole = Math.round(value);
	if (whole >= 1 && whole <= (unit === "ms" ? MOST_MILLISECONDS : Number.MAX_SAFE_INTEGER)) return whole;
	return undefined;
}

/** What may be written for a limit: `a size such as 256MiB (B, KiB, MiB, GiB, kB, MB, GB), or none`. */
export function describeLimit(name: LimitName): string {
	const { unit } = LIMITS[name];
	if (unit === "bytes") return "a size such as 256MiB (KiB, MiB, GiB, kB, MB, GB), or none";
	if (unit === "ms") return "a time such as 50ms, 10s or 2m, at most 596h, or none";
	return `a number of ${unit} such as 5000 or 2M (k, M, G), or none`;
}

/** Every limit that can be set, in the order of the table. */
export const LIMIT_NAMES: readonly LimitName[] = Object.keys(LIMITS) as LimitName[];
