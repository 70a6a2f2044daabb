import { toLatin1 } from "../../sys/mod.ts";
import { err, ok, type Result } from "../result.ts";
import { DEFAULT_HTTP_LIMITS, exceedHttpLimit } from "./limits.ts";

/** `wasi:http/types.header-error`. */
export interface HeaderError {
	readonly tag: "invalid-syntax" | "forbidden" | "immutable";
}

interface Entry {
	/** As it was given. */
	readonly name: string;
	readonly key: string;
	/** One character per byte, which is what Node's `http` speaks. */
	readonly value: string;
}

/** RFC 9110, 5.6.2 `token`. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110, 5.5 `field-value`, with spaces allowed at its ends. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Fields that belong to the connection or that the host derives itself: guests neither see nor set them, so that what a
 * guest received can always be sent on. The list is Wasmtime's.
 */
const FORBIDDEN: ReadonlySet<string> = new Set([
	"connection",
	"host",
	"http2-settings",
	"keep-alive",
	"proxy-authenticate",
	"proxy-authorization",
	"proxy-connection",
	"transfer-encoding",
	"upgrade",
]);

/** What there is to know of a field's name. */
interface Name {
	readonly key: string;
	readonly error: HeaderError | undefined;
}

/**
 * Names that most messages have, in the two ways in which they are written: what is known of these need not be found out each time, and
 * their keys are one string, which V8 compares at a glance. A fixed list, for what one guest sends is nothing that another may notice.
 */
const COMMON: ReadonlyMap<string, Name> = new Map(
	[
		"Accept",
		"Accept-Encoding",
		"Accept-Language",
		"Access-Control-Allow-Headers",
		"Access-Control-Allow-Methods",
		"Access-Control-Allow-Origin",
		"Authorization",
		"Cache-Control",
		"Content-Encoding",
		"Content-Language",
		"Content-Length",
		"Content-Type",
		"Cookie",
		"Date",
		"ETag",
		"Expires",
		"If-Modified-Since",
		"If-None-Match",
		"Last-Modified",
		"Link",
		"Location",
		"Origin",
		"Range",
		"Referer",
		"Retry-After",
		"Server",
		"Set-Cookie",
		"Strict-Transport-Security",
		"User-Agent",
		"Vary",
		"Via",
		"X-Content-Type-Options",
		"X-Frame-Options",
		"X-Request-Id",
		...FORBIDDEN,
	].flatMap((name) => {
		const key = name.toLowerCase();
		const known: Name = { key, error: FORBIDDEN.has(key) ? { tag: "forbidden" } : undefined };
		return [name, key].map((text) => [text, known] as const);
	}),
);

/** RFC 9113, 6.5.2: what an entry costs beyond its name and value. */
const ENTRY_OVERHEAD = 32;

/** For each character code below 256: 1 in a token, 2 in a value. A regular expression takes longer than the few characters of a field. */
const CHARACTERS: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) => {
	const character = String.fromCharCode(code);
	return (TOKEN.test(character) ? 1 : 0) | (VALUE.test(character) ? 2 : 0);
});

function consistsOf(text: string, kind: 1 | 2): boolean {
	for (let i = 0; i < text.length; i++) {
		const code = text.charCodeAt(i);
		if (code > 0xff || ((CHARACTERS[code] as number) & kind) === 0) return false;
	}
	return true;
}

export function isToken(text: string): boolean {
	return text.length > 0 && consistsOf(text, 1);
}

function fromLatin1(text: string): Uint8Array {
	const bytes = new Uint8Array(text.length);
	for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
	return bytes;
}

/** What counts the bytes that are held for a guest. */
interface Holder {
	hold(bytes: number): void;
	release(bytes: number): void;
}

/** Bytes of the host's for a `fields` without any. */
const OVERHEAD = 128;

/** `wasi:http/types.fields`: headers or trailers. Names keep the case in which they were given, and are compared without it. */
export class Fields {
	readonly mutable: boolean;
	readonly #limit: number;
	readonly #holder: Holder | undefined;
	#entries: Entry[];
	#size: number;
	#dropped = false;

	private constructor(entries: Entry[], mutable: boolean, limit: number, holder?: Holder) {
		this.#entries = entries;
		this.mutable = mutable;
		this.#limit = limit;
		let size = 0;
		for (const entry of entries) size += sizeOf(entry);
		this.#size = size;
		this.#holder = holder;
		holder?.hold(OVERHEAD + size);
	}

	/** @param holder told of the bytes, until `drop` */
	static empty(limit: number = DEFAULT_HTTP_LIMITS.fieldBytes, holder?: Holder): Fields {
		return new Fields([], true, limit, holder);
	}

	/**
	 * What a message brought, names and values in turn: immutable, without the forbidden ones and those that its
	 * `connection` field names (RFC 9110, 7.6.1).
	 */
	static received(raw: readonly string[], limit: number = DEFAULT_HTTP_LIMITS.fieldBytes): Fields {
		const entries: Entry[] = [];
		let nominated: Set<string> | undefined;
		for (let i = 0; i + 1 < raw.length; i += 2) {
			const name = raw[i] ?? "";
			const value = raw[i + 1] ?? "";
			const { key, error } = nameOf(name);
			if (key === "connection") {
				nominated ??= new Set();
				for (const option of value.split(",")) nominated.add(option.trim().toLowerCase());
			}
			if (error?.tag !== "forbidden") entries.push({ name, key, value });
		}
		const kept = nominated === undefined ? entries : entries.filter((entry) => !nominated.has(entry.key));
		return new Fields(kept, false, limit);
	}

