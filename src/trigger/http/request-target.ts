import { isPathWithQuery, parseAuthority } from "../../wasi/mod.ts";
import type { RequestHead } from "./express-head.ts";

/** Where a request was sent to (RFC 9112, 3.2 and 3.3). */
export interface RequestTarget {
	readonly authority: string;
	readonly pathWithQuery: string;
}

/** The last authority that was found to be well-formed: most requests name the one before's, and parsing takes as long as a small guest. */
let known: string | undefined;

function isAuthority(text: string): boolean {
	if (text === known) return true;
	if (parseAuthority(text) === undefined) return false;
	known = text;
	return true;
}

/** The first value of a field in a head, names and values in turn. Node's `headers` makes an object of all of them. */
export function findField(rawHeaders: readonly string[], key: string): string | undefined {
	for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
		const name = rawHeaders[i] as string;
		if (name.length === key.length && (name === key || name.toLowerCase() === key)) return rawHeaders[i + 1];
	}
	return undefined;
}

/** Whoever stands before the server may go by the other one. */
function hasTwoHosts(rawHeaders: readonly string[]): boolean {
	let count = 0;
	for (let i = 0; i < rawHeaders.length; i += 2) {
		const name = rawHeaders[i] as string;
		if (name.length === 4 && name.toLowerCase() === "host") count++;
	}
	return count > 1;
}

/** `undefined` for a request that says it in a way that HTTP does not allow. */
export function parseRequestTarget(request: RequestHead): RequestTarget | undefined {
	let path = request.url ?? "/";
	let authority = findField(request.rawHeaders, "host");
	if (authority !== undefined && hasTwoHosts(request.rawHeaders)) return undefined;
	const absolute = path.startsWith("/") ? null : /^https?:\/\/([^/?#]*)/i.exec(path);
	if (absolute !== null) {
		// The absolute form overrides the host field.
		authority = absolute[1];
		path = path.slice(absolute[0].length);
		if (!path.startsWith("/")) path = `/${path}`;
	}
	if (authority === undefined || authority === "") {
		// HTTP/1.0, or an empty host: the address that was connected to.
		const { localAddress = "localhost", localPort } = request.socket;
		authority = `${localAddress.includes(":") ? `[${localAddress}]` : localAddress}:${localPort ?? 80}`;
	}
	if (!isAuthority(authority) || path === "") return undefined;
	if (!isPathWithQuery(path)) {
		// Bytes above ASCII are not allowed there, but browsers of old and people at a shell send them.
		path = path.replace(/[\x80-\xff]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
		if (!isPathWithQuery(path)) return undefined;
	}
	return { authority, pathWithQuery: path };
}
