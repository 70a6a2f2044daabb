/** What option values mean. Each reader throws a `cli/usage` error that names its option. */
import { statSync } from "node:fs";
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

/** A folder for a guest, and what it may do there. */
interface FolderGrant {
	readonly path: string;
	readonly readOnly: boolean;
}

/** `HOST::GUEST`, `HOST::GUEST::ro`, or `HOST` alone where the guest's name is the same. By the guest's names; later ones win. */
export function parseFolders(entries: readonly string[]): Record<string, FolderGrant> {
	const folders: Record<string, FolderGrant> = Object.create(null);
	for (const entry of entries) {
		const fail = (state: string): Error =>
			usageError(
				`Cannot open a folder to the guest: ${state}`,
				"--dir takes HOST::GUEST, or HOST::GUEST::ro to read only",
			);
		const [host = "", guest = host, mode, ...rest] = entry.split("::");
		if (host === "" || guest === "" || rest.length > 0) throw fail(`${entry} is not HOST::GUEST`);
		if (mode !== undefined && mode !== "ro" && mode !== "rw") throw fail(`${mode} is neither ro nor rw`);
		const status = statSync(host, { throwIfNoEntry: false });
		if (status === undefined) throw fail(`there is no folder ${host}`);
		if (!status.isDirectory()) throw fail(`${host} is no folder`);
		folders[guest] = { path: host, readOnly: mode === "ro" };
	}
	return folders;
}

/** Origins that a guest may call, checked here so that a mistake is told before anything is loaded. */
export function checkOutbound(origins: readonly string[]): readonly string[] {
	parseOutboundPolicy(origins);
	return origins;
}
