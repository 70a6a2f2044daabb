/** The options that bound what a guest may take, for every command that runs one. */
import {
	describeLimit,
	LIMIT_NAMES,
	LIMITS,
	type LimitName,
	type Limits,
	METERING_MODES,
	type MeteringMode,
	nearest,
	parseLimit,
} from "../fault/mod.ts";
import { type SkerryCommand, usageError } from "./usage.ts";

export interface GuestBounds {
	readonly limits: Limits;
	readonly metering: MeteringMode | undefined;
}

const flagOf = (name: LimitName): string => `--limit.${name}`;

/** Those that are set most. */
const LISTED: ReadonlySet<LimitName> = new Set(["memory", "cpu", "wall"]);

/** Adds `--limit.*`, `--fuel` and `--metering`. Of the limits only some are listed: `skerry help limits` has them all. */
export function addBounds(command: SkerryCommand): void {
	for (const name of LIMIT_NAMES) {
		command.addOption(command.createOption(`${flagOf(name)} <value>`, LIMITS[name].bounds).hideHelp(!LISTED.has(name)));
	}
	command
		.option("--fuel <number>", "end a call after so many instructions, counted exactly: 5000000, 5M")
		.option("--metering <mode>", METERING_HELP);
}

/** What of those options was given. */
export function parseBounds(options: Readonly<Record<string, unknown>>): GuestBounds {
	const limits: Partial<Record<LimitName, number>> = {};
	for (const name of LIMIT_NAMES) {
		const text = options[`limit.${name}`];
		if (typeof text === "string") limits[name] = readLimit(name, text, flagOf(name));
	}
	const fuel = options["fuel"];
	if (typeof fuel === "string") limits.fuel = readLimit("fuel", fuel, "--fuel");
	const metering = parseMetering(options["metering"]);
	if (metering === "off" && limits.cpu !== undefined && limits.cpu !== Infinity) {
		throw usageError(
			"Cannot limit cpu with --metering off: nothing would stop the guest",
			"leave out --limit.cpu, or use another metering, such as --metering trap",
		);
	}
	if (limits.fuel === undefined || limits.fuel === Infinity) return { limits, metering };
	if (metering !== undefined && metering !== "fuel") {
		throw usageError(
			`Cannot count fuel with --metering ${metering}`,
			"a limit on fuel needs --metering fuel, which it also implies",
		);
	}
	return { limits, metering: "fuel" };
}

function readLimit(name: LimitName, text: string, flag: string): number {
	const value = parseLimit(name, text);
	if (value !== undefined) return value;
	throw usageError(
		`Cannot read ${flag} ${text}: it must be ${describeLimit(name)}`,
		"`skerry help limits` lists the limits and their defaults",
	);
}

/** What `--metering` means, for help. */
export const METERING_HELP: string = `how a guest that holds the thread is stopped: ${METERING_MODES.join(", ")} (default: trap)`;

export function parseMetering(text: unknown): MeteringMode | undefined {
	if (typeof text !== "string") return undefined;
	const found = METERING_MODES.find((mode) => mode === text);
	if (found !== undefined) return found;
	const near = nearest(text, METERING_MODES);
	throw usageError(
		`Cannot read --metering ${text}: there is no such mode`,
		`the modes are ${METERING_MODES.join(", ")}${near === undefined ? "" : `; did you mean ${near}?`}`,
	);
}
