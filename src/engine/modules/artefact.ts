import { Writer } from "../../bytes/mod.ts";
import { SkerryError } from "../../fault/mod.ts";
import type { RewriteOptions, RewrittenModule } from "../../rewrite/mod.ts";
import { decodePlain, encodePlain } from "./plain-data.ts";

/**
 * Where rewritten modules are kept between processes. It may lose what it keeps, which is then made again, but not change it. Whoever can
 * write to it decides what runs.
 */
export interface ArtefactStore {
	/** What was written under this name, to the last bit; `undefined` when that is no longer there. Never fails. */
	read(name: string): Promise<Uint8Array | undefined>;
	/** Never fails: what cannot be kept is not kept. */
	write(name: string, bytes: Uint8Array): Promise<void>;
}

/** A store in memory. */
export class MemoryStore implements ArtefactStore {
	readonly entries: Map<string, Uint8Array>;

	constructor(entries: Iterable<readonly [string, Uint8Array]> = []) {
		this.entries = new Map(entries);
	}

	read(name: string): Promise<Uint8Array | undefined> {
		return Promise.resolve(this.entries.get(name));
	}

	write(name: string, bytes: Uint8Array): Promise<void> {
		this.entries.set(name, bytes);
		return Promise.resolve();
	}
}

/** A module as it is kept: all of it but the code, which modules that differ in initial state only share. */
export interface Artefact {
	/** The digest of the code, and the name under which it is kept; that of the original where there was nothing to change. */
	readonly code: string;
	readonly rest: Omit<RewrittenModule, "bytes">;
}

/** Bytes of a digest that are kept, of SHA-512's 64: as strong as SHA-256, which takes longer. */
const DIGEST = 32;

/** A digest in hexadecimal digits. */
export async function digest(bytes: Uint8Array): Promise<string> {
	return (await digestBytes(bytes)).toHex();
}

async function digestBytes(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
	const hash = await crypto.subtle.digest("SHA-512", bytes as Uint8Array<ArrayBuffer>);
	return new Uint8Array(hash, 0, DIGEST);
}

/** @param version of the rewriter: what another one made is not found */
export function artefactName(original: string, options: RewriteOptions, version: string): string {
	return `${original}.${wayOf(options)}.${version}`;
}

/** How guests are stopped, in a word: what is of use in this process is of none in one that cannot protect the page. */
export function wayOf({ metering, check }: RewriteOptions): string {
	return metering === "trap" && check === "page" ? "trap-page" : metering;
}

/** The name of what is kept for modules that are alike in all but their data. */
export async function likeName(likeness: string, options: RewriteOptions, version: string): Promise<string> {
	return artefactName(`${await digest(new TextEncoder().encode(likeness))}${LIKE}`, options, version);
}

export function isLikeName(name: string): boolean {
	return name.includes(`${LIKE}.`);
}

const LIKE = ".like";

export function codeName(code: string): string {
	return `${code}.code`;
}

export function encodeArtefact({ code, rest }: Artefact): Uint8Array {
	return encodePlain({ code, ...rest });
}

/** @returns `undefined` for bytes that `encodeArtefact` does not make */
export function decodeArtefact(bytes: Uint8Array): Artefact | undefined {
	try {
		const { code, ...rest } = decodePlain(bytes) as Record<string, unknown>;
		return typeof code === "string" ? { code, rest: rest as unknown as Artefact["rest"] } : undefined;
	} catch (error) {
		if (error instanceof SkerryError) return undefined;
		throw error;
	}
}

/** Puts their digest before the bytes. */
export async function seal(bytes: Uint8Array): Promise<Uint8Array> {
	return new Writer(bytes.length + DIGEST)
		.raw(await digestBytes(bytes))
		.raw(bytes)
		.detach();
}

/** What was sealed; `undefined` when it is not what it was. */
export async function unseal(bytes: Uint8Array): Promise<Uint8Array | undefined> {
	if (bytes.length < DIGEST) return undefined;
	const content = bytes.subarray(DIGEST);
	const found = await digestBytes(content);
	return found.every((byte, i) => byte === bytes[i]) ? content : undefined;
}
