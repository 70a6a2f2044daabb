import { BlockList, isIP } from "node:net";
import { SkerryError } from "../../fault/mod.ts";

/** One destination that a guest may send requests to, as `--allow-outbound` names it. */
interface OutboundGrant {
	readonly scheme: "http" | "https" | "*";
	readonly matchesHost: (host: string) => boolean;
	/** `undefined` for the default of the request's scheme. */
	readonly port: number | "*" | undefined;
}

const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** The destinations to which a guest may send HTTP requests. Deny by default: without a grant, none. */
export class OutboundPolicy {
	readonly #grants: readonly OutboundGrant[];

	/** Use `parseOutboundPolicy`. */
	constructor(grants: readonly OutboundGrant[]) {
		this.#grants = grants;
	}

	/** `host` is a name or an IP address in canonical form, without brackets. */
	allows(scheme: "http" | "https", host: string, port: number): boolean {
		const name = withoutRootDot(host);
		return this.#grants.some(
			(grant) =>
				(grant.scheme === "*" || grant.scheme === scheme) &&
				(grant.port === "*" || (grant.port ?? DEFAULT_PORTS[scheme]) === port) &&
				grant.matchesHost(name),
		);
	}
}

/**
 * Grants of the form `scheme://host[:port]`: the scheme is `http`, `https` or `*`; the host is `*`, `*.domain` (its subdomains,
 * never an IP address), a name, an IP address or a network (`10.0.0.0/8`, `[fd00::]/8`); the port is a number, `*`, or left out for
 * the scheme's default. Throws one `SkerryError` that names all bad ones.
 */
export function parseOutboundPolicy(texts: readonly string[]): OutboundPolicy {
	const grants: OutboundGrant[] = [];
	const problems: string[] = [];
	for (const text of texts) {
		const grant = parseGrant(text);
		if (typeof grant === "string") problems.push(`Cannot grant outbound HTTP to "${text}": ${grant}`);
		else grants.push(grant);
	}
	if (problems.length > 0) {
		throw new SkerryError("cli/usage", problems.join("\n"), {
			hint: "write a grant as scheme://host[:port], for example --allow-outbound https://api.example.com",
		});
	}
	return new OutboundPolicy(grants);
}

/** What to grant so that a request to this destination is allowed. */
export function grantFor(scheme: "http" | "https", host: string, port: number): string {
	const name = isIP(host) === 6 ? `[${host}]` : host;
	return `${scheme}://${name}${port === DEFAULT_PORTS[scheme] ? "" : `:${port}`}`;
}

export function defaultPort(scheme: "http" | "https"): number {
	return DEFAULT_PORTS[scheme];
}

/** The grant, or what is wrong with it. */
function parseGrant(text: string): OutboundGrant | string {
	const separator = text.indexOf("://");
	if (separator === -1) {
		const scheme = /^(?:localhost|127\.)/.test(text) ? "http" : "https";
		return /^[\w.*-]+(?::\d+)?$/.test(text)
			? `the scheme is missing: did you mean ${scheme}://${text}?`
			: "the scheme is missing";
	}
	const scheme = text.slice(0, separator).toLowerCase();
	if (scheme !== "http" && scheme !== "https" && scheme !== "*") return `the scheme must be http, https or *`;
	let rest = text.slice(separator + 3);
	if (rest.includes("@")) return "user information is not allowed";
	// A prefix length is the one thing that may follow a slash.
	const network = /^(\[[^\]]*\]|[^/:]*)\/(\d{1,3})(?=$|:)/.exec(rest);
	let prefix: number | undefined;
	if (network !== null) {
		prefix = Number(network[2]);
		rest = `${network[1]}${rest.slice(network[0].length)}`;
	}
	if (/[/?#]/.test(rest)) {
		if (!/^[^/?#]*\/$/.test(rest)) return "a path cannot be granted";
		rest = rest.slice(0, -1);
	}
	const parts = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(rest);
	if (parts === null) return "an IPv6 address must be in brackets";
	const port = parsePort(parts[2]);
	if (port === null) return "the port must be a number from 1 to 65535, or *";
	const matchesHost = parseHost(parts[1] ?? "", prefix);
	return typeof matchesHost === "string" ? matchesHost : { scheme, matchesHost, port };
}

function parsePort(text: string | undefined): number | "*" | undefined | null {
	if (text === undefined || text === "*") return text;
	if (!/^\d{1,5}$/.test(text)) return null;
	const port = Number(text);
	return port >= 1 && port <= 65_535 ? port : null;
}

/** A test of canonical hosts, or what is wrong. */
function parseHost(text: string, prefix: number | undefined): ((host: string) => boolean) | string {
	if (text === "") return "the host is missing";
	if (text === "*") return prefix === undefined ? () => true : "a prefix length needs an IP address";
	const wildcard = text.startsWith("*.");
	const url = URL.parse(`http://${wildcard ? text.slice(2) : text}/`);
	const host = url === null ? "" : withoutRootDot(url.hostname.replace(/^\[|\]$/g, ""));
	if (host === "" || host.includes("*") || host.includes("%")) return "the host is not valid";
	const version = isIP(host);
	if (version === 0) {
		if (prefix !== undefined) return "a prefix length needs an IP address";
		if (!wildcard) return (candidate) => candidate === host;
		return (candidate) => isIP(candidate) === 0 && candidate.endsWith(`.${host}`);
	}
	if (wildcard) return "an IP address has no subdomains";
	const bits = version === 4 ? 32 : 128;
	if (prefix !== undefined && prefix > bits) return `the prefix length must be at most ${bits}`;
	const list = new BlockList();
	list.addSubnet(host, prefix ?? bits, version === 4 ? "ipv4" : "ipv6");
	return (candidate) => {
		const family = isIP(candidate);
		return family !== 0 && list.check(candidate, family === 4 ? "ipv4" : "ipv6");
	};
}

/** `example.com.` names the same host as `example.com`. */
function withoutRootDot(host: string): string {
	return host.endsWith(".") ? host.slice(0, -1) : host;
}
