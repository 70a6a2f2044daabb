import { isToken } from "./fields.ts";

/** `wasi:http/types.method`. */
export interface Method {
	readonly tag: "get" | "head" | "post" | "put" | "delete" | "connect" | "options" | "trace" | "patch" | "other";
	/** The method, in case `other`. */
	readonly val?: string;
}

/** `wasi:http/types.scheme`. */
export interface Scheme {
	readonly tag: "HTTP" | "HTTPS" | "other";
	/** The scheme, in case `other`. */
	readonly val?: string;
}

const METHODS: ReadonlyMap<string, Method> = new Map(
	(["get", "head", "post", "put", "delete", "connect", "options", "trace", "patch"] as const).map((tag) => [
		tag.toUpperCase(),
		{ tag },
	]),
);

export function toMethod(name: string): Method {
	return METHODS.get(name) ?? { tag: "other", val: name };
}

export function methodName(method: Method): string {
	return method.tag === "other" ? (method.val ?? "") : method.tag.toUpperCase();
}

/** RFC 9110, 9.1: a method is a token. */
export function isMethod(method: Method): boolean {
	return isToken(methodName(method));
}

/** RFC 3986, 3.1. */
export function isScheme(scheme: Scheme): boolean {
	return scheme.tag !== "other" || /^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme.val ?? "");
}

/** RFC 9112, 3.2: origin form or `*`; a query alone stands for one on the path `/`. Visible ASCII without a fragment. */
export function isPathWithQuery(path: string): boolean {
	return path === "" || path === "*" || /^[/?][\x21\x22\x24-\x7e]*$/.test(path);
}

/** Where a request goes. */
export interface Destination {
	/** A name in lower case and Punycode, or an IP address in its canonical form, without brackets. */
	readonly host: string;
	/** `undefined` for the scheme's default. */
	readonly port: number | undefined;
	/** The authority in canonical form, for the `host` field. */
	readonly authority: string;
}

/**
 * RFC 9110, 7.2 without user information (4.2.4 deprecates it). The host is brought into the one form in which it is both checked
 * against grants and connected to, so that `0x7f.1` cannot pass for a name.
 */
export function parseAuthority(authority: string): Destination | undefined {
	const parts = /^(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\\[\]<>^|%]+)(?::(\d{0,5}))?$/.exec(authority);
	if (parts === null) return undefined;
	// The URL parser is the WHATWG's: it canonicalises all forms of an IPv4 address, and names by IDNA.
	const url = URL.parse(`http://${parts[1]}/`);
	if (url === null || url.hostname === "") return undefined;
	const port = parts[2] === undefined || parts[2] === "" ? undefined : Number(parts[2]);
	if (port !== undefined && (port > 65_535 || port === 0)) return undefined;
	const host = url.hostname.replace(/^\[|\]$/g, "");
	return { host, port, authority: port === undefined ? url.hostname : `${url.hostname}:${port}` };
}
