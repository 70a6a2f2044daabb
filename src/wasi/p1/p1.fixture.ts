import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { GuestMemory } from "../../link/mod.ts";
import { openHostFolder } from "../../sys/mod.ts";
import { createWasiContext, type WasiContext, type WasiOptions } from "../context.ts";
import { WASI_P1 } from "./interface.ts";

const encoder = new TextEncoder();

/** Where texts are put for calls; results stand before it. */
const TEXTS = 4096;

interface OpenHow {
	readonly fd?: number;
	readonly flags?: number;
	readonly rights?: bigint;
	readonly lookup?: number;
	readonly fdFlags?: number;
}

/** A guest of one page that makes no call but those of a test, which writes its memory for it. */
export class P1Guest implements Disposable {
	readonly context: WasiContext;
	readonly memory: GuestMemory;
	readonly denied: string[] = [];
	#next = TEXTS;

	constructor(options: WasiOptions = {}, pages = 1) {
		const buffer = new ArrayBuffer(pages * 65_536);
		this.memory = new GuestMemory(
			() => ({ buffer }),
			() => false,
		);
		this.context = createWasiContext({ onDenied: (what) => this.denied.push(what), ...options });
	}

	/** Calls a function of WASI 0.1: its errno, or a promise of it. */
	call(name: string, ...args: (number | bigint)[]): unknown {
		const fn = WASI_P1.functions[name];
		if (fn === undefined) throw new Error(`no function ${name}`);
		return fn.call(this, ...args);
	}

	/** Puts a text into the memory: what is to be passed for it. */
	text(text: string | Uint8Array): [pointer: number, length: number] {
		const bytes = typeof text === "string" ? encoder.encode(text) : text;
		const at = this.#next;
		this.memory.write(at, bytes);
		this.#next += (bytes.length + 15) & ~7;
		return [at, bytes.length];
	}

	/** Puts vectors into the memory, one for each of these. */
	vectors(...all: readonly (readonly [pointer: number, length: number])[]): [pointer: number, count: number] {
		const bytes = new Uint8Array(all.length * 8);
		const view = new DataView(bytes.buffer);
		for (const [i, [pointer, length]] of all.entries()) {
			view.setUint32(i * 8, pointer, true);
			view.setUint32(i * 8 + 4, length, true);
		}
		return [this.text(bytes)[0], all.length];
	}

	/** Opens a path below a folder; the errno, or the descriptor. */
	open(path: string, how: OpenHow = {}): { errno: unknown; fd: number } {
		const { fd = 3, flags = 0, rights = 0x2n, lookup = 1, fdFlags = 0 } = how;
		const errno = this.call("path_open", fd, lookup, ...this.text(path), flags, rights, 0n, fdFlags, 0);
		return { errno, fd: this.memory.getU32(0) };
	}

	[Symbol.dispose](): void {
		this.context.end();
	}
}

/** A folder of this machine that ends with the test, and what is granted of it. `secret` stands beside what is granted. */
export class TestFolder implements Disposable {
	readonly outside: string = mkdtempSync(path.join(tmpdir(), "skerry-p1-"));
	readonly path: string = path.join(this.outside, "granted");

	constructor(files: Readonly<Record<string, string>> = {}) {
		mkdirSync(this.path);
		writeFileSync(path.join(this.outside, "secret"), "secret");
		mkdirSync(path.join(this.outside, "secrets"));
		for (const [name, text] of Object.entries(files)) {
			mkdirSync(path.dirname(this.at(name)), { recursive: true });
			writeFileSync(this.at(name), text);
		}
	}

	at(name: string): string {
		return path.join(this.path, name);
	}

	grant(readOnly = false): WasiOptions {
		return { folders: [{ guest: "/", open: () => openHostFolder(this.path, { readOnly }) }] };
	}

	[Symbol.dispose](): void {
		rmSync(this.outside, { recursive: true, force: true });
	}
}
