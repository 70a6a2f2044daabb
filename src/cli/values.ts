/** What option values mean. Each reader throws a `cli/usage` error that names its option. */
import { parseOutboundPolicy } from "../wasi/mod.ts";
import { usageError } from "./usage.ts";

/** Gathers the values of an option that may be repeated. */
export function collect(value: string, previous: readonly string[] | undefined): string[] {
	return [...(previous ?? []), value];
}

export interface ListenAddress {
	readonly host: string;
	/** 0 lets the system choose. */
	readonly port: number;
}

const DEFAULT_HOST = "127.0.0.1";

/** `host:port`, `[ipv6]:port`, `:port`, `port` or `host` with the default port. Without a host: this machine only. */
export function parseListen(text: string, defaultPort: number): ListenAddress {
	const fail = (state: string): Error =>
		usageError(`Cannot listen on ${text}: ${state}`, "--listen takes HOST:PORT, such as 127.0.0.1:3000 or [::1]:3000");
	const match = /^(?:\[(?<v6>[0-9a-fA-F:.%\w]+)\]|(?<host>[^:[\]\s]*))(?::(?<port>[^:]*))?$/.exec(text);
	if (match?.groups === undefined || text === "") throw fail("this is not HOST:PORT");
	let { v6, host = "", port } = match.groups;
	if (v6 === undefined && port === undefined && /^\d+$/.test(host)) {
		port = host;
		host = "";
	}
	const number = port === undefined ? defaultPort : Number(port);
	if (port !== undefined && (!/^\d{1,5}$/.test(port) || number > 65_535)) throw fail("the port is not 0 to 65535");
	return { host: v6 ?? (host === "" ? DEFAULT_HOST : host), port: number };
}

/** `NAME=VALUE` sets a variable, `NAME` alone passes it on from `environment`. Later ones win. */
export function parseEnvironment(
	entries: readonly string[],
	environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
	// No prototype: a variable may be called `__proto__`.
	const result: Record<string, string> = Object.create(null);
	for (const entry of entries) {
		const equals = entry.indexOf("=");
		const name = equals === -1 ? entry : entry.slice(0, equals);
		if (name === "" || entry.includes("\0")) {
			throw usageError(`Cannot set the variable "${entry}": it has no valid name`, "--env takes NAME=VALUE, or NAME");
		}
		const value = equals === -1 ? environment[name] : entry.slice(equals + 1);
		if (value === undefined) {
			throw usageError(
				`Cannot pass on the variable ${name}: it is not set here`,
				`\`--env ${name}=VALUE\` gives it a value`,
			);
		}
		result[name] = value;
	}
	return result;
}

const UNITS: ReadonlyMap<string, number> = new Map([
	["ms", 1],
	["s", 1000],
	["m", 60_000],
	["h", 3_600_000],
]);

/** The longest timer that Node has. */
const MAX_MILLISECONDS = 2 ** 31 - 1;

/** `500ms`, `1.5s`, `2m` or `1h`, in milliseconds; more than none. */
export function parseDuration(option: string, text: string): number {
	const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
	const milliseconds = Math.round(Number(amount) * (UNITS.get(unit) ?? Number.NaN));
	if (!(milliseconds >= 1 && milliseconds <= MAX_MILLISECONDS)) {
		throw usageError(
			`Cannot read ${option} ${text}: not a duration from 1ms to 596h`,
			`a duration is a number with its unit: ${option} 500ms, ${option} 10s or ${option} 2m`,
		);
	}
	return milliseconds;
}

/** Origins that a guest may call, checked here so that a mistake is told before anything is loaded. */
export function checkOutbound(origins: readonly string[]): readonly string[] {
	parseOutboundPolicy(origins);
	return origins;
}
