import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { Writable } from "node:stream";

import { Engine, type GrantedPath, type Imports } from "../../src/embed/mod.ts";
import { SkerryError } from "../../src/fault/mod.ts";
import { GuestExit } from "../../src/wasi/mod.ts";

/** What a program's run came to. */
export interface GuestRun {
	readonly stdout: string;
	readonly stderr: string;
	readonly status: number;
	/** `what; hint` of each thing that was refused. */
	readonly denied: readonly string[];
}

export interface GuestRunOptions {
	readonly args?: readonly string[];
	readonly env?: Readonly<Record<string, string>>;
	readonly stdin?: string | Uint8Array;
	readonly folders?: Readonly<Record<string, GrantedPath>>;
	readonly imports?: Imports;
}

const engine = new Engine();

function collector(): { readonly stream: Writable; readonly text: () => string } {
	const chunks: Buffer[] = [];
	const stream = new Writable({
		write(chunk: Buffer, _encoding, done) {
			chunks.push(chunk);
			done();
		},
	});
	return { stream, text: () => Buffer.concat(chunks).toString() };
}

/** Runs a WASI 0.1 command in this process, as `skerry run` does. */
export async function runProgram(
	source: string | Uint8Array,
	{ args = [], imports = {}, ...grants }: GuestRunOptions = {},
): Promise<GuestRun> {
	const stdout = collector();
	const stderr = collector();
	const denied: string[] = [];
	const program = await engine.load(typeof source === "string" ? readFileSync(source) : source, {
		imports,
		wasi: {
			...grants,
			args: [typeof source === "string" ? basename(source) : "program.wasm", ...args],
			stdout: stdout.stream,
			stderr: stderr.stream,
			onDenied: (what, hint) => denied.push(`${what}; ${hint}`),
		},
		warm: 0,
	});
	let status = 0;
	try {
		await program.call(["_start"], []);
	} catch (error) {
		if (error instanceof GuestExit) status = error.status;
		else if (error instanceof SkerryError && error.code === "guest/trap") status = error.exitStatus;
		else throw error;
	}
	return { stdout: stdout.text(), stderr: stderr.text(), status, denied };
}
