import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Writable } from "node:stream";
import { suite, test } from "node:test";

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import { LimitExceeded, SkerryError, Trap } from "../fault/mod.ts";
import { Engine, GuestExit, type Guest } from "./mod.ts";

const engine = new Engine();
const assemble = async (wat: string): Promise<Uint8Array> => new Uint8Array(await parse(wat));

async function refusal(act: Promise<unknown>): Promise<SkerryError> {
	const error: unknown = await act.then(
		() => assert.fail("it was accepted"),
		(reason: unknown) => reason,
	);
	assert.ok(error instanceof SkerryError, String(error));
	return error;
}

const MATH = await assemble(`(module
	(global $calls (export "calls") (mut i32) (i32.const 0))
	(memory (export "memory") 1)
	(table (export "table") 1 funcref)
	(func (export "add") (param i32 i32) (result i32)
		(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
		(i32.store (i32.const 16) (i32.add (local.get 0) (local.get 1)))
		(i32.load (i32.const 16)))
	(func (export "calls-so-far") (result i32) (global.get $calls))
	(func (export "wide") (param i64 f32 f64) (result i64 f64) (i64.add (local.get 0) (i64.const 1)) (local.get 2))
	(func (export "vector") (result v128) (v128.const i64x2 0 0))
	(func (export "trap") unreachable)
	(func (export "spin") (loop (br 0))))`);

suite("a core module", () => {
	test("is called with numbers, each call in a sandbox of its own", async () => {
		const module = await engine.load(MATH);
		assert.equal(module.kind, "core module");
		assert.deepEqual(module.imports, []);
		assert.equal(await module.exports["add"](40, 2), 42);
		assert.equal(await module.exports["add"](0x7fff_ffff, 1), -0x8000_0000);
		assert.equal(await module.exports["calls-so-far"](), 0);
		assert.deepEqual(await module.exports["wide"](-1n, 0.5, 0.25), [0n, 0.25]);
		assert.deepEqual(module.coreType("wide"), { params: ["i64", "f32", "f64"], results: ["i64", "f64"] });
		assert.equal(module.coreType("memory"), undefined);
		assert.deepEqual(module.exportNames.slice(0, 4), ["calls", "memory", "table", "add"]);
		assert.equal(module.exports["memory"], undefined);
	});

	test("keeps its state in a sandbox that is kept, whose memory can be read", async () => {
		const module = await engine.load(MATH);
		using sandbox = module.instantiate();
		assert.equal(await sandbox.exports["add"](1, 2), 3);
		assert.equal(await sandbox.exports["add"](3, 4), 7);
		assert.equal(await sandbox.exports["calls-so-far"](), 2);
		const memory = sandbox.memory();
		assert.equal(memory.byteLength, 65_536);
		assert.equal(memory.getU32(16), 7);
		memory.write(16, Uint8Array.of(1, 2));
		assert.deepEqual([...memory.read(16, 3)], [1, 2, 0]);
		for (const [at, length] of [
			[65_533, 4],
			[-1, 1],
			[0, -1],
			[Number.NaN, 1],
			[0.5, 1],
			[1n << 60n, 1],
		] as const) {
			assert.throws(
				() => memory.read(at, length),
				(error) => error instanceof Trap && /out of bounds/.test(error.message),
			);
		}
		assert.equal(sandbox.memory("no such").byteLength, 0);
	});

	test("refuses what is no number of the right kind, and what is not there", async () => {
		const module = await engine.load(MATH);
		const cases: readonly [string, readonly unknown[], RegExp][] = [
			["add", [1], /1 arguments for 2 parameters/],
			["add", [1, "2"], /argument 2 is no number, as i32 needs/],
			["add", [1n, 2], /argument 1 is no number, as i32 needs/],
			["wide", [1, 0, 0], /argument 1 is no bigint, as i64 needs/],
			["vector", [], /its result of type v128/],
		];
		for (const [name, args, message] of cases) {
			const error = await refusal(module.call([name], args));
			assert.equal(error.code, "call/bad-value");
			assert.match(error.message, message);
		}
		for (const path of [["memory"], ["subtract"], ["add", "x"], []]) {
			assert.equal((await refusal(module.call(path, []))).code, "link/no-export");
		}
		assert.ok((await refusal(module.call(["trap"], []))) instanceof Trap);
	});
});