	static fromList(
		list: readonly (readonly [string, Uint8Array])[],
		limit: number = DEFAULT_HTTP_LIMITS.fieldBytes,
		holder?: Holder,
	): Result<Fields, HeaderError> {
		const added: Entry[] = [];
		let size = 0;
		for (const [name, value] of list) {
			const entry = toEntry(name, value);
			if ("tag" in entry) return err(entry);
			size += sizeOf(entry);
			if (size > limit) throw exceedHttpLimit("fieldBytes", limit, size);
			added.push(entry);
		}
		return ok(new Fields(added, true, limit, holder));
	}

	get(name: string): Uint8Array[] {
		return this.values(name).map(fromLatin1);
	}

	/** The values of a field, one character per byte. */
	values(name: string): string[] {
		const key = name.toLowerCase();
		return this.#entries.filter((entry) => entry.key === key).map((entry) => entry.value);
	}

	/** What `content-length` announces: `undefined` for nothing, "invalid" for what is no number or contradicts itself. */
	get contentLength(): number | undefined | "invalid" {
		let length: string | undefined;
		let found: number | undefined;
		for (const { key, value } of this.#entries) {
			if (key !== "content-length") continue;
			const text = value.trim();
			const number = parseLength(text);
			if (number === undefined || (length !== undefined && length !== text)) return "invalid";
			length = text;
			found = number;
		}
		return found;
	}

	has(name: string): boolean {
		const key = name.toLowerCase();
		return this.#entries.some((entry) => entry.key === key);
	}

	set(name: string, values: readonly Uint8Array[]): Result<undefined, HeaderError> {
		const refusal = this.#refusal(name);
		if (refusal !== undefined) return err(refusal);
		const added: Entry[] = [];
		for (const value of values) {
			const entry = toEntry(name, value);
			if ("tag" in entry) return err(entry);
			added.push(entry);
		}
		const key = name.toLowerCase();
		this.#replace([...this.#entries.filter((entry) => entry.key !== key), ...added]);
		return ok();
	}

	delete(name: string): Result<undefined, HeaderError> {
		const refusal = this.#refusal(name);
		if (refusal !== undefined) return err(refusal);
		const key = name.toLowerCase();
		this.#replace(this.#entries.filter((entry) => entry.key !== key));
		return ok();
	}

	append(name: string, value: Uint8Array): Result<undefined, HeaderError> {
		if (!this.mutable) return err({ tag: "immutable" });
		const entry = toEntry(name, value);
		if ("tag" in entry) return err(entry);
		const size = this.#size + sizeOf(entry);
		if (size > this.#limit) throw exceedHttpLimit("fieldBytes", this.#limit, size);
		this.#resize(size);
		this.#entries.push(entry);
		return ok();
	}

	entries(): [string, Uint8Array][] {
		return this.#entries.map(({ name, value }) => [name, fromLatin1(value)]);
	}

	/** A mutable copy. */
	clone(): Fields {
		return new Fields([...this.#entries], true, this.#limit, this.#holder);
	}

	/** The same fields for a guest that may only read them; this object must not be changed any more. */
	asImmutable(): Fields {
		return this.mutable ? new Fields(this.#entries, false, this.#limit) : this;
	}

	/** Names and values in turn, as Node's `http` takes them. */
	toRaw(): string[] {
		const raw: string[] = [];
		for (const { name, value } of this.#entries) raw.push(name, value);
		return raw;
	}

	#refusal(name: string): HeaderError | undefined {
		if (!this.mutable) return { tag: "immutable" };
		return nameOf(name).error;
	}

	#replace(entries: Entry[]): void {
		const size = entries.reduce((size, entry) => size + sizeOf(entry), 0);
		if (size > this.#limit) throw exceedHttpLimit("fieldBytes", this.#limit, size);
		this.#resize(size);
		this.#entries = entries;
	}

	#resize(size: number): void {
		if (size > this.#size) this.#holder?.hold(size - this.#size);
		else this.#holder?.release(this.#size - size);
		this.#size = size;
	}

	/** They are no more the guest's. Idempotent. */
	drop(): void {
		if (this.#dropped) return;
		this.#dropped = true;
		this.#holder?.release(OVERHEAD + this.#size);
	}
}

function sizeOf(entry: Entry): number {
	return entry.name.length + entry.value.length + ENTRY_OVERHEAD;
}

function nameOf(name: string): Name {
	const known = COMMON.get(name);
	if (known !== undefined) return known;
	const key = name.toLowerCase();
	return {
		key,
		error: isToken(name) ? (FORBIDDEN.has(key) ? { tag: "forbidden" } : undefined) : { tag: "invalid-syntax" },
	};
}

function toEntry(name: string, bytes: Uint8Array): Entry | HeaderError {
	const { key, error } = nameOf(name);
	if (error !== undefined) return error;
	const value = toLatin1(bytes);
	if (!consistsOf(value, 2)) return { tag: "invalid-syntax" };
	return { name, key, value };
}

const MOST_DIGITS = 15;
const ZERO = 0x30;

/** Of 1 to 15 digits, and nothing else. */
function parseLength(text: string): number | undefined {
	if (text.length === 0 || text.length > MOST_DIGITS) return undefined;
	let number = 0;
	for (let i = 0; i < text.length; i++) {
		const digit = text.charCodeAt(i) - ZERO;
		if (digit < 0 || digit > 9) return undefined;
		number = number * 10 + digit;
	}
	return number;
}
