/** A guest's memory is another guest's when its sandbox has ended: nothing of the host's that goes on reaches that. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { type Component, Engine, type Guest } from "./mod.ts";

const KEPT = 0x5ec7e7;
/** `wait` waits in the host until the limit `wall` ends it; `probe` has the host look on, and gives what it finds at 128 and 256. */
const GUEST = `(module
	(import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
	(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
	(import "env" "slow" (func $slow (param i32 i32))) (import "env" "meanwhile" (func $meanwhile))
	(memory (export "memory") 4)
	(data (i32.const 128) "\\e7\\c7\\5e\\00") (data (i32.const 256) "\\e7\\c7\\5e\\00")
	;; One vector of 8 bytes at 128; the number of bytes at 256.
	(func (export "read")
		(i32.store (i32.const 0) (i32.const 128)) (i32.store (i32.const 4) (i32.const 8))
		(drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 256))))
	;; A subscription to the standard input at 0, its event at 128, the number of events at 256.
	(func (export "poll")
		(i32.store8 (i32.const 8) (i32.const 1))
		(drop (call $poll (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 256))))
	(func (export "host") (call $slow (i32.const 128) (i32.const 4)))
	(func (export "probe") (result i32 i32) (call $meanwhile) (i32.load (i32.const 128)) (i32.load (i32.const 256))))`;

interface Late {
	readonly module: Component;
	readonly stdin: PassThrough;
	/** What a host function was given whose guest has ended since. */
	readonly memories: (() => Guest["memory"])[];
}

async function load(meanwhile: (late: Late) => unknown): Promise<Late> {
	const memories: (() => Guest["memory"])[] = [];
	const stdin = new PassThrough();
	const module: Component = await new Engine({ cache: false }).load(new Uint8Array(await parse(GUEST)), {
		warm: 1,
		limits: { wall: 150 },
		wasi: { stdin },
		imports: {
			env: {
				async slow(this: Guest) {
					const { memory } = this;
					memories.push(
						() => memory,
						() => this.memory,
					);
					await new Promise(() => {});
				},
				meanwhile: () => meanwhile(late),
			},
		},
	});
	const late = { module, stdin, memories };
	return late;
}

suite("what a guest waited for, when it has ended", () => {
	for (const name of ["read", "poll"])
		test(`${name}: is not written into the memory of the next`, async () => {
			const { module, stdin } = await load(async (late) => {
				late.stdin.write("nothing of yours");
				await sleep(20);
			});
			assert.deepEqual(await module.exports["probe"](), [KEPT, KEPT]);
			for (let round = 0; round < 3; round++) {
				stdin.read();
				await assert.rejects(module.exports[name](), /^LimitExceeded: killed: wall/);
				assert.deepEqual(await module.exports["probe"](), [KEPT, KEPT]);
			}
		});

	test("a host function has no memory any more, whoever has it now", async () => {
		const seen: unknown[] = [];
		const { module } = await load(({ memories }) => {
			for (const memory of memories)
				for (const use of [
					() => memory().read(128, 4),
					() => memory().setU32(128, 7),
					() => memory().write(128, Uint8Array.of(7)),
					() => memory().byteLength,
				])
					seen.push(attempt(use));
		});
		await assert.rejects(module.exports["host"](), /^LimitExceeded: killed: wall/);
		assert.deepEqual(await module.exports["probe"](), [KEPT, KEPT]);
		assert.deepEqual(
			seen,
			Array.from({ length: 8 }, () => ["guest/killed", "Cannot reach the memory of a guest: its sandbox has ended"]),
		);
	});

	test("the same for the memory of a sandbox that was kept", async () => {
		const { module } = await load(() => {});
		const sandbox = module.instantiate();
		const memory = sandbox.memory();
		assert.equal(memory.getU32(128), KEPT);
		sandbox[Symbol.dispose]();
		assert.deepEqual(
			attempt(() => memory.getU32(128)),
			["guest/killed", "Cannot reach the memory of a guest: its sandbox has ended"],
		);
	});
});

function attempt(use: () => unknown): unknown {
	try {
		return use();
	} catch (error) {
		return [(error as { code?: string }).code, (error as Error).message];
	}
}