suite("a reactor", () => {
	const REACTOR = `(module (import "env" "told" (func $told (param i32)))
		(global $begun (mut i32) (i32.const 0))
		(func (export "_initialize") (call $told (global.get $begun)) (global.set $begun (i32.add (global.get $begun) (i32.const 1))))
		(func (export "begun") (result i32) (global.get $begun)))`;

	for (const options of [{}, { metering: "yield" }, { metering: "off" }, { warm: 0 }] as const) {
		test(`is told once in each call's sandbox, before the call: ${JSON.stringify(options)}`, async () => {
			const told: number[] = [];
			const module = await engine.load(await assemble(REACTOR), {
				...options,
				imports: { env: { told: async (n: number) => void told.push(await Promise.resolve(n)) } },
			});
			assert.equal(await module.exports["begun"](), 1);
			assert.equal(await module.call(["begun"], []), 1);
			await module.exports["_initialize"]();
			assert.deepEqual(told, [0, 0, 0]);
			await assert.rejects(module.call(["begun"], [1]), { code: "call/bad-value" });
			using sandbox = module.instantiate();
			assert.equal(await sandbox.exports["begun"](), 0, "one that is kept is its owner's");
			await sandbox.exports["_initialize"]();
			assert.equal(await sandbox.exports["begun"](), 1);
			assert.deepEqual(told, [0, 0, 0, 0]);
		});
	}

	test("what is called so and takes something is a function like others", async () => {
		const module = await engine.load(
			await assemble(
				`(module (func (export "_initialize") (param i32) unreachable) (func (export "one") (result i32) (i32.const 1)))`,
			),
		);
		assert.equal(await module.exports["one"](), 1);
	});
});

suite("imports of a core module", () => {
	test("are plain functions; `this` is the guest that calls", async () => {
		const said: string[] = [];
		const module = await engine.load(
			await assemble(`(module
				(import "env" "log" (func $log (param i32 i32)))
				(import "env" "ask" (func $ask (param i64) (result i64)))
				(import "other" "later" (func $later (result f64)))
				(memory (export "memory") 1) (data (i32.const 8) "grüße")
				(func (export "run") (result i64)
					(call $log (i32.const 8) (i32.const 7))
					(drop (call $later))
					(call $ask (i64.const 41))))`),
			{
				imports: {
					env: {
						log(this: Guest, pointer: number, length: number) {
							said.push(this.memory.text(pointer, length));
						},
						ask: (n: bigint) => n + 1n,
					},
					other: { later: () => new Promise((resolve) => setTimeout(() => resolve(0.5), 5)) },
				},
			},
		);
		assert.deepEqual(module.imports, ["env.log", "env.ask", "other.later"]);
		assert.equal(await module.exports["run"](), 42n);
		assert.deepEqual(said, ["grüße"]);
	});

	test("what they throw, and what is no number, ends the guest", async () => {
		// The guest catches all that can be caught.
		const bytes = await assemble(`(module (import "env" "f" (func $f (result i32)))
			(func (export "run") (result i32)
				(block $caught (try_table (catch_all $caught) (return (call $f)))) (i32.const 0)))`);
		const thrown = await engine.load(bytes, {
			imports: {
				env: {
					f: () => {
						throw new Error("mine");
					},
				},
			},
		});
		await assert.rejects(thrown.exports["run"](), /mine/);
		for (const value of ["1", undefined, 1n, Promise.resolve("1")]) {
			const module = await engine.load(bytes, { imports: { env: { f: () => value } } });
			assert.equal((await refusal(module.exports["run"]())).code, "call/bad-value", typeof value);
		}
	});

	test("that are missing are all named, with the nearest there is", async () => {
		const bytes = await assemble(`(module
			(import "env" "lag" (func)) (import "en" "log" (func)) (import "env" "memory" (memory 1))
			(import "env" "vector" (func (param v128))) (import "env" "two" (func (result i32 i32)))
			(import "wasi_snapshot_preview1" "fd_raed" (func)) (import "wasi_snapshot_preview1" "fd_read" (func (param i32))))`);
		const f = (): void => {};
		const error = await refusal(engine.load(bytes, { imports: { env: { log: f, vector: f, two: f } } }));
		assert.equal(error.code, "link/missing-imports");
		assert.equal(
			error.message,
			[
				"Cannot link the core module: 7 imports are missing or mistyped",
				"  - env.lag: env has no such function; the nearest is log",
				"  - en.log: nothing provides it; the nearest module is env",
				"  - env.memory: a memory cannot be given by the host",
				"  - env.vector: a value of type v128 cannot be passed to the host",
				"  - env.two: a function of the host has one result at most",
				"  - wasi_snapshot_preview1.fd_raed: wasi_snapshot_preview1 has no such function; the nearest is fd_read",
				"  - wasi_snapshot_preview1.fd_read: it is imported as (i32) -> (), and is (i32, i32, i32, i32) -> (i32)",
			].join("\n"),
		);
	});

	test("that it does not have are refused", async () => {
		const error = await refusal(engine.load(MATH, { imports: { env: {} } }));
		assert.match(error.message, /^Cannot link the core module: it does not import env/);
	});
});

