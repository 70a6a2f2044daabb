/**
 * The page from which guests of this thread read where they are to be stopped (metering `trap`, checks of kind `page`): while it is
 * protected, that is a trap. Only on Linux, through `node:ffi`, and only where V8 makes a trap of such a fault: elsewhere it would be the
 * end of the process, and checks look at the flag.
 */
import { Writer } from "../../bytes/mod.ts";
import { SAFEPOINT } from "../../rewrite/mod.ts";
import { type Ffi, type FfiProcess, type LibC, openLibC, PROT_NONE, PROT_READ, withFfi } from "../libc.ts";
import { catchesFaults } from "../v8/trap-handler.ts";
import { webAssembly, type WasmMemory } from "../v8/v8.ts";

/** What the watchdog needs to know to protect it. The memory is to be kept meanwhile. */
export interface SafepointPage {
	/** Its address, and its bytes. */
	readonly at: bigint;
	readonly size: bigint;
	/** The number of the system call `membarrier`. */
	readonly membarrier: bigint;
}

/** `membarrier`, by `process.arch`. */
const MEMBARRIER: Readonly<Record<string, bigint>> = { x64: 324n, arm64: 283n };
const MEMBARRIER_CMD_QUERY = 0n;
/** What that answers where `PRIVATE_EXPEDITED` can be had: its bit, and that of registering for it, which takes the watchdog some milliseconds. */
const PRIVATE_EXPEDITED = 8n | 16n;

interface HostProcess extends FfiProcess {
	readonly platform: string;
	readonly arch: string;
}

/** A memory for the flag, with its second page. */
export class Safepoint {
	readonly memory: WasmMemory;
	readonly page: SafepointPage;
	readonly #libc: LibC;

	constructor(ffi: Ffi, libc: LibC, membarrier: bigint) {
		this.#libc = libc;
		this.memory = new (webAssembly().Memory)({ initial: 2, maximum: 2, shared: true });
		const { buffer } = this.memory;
		const at = ffi.getRawPointer(buffer) + BigInt(SAFEPOINT);
		this.page = { at, size: BigInt(libc.getpagesize()), membarrier };
	}

	/** Whoever holds the thread traps at its next check. */
	protect(): void {
		this.#set(PROT_NONE);
	}

	/** From now on nobody does. */
	unprotect(): void {
		this.#set(PROT_READ);
	}

	#set(protection: number): void {
		const { at, size } = this.page;
		if (this.#libc.mprotect(at, size, protection) !== 0) throw new Error("mprotect refused a page");
	}

	/**
	 * Whether a check traps while the page is protected, and only then: found by doing it. From then on the page is a mapping of its own,
	 * which no neighbour is ever alike, so that the system needs nothing more to change it.
	 */
	selfTest(): boolean {
		const { Module, Instance, RuntimeError } = webAssembly();
		const { exports } = new Instance(new Module(encodeRead()), { "": { flag: this.memory } });
		const read = exports["read"] as () => void;
		this.unprotect();
		read();
		this.protect();
		try {
			read();
			return false;
		} catch (error) {
			return error instanceof RuntimeError;
		} finally {
			this.unprotect();
		}
	}
}

/** `(func (export "read") (drop (i32.load8_u (i32.const 65536))))`, of a memory that the module knows the first page of. */
function encodeRead(): Uint8Array {
	const body = new Writer().u32(0).u8(0x41).s32(SAFEPOINT).u8(0x2d).u32(0).u32(0).u8(0x1a).u8(0x0b);
	return new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, new Writer().u32(1).u8(0x60).u32(0).u32(0))
		.section(2, new Writer().u32(1).name("").name("flag").u8(0x02).u8(0x03).u32(1).u32(2))
		.section(3, new Writer().u32(1).u32(0))
		.section(7, new Writer().u32(1).name("read").u8(0x00).u32(0))
		.section(10, new Writer().u32(1).sized(body.finish()))
		.finish();
}

/** The safepoint of the thread that asks; `undefined` where there can be none. */
export function createSafepoint(): Safepoint | undefined {
	const { process } = globalThis as { process?: HostProcess };
	const membarrier = process?.platform === "linux" ? MEMBARRIER[process.arch] : undefined;
	if (process === undefined || membarrier === undefined || !catchesFaults()) return undefined;
	try {
		return withFfi(process, (ffi) => (ffi === undefined ? undefined : tryPage(ffi, membarrier)));
	} catch {
		return undefined;
	}
}

function tryPage(ffi: Ffi, membarrier: bigint): Safepoint | undefined {
	const libc = openLibC(ffi);
	if (libc.getpagesize() > SAFEPOINT) return undefined;
	// Negative where seccomp forbids it
	const commands = libc.syscall(membarrier, MEMBARRIER_CMD_QUERY, 0n, 0n, 0n, 0n);
	if (commands < 0n || (commands & PRIVATE_EXPEDITED) !== PRIVATE_EXPEDITED) return undefined;
	// Where a thread may not wait, it cannot come to an understanding with the watchdog
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
	const made = new Safepoint(ffi, libc, membarrier);
	return made.selfTest() ? made : undefined;
}
