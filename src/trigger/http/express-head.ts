import type { Socket } from "node:net";

/** A request without its body. Node's `IncomingMessage` is one. */
export interface RequestHead {
	readonly method?: string | undefined;
	readonly url?: string | undefined;
	/** Names and values in turn. */
	readonly rawHeaders: string[];
	readonly socket: Socket;
}

/** Kinds of characters: of a token (RFC 9110, 5.6.2), of a field's value (5.5), and of a request's target, which is visible ASCII. */
const TOKEN = 1;
const VALUE = 2;
const TARGET = 4;

const KINDS: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) => {
	const character = String.fromCharCode(code);
	return (
		(/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character) ? TOKEN : 0) |
		(/[\t\x20-\x7e\x80-\xff]/.test(character) ? VALUE : 0) |
		(/[\x21-\x7e]/.test(character) ? TARGET : 0)
	);
});

const CR = 13;
const LF = 10;
const COLON = 58;
const SPACE = 32;
const TAB = 9;

/** Methods whose requests seldom have a body, and whose responses are like any. Not HEAD: its answer has no body. */
const METHODS: readonly string[] = ["GET", "DELETE", "OPTIONS"];

/** Fields that decide where a request ends, or what becomes of its connection. */
const DECIDING: ReadonlySet<string> = new Set([
	"connection",
	"content-length",
	"expect",
	"keep-alive",
	"proxy-connection",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
]);
/** The lengths of these and of `host`, as bits: most fields are none of them. */
const DECIDING_LENGTHS: number = [...DECIDING, "host"].reduce((bits, { length }) => bits | (1 << length), 0);

/**
 * The head of a plain HTTP/1.1 request: all of `text`, without a body, on a connection that is kept. `undefined` for whatever is not
 * beyond doubt of this kind, which is for Node to judge: what is taken here, Node would take for the very same request.
 */
export function parseExpressHead(text: string, socket: Socket): RequestHead | undefined {
	const method = METHODS.find((name) => text.startsWith(name) && text.charCodeAt(name.length) === SPACE);
	if (method === undefined) return undefined;
	let at = method.length + 1;
	const target = at;
	while (is(text, at, TARGET)) at++;
	if (text[target] !== "/" || !text.startsWith(" HTTP/1.1\r\n", at)) return undefined;
	const url = text.slice(target, at);
	at += " HTTP/1.1\r\n".length;
	const rawHeaders: string[] = [];
	let hosts = 0;
	while (text.charCodeAt(at) !== CR) {
		const start = at;
		while (is(text, at, TOKEN)) at++;
		if (at === start || text.charCodeAt(at) !== COLON) return undefined;
		const name = text.slice(start, at++);
		while (isBlank(text.charCodeAt(at))) at++;
		const from = at;
		let to = at;
		for (; is(text, at, VALUE); at++) if (!isBlank(text.charCodeAt(at))) to = at + 1;
		if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) return undefined;
		at += 2;
		const value = text.slice(from, to);
		rawHeaders.push(name, value);
		if (name.length < 32 && ((DECIDING_LENGTHS >> name.length) & 1) === 1) {
			const key = name.toLowerCase();
			if (key === "host") hosts++;
			else if (DECIDING.has(key) && !(key === "connection" && value.toLowerCase() === "keep-alive")) return undefined;
		}
	}
	if (hosts !== 1 || text.charCodeAt(at + 1) !== LF || at + 2 !== text.length) return undefined;
	return { method, url, rawHeaders, socket };
}

/** Whether a text can be a field's name. */
export function isToken(text: string): boolean {
	return text.length > 0 && consistsOf(text, TOKEN);
}

/** Whether a text can be a field's value: nothing in it ends the field, or the head. */
export function isFieldValue(text: string): boolean {
	return consistsOf(text, VALUE);
}

function consistsOf(text: string, kind: number): boolean {
	for (let i = 0; i < text.length; i++) {
		const code = text.charCodeAt(i);
		if (code > 0xff || ((KINDS[code] as number) & kind) === 0) return false;
	}
	return true;
}

function is(text: string, at: number, kind: number): boolean {
	return at < text.length && ((KINDS[text.charCodeAt(at)] as number) & kind) !== 0;
}

function isBlank(code: number): boolean {
	return code === SPACE || code === TAB;
}