suite("WASI 0.1", () => {
	const WRITER = `(module
		(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
		(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
		(import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
		(memory (export "memory") 1)
		(data (i32.const 8) "hello\\nnew")
		(data (i32.const 64) "\\08\\00\\00\\00\\06\\00\\00\\00")
		(func (export "_start")
			(drop (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 0)))
			(if (i32.eqz (call $open (i32.const 3) (i32.const 0) (i32.const 14) (i32.const 3) (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)))
				(then (drop (call $write (i32.load (i32.const 0)) (i32.const 64) (i32.const 1) (i32.const 4)))))
			(call $exit (i32.const 3))))`;

	function collect(): { readonly stream: Writable; text: string } {
		const found = {
			text: "",
			stream: new Writable({
				write(chunk, _encoding, done) {
					found.text += String(chunk);
					done();
				},
			}),
		};
		return found;
	}

	test("is there for commands; the exit is the guest's own", async () => {
		const folder = mkdtempSync(path.join(tmpdir(), "skerry-core-"));
		try {
			const stdout = collect();
			const module = await engine.load(await assemble(WRITER), {
				wasi: { stdout: stdout.stream, folders: { "/": folder } },
			});
			const status = await module.call(["_start"], []).catch((error: unknown) => (error as GuestExit).status);
			assert.equal(status, 3);
			assert.equal(stdout.text, "hello\n");
			assert.equal(readFileSync(path.join(folder, "new"), "utf8"), "hello\n");
			// Again, in a sandbox that was put back: nothing is open of before.
			await assert.rejects(module.call(["_start"], []), GuestExit);
			assert.equal(stdout.text, "hello\nhello\n");
		} finally {
			rmSync(folder, { recursive: true });
		}
	});

	test("a folder that is not there, and one that may only be read", async () => {
		const module = await engine.load(await assemble(WRITER), { wasi: { folders: { "/": "/nowhere/at/all" } } });
		const error = await refusal(module.call(["_start"], []));
		assert.equal(error.code, "cli/file-not-found");
		const denied: string[] = [];
		const reader = await engine.load(await assemble(WRITER), {
			wasi: { folders: { "/": { path: tmpdir(), readOnly: true } }, onDenied: (what) => denied.push(what) },
		});
		await assert.rejects(reader.call(["_start"], []), GuestExit);
		assert.deepEqual(denied, ["to change a folder that it may only read"]);
	});

	test("output beyond a limit that was given ends the guest", async () => {
		const bytes = await assemble(WRITER);
		for (const [limit, ends] of [
			[7, GuestExit],
			[6, GuestExit],
			[5, LimitExceeded],
		] as const) {
			const stdout = collect();
			const module = await engine.load(bytes, { wasi: { stdout: stdout.stream }, limits: { output: limit } });
			await assert.rejects(module.call(["_start"], []), ends);
			assert.equal(stdout.text, "hello\n".slice(0, limit));
		}
	});

	test("so it does beyond one of a sandbox that is kept; the error names whose it is", async () => {
		const stdout = collect();
		const module = await engine.load(await assemble(WRITER), { wasi: { stdout: stdout.stream }, app: "shop" });
		using sandbox = module.instantiate({ limits: { output: 5 } });
		await assert.rejects(sandbox.call(["_start"], []), {
			name: "LimitExceeded",
			message: 'killed: output 5 bytes (limit "output" of app shop)',
		});
		assert.equal(stdout.text, "hello");
	});
});
