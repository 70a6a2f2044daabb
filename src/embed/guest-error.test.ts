/** What a guest wrote to standard error, with the error that its call came to. */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { LimitExceeded, Trap } from "../fault/mod.ts";
import { Engine } from "./mod.ts";

const core = async (text: string): Promise<Uint8Array> => new Uint8Array(await parse(text));

/** Each function says what it does, `quiet` and `late` apart. */
const CORE = `(module
	(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
	(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
	(import "host" "wait" (func $wait))
	(memory (export "memory") 1)
	(data (i32.const 64) "Error: no such thing\\1b[2J\\n    at handle\\n")
	(func $say (param $length i32)
		(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (local.get $length))
		(drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8))))
	(func (export "trap") (call $say (i32.const 39)) unreachable)
	(func (export "spin") (call $say (i32.const 20)) (loop br 0))
	(func (export "exit") (call $say (i32.const 20)) (call $exit (i32.const 3)))
	(func (export "host") (call $say (i32.const 20)) (call $wait))
	(func (export "much") (local $i i32)
		(loop (call $say (i32.const 21)) (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
		unreachable)
	(func (export "fine") (call $say (i32.const 20)))
	(func (export "quiet") unreachable)
	(func (export "late") (call $wait) unreachable))`;

const SAID = "Error: no such thing\u001b[2J\n    at handle";

suite("what a call wrote to standard error is with what ended it", () => {
	const other = new Engine({ cache: false });
	const load = async (wait: () => unknown = () => {}, app = "shop") => {
		const written: Buffer[] = [];
		const stderr = new Writable({
			write(chunk: Buffer, _, done) {
				written.push(chunk);
				done();
			},
		});
		const component = await other.load(await core(CORE), {
			app,
			limits: { cpu: 100, output: 4096 },
			wasi: { stderr },
			imports: { host: { wait } },
		});
		return { component, written: () => Buffer.concat(written).toString() };
	};
	const failure = async (call: Promise<unknown>): Promise<any> =>
		await call.then(
			() => assert.fail("it returned"),
			(error: unknown) => error,
		);

	const cases: readonly (readonly [string, string, string | undefined])[] = [
		["trap", "Trap", SAID],
		["spin", "LimitExceeded", "Error: no such thing"],
		["exit", "GuestExit", "Error: no such thing"],
		["quiet", "Trap", undefined],
	];
	for (const [name, kind, stderr] of cases)
		test(`${name}, in a sandbox of its own and in one that is kept`, async () => {
			const { component } = await load();
			await component.exports.fine();
			const own = await failure(component.exports[name]());
			using sandbox = component.instantiate();
			// Nothing of an earlier call
			await sandbox.exports.fine();
			const kept = await failure(sandbox.exports[name]());
			assert.deepEqual([own.name, own.stderr, kept.name, kept.stderr], [kind, stderr, kind, stderr]);
		});

	test("the last lines of what is more than is kept, and all of it goes where it is granted", async () => {
		const { component, written } = await load();
		const error = await failure(component.exports.much());
		assert.ok(error instanceof LimitExceeded && error.limit === "output", String(error));
		const lines = error.stderr?.split("\n") ?? [];
		assert.ok(lines.length === 1 && (lines[0]?.length ?? 0) <= 2049, `${lines.length}`);
		assert.match(lines[0] ?? "", /^….*Error: no such thing/);
		assert.equal(written().length, 4096);
	});

	test("what a host function throws has none, and a trap of another guest keeps its own", async () => {
		const mine = new Error("mine");
		const { component: throws } = await load(() => {
			throw mine;
		});
		assert.equal(await failure(throws.exports.host()), mine);
		assert.ok(!("stderr" in mine));
		const { component: inner } = await load(() => {}, "inner");
		const { component: outer } = await load(() => inner.exports.quiet(), "outer");
		const error = await failure(outer.exports.host());
		assert.deepEqual([error instanceof Trap, error.app, error.stderr], [true, "inner", undefined]);
	});

	test("calls that are under way at the same time do not have each other's, in sandboxes of their own", async () => {
		const gate = Promise.withResolvers<void>();
		const { component } = await load(() => gate.promise);
		const late = failure(component.exports.late());
		const said = await failure(component.exports.trap());
		gate.resolve();
		assert.deepEqual([said.stderr, (await late).stderr], [SAID, undefined]);
	});

	test("a trap knows its app, and JSON has what the error says of itself", async () => {
		const { component } = await load();
		const error = await failure(component.exports.trap());
		const { frames, ...rest } = JSON.parse(JSON.stringify(error));
		assert.equal(frames[0].name, "trap");
		assert.deepEqual(rest, {
			name: "Trap",
			code: "guest/trap",
			message: "unreachable",
			kind: "unreachable",
			explanation: "the guest gave up by itself: a panic, an abort, or a failed assertion",
			app: "shop",
			stderr: SAID,
		});
		assert.deepEqual(Object.keys(error).includes("message"), false);
	});
});
