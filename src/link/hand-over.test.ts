/** Guests that wait for each other: whose turn it is, who else gets one, and that nobody does once the sandbox has ended. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { SkerryError } from "../fault/mod.ts";
import { call, start } from "./guest.fixture.ts";
import type { Instance } from "./instance/instantiate.ts";

const BYTES = 8;

/** A component that marks whatever it does with `$mark`, told who it is, and what came of it. */
function stage(name: string, exported: string, imported: string, core: string): string {
	return `(component $${name}
		(type $bytes (stream u8))
		(import "mark" (func $mark (param "who" u32) (param "what" u32)))
		${imported === "" ? "" : `(import "produce" (func $produce ${imported}))`}
		(core module $libc (memory (export "memory") 1))
		(core instance $libc (instantiate $libc))
		(core func $mark' (canon lower (func $mark)))
		${imported === "" ? "" : "(core func $produce' (canon lower (func $produce)))"}
		(core func $new (canon stream.new $bytes))
		(core func $read (canon stream.read $bytes (memory (core memory $libc "memory"))))
		(core func $write (canon stream.write $bytes (memory (core memory $libc "memory"))))
		(core func $drop-reader (canon stream.drop-readable $bytes))
		(core func $drop-writer (canon stream.drop-writable $bytes))
		(core func $return-stream (canon task.return (result $bytes)))
		(core func $return (canon task.return (result u32)))
		(core module $m
			(import "" "memory" (memory 1))
			(import "" "mark" (func $mark (param i32 i32)))
			${imported === "" ? "" : '(import "" "produce" (func $produce (param i32) (result i32)))'}
			(import "" "new" (func $new (result i64)))
			(import "" "read" (func $read (param i32 i32 i32) (result i32)))
			(import "" "write" (func $write (param i32 i32 i32) (result i32)))
			(import "" "drop-reader" (func $drop-reader (param i32)))
			(import "" "drop-writer" (func $drop-writer (param i32)))
			(import "" "return-stream" (func $return-stream (param i32)))
			(import "" "return" (func $return (param i32)))
			(func (export "run") (param $n i32) (result i32)
				(local $ends i64) (local $reader i32) (local $writer i32) (local $got i32) (local $sum i32)
				${core}
				(i32.const 0))
			(func (export "callback") (param i32 i32 i32) (result i32) unreachable))
		(core instance $i (instantiate $m (with "" (instance
			(export "memory" (memory $libc "memory"))
			(export "mark" (func $mark'))
			${imported === "" ? "" : `(export "produce" (func $produce'))`}
			(export "new" (func $new)) (export "read" (func $read)) (export "write" (func $write))
			(export "drop-reader" (func $drop-reader)) (export "drop-writer" (func $drop-writer))
			(export "return-stream" (func $return-stream)) (export "return" (func $return))))))
		(func (export "run") ${exported}
			(canon lift (core func $i "run") async (callback (core func $i "callback")))))`;
}

const STREAM = `async (param "n" u32) (result $bytes)`;
const NUMBER = `async (param "n" u32) (result u32)`;
const GIVE_STREAM = `
	(local.set $ends (call $new))
	(local.set $writer (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
	(call $return-stream (i32.wrap_i64 (local.get $ends)))`;

/** Writes the chunks n, n - 1 … 1, without end where n is 0. */
const WRITER = stage(
	"writer",
	STREAM,
	"",
	`${GIVE_STREAM}
	(loop $again
		(i64.store (i32.const 0) (i64.extend_i32_u (local.get $n)))
		(call $mark (i32.const 1) (call $write (local.get $writer) (i32.const 0) (i32.const ${BYTES})))
		(local.tee $n (i32.sub (local.get $n) (i32.const 1)))
		(br_if $again))
	(call $drop-writer (local.get $writer))`,
);

/** Hands on what it reads. */
const RELAY = stage(
	"relay",
	STREAM,
	STREAM,
	`(local.set $reader (call $produce (local.get $n)))
	${GIVE_STREAM}
	(loop $again
		(call $mark (i32.const 2) (local.tee $got (call $read (local.get $reader) (i32.const 0) (i32.const ${BYTES}))))
		(if (i32.ge_u (local.get $got) (i32.const 16)) (then
			(call $mark (i32.const 3) (call $write (local.get $writer) (i32.const 0) (i32.const ${BYTES})))))
		(br_if $again (i32.eqz (i32.and (local.get $got) (i32.const 15)))))
	(call $drop-writer (local.get $writer))
	(call $drop-reader (local.get $reader))`,
);

/** Reads to the end, and gives the sum of the chunks. */
const READER = stage(
	"reader",
	NUMBER,
	STREAM,
	`(local.set $reader (call $produce (local.get $n)))
	(loop $again
		(call $mark (i32.const 4) (local.tee $got (call $read (local.get $reader) (i32.const 0) (i32.const ${BYTES}))))
		(if (i32.ge_u (local.get $got) (i32.const 16)) (then
			(local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 0))))))
		(br_if $again (i32.eqz (i32.and (local.get $got) (i32.const 15)))))
	(call $drop-reader (local.get $reader))
	(call $return (local.get $sum))`,
);

/** Has nothing to do with the others. */
const OTHER = stage("other", NUMBER, "", "(call $mark (i32.const 5) (local.get $n)) (call $return (local.get $n))");

/** Returns before it reads. */
const EARLY_READER = stage(
	"reader",
	NUMBER,
	STREAM,
	`(local.set $reader (call $produce (local.get $n)))
	(drop (call $read (local.get $reader) (i32.const 0) (i32.const ${BYTES})))
	(drop (call $read (local.get $reader) (i32.const 0) (i32.const ${BYTES})))
	(call $return (i32.const 9))
	(loop $again
		(call $mark (i32.const 4) (call $read (local.get $reader) (i32.const 0) (i32.const ${BYTES})))
		(br $again))`,
);

const MARK = '(import "mark" (func $mark (param "who" u32) (param "what" u32)))';
const other = `${OTHER} (instance $other (instantiate $other (with "mark" (func $mark))))
	(export "other" (func $other "run"))`;

const PAIR = `(component ${MARK} ${WRITER} ${READER} ${other}
	(instance $w (instantiate $writer (with "mark" (func $mark))))
	(instance $r (instantiate $reader (with "mark" (func $mark)) (with "produce" (func $w "run"))))
	(export "run" (func $r "run")))`;

const CHAIN = `(component ${MARK} ${WRITER} ${RELAY} ${READER} ${other}
	(instance $w (instantiate $writer (with "mark" (func $mark))))
	(instance $x (instantiate $relay (with "mark" (func $mark)) (with "produce" (func $w "run"))))
	(instance $r (instantiate $reader (with "mark" (func $mark)) (with "produce" (func $x "run"))))
	(export "run" (func $r "run")))`;

const EARLY = PAIR.replace(READER, EARLY_READER);

const WHO = ["", "writes", "relay reads", "relay writes", "reads", "other"];

function describe(who: number, what: number): string {
	if (who === 5) return `other ${what}`;
	const [bytes, isLast] = [what >>> 4, (what & 15) !== 0];
	return `${WHO[who]} ${bytes}${isLast ? ", the last" : ""}`;
}

/** An instance, and what its guests have done; `onMark` is told of each step before the guest goes on. */
async function marking(
	wat: string,
): Promise<{ instance: Instance; marks: string[]; told: { onMark: (count: number) => void } }> {
	const marks: string[] = [];
	const told = { onMark: (_count: number): void => {} };
	const mark = (_context: unknown, who: number, what: number): void => {
		marks.push(describe(who, what));
		told.onMark(marks.length);
	};
	return { instance: await start(wat, { functions: { mark } }), marks, told };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

suite("guests that wait for each other", () => {
	test("take turns in the order in which they came to wait", async () => {
		for (const [wat, steps] of [
			[PAIR, "reads 8; writes 8; writes 8; reads 8; reads 8; writes 8; writes 8; reads 8, the last"],
			[
				CHAIN,
				`relay reads 8; reads 8; writes 8; relay writes 8; relay reads 8; relay writes 8; reads 8; writes 8; writes 8;
				relay reads 8; relay writes 8; relay reads 8; reads 8; reads 8; writes 8; relay writes 8;
				relay reads 0, the last; reads 0, the last`,
			],
		] as const) {
			const { instance, marks } = await marking(wat);
			assert.equal(await call(instance, "run", 4), 4 + 3 + 2 + 1);
			assert.deepEqual(marks, steps.split(/;\s+/));
		}
	});

	test("let what the host brings go first", async () => {
		const { instance, marks, told } = await marking(PAIR);
		const { promise, resolve } = Promise.withResolvers<unknown>();
		told.onMark = (count) => {
			if (count === 10) resolve(call(instance, "other", 7));
		};
		const reason = new SkerryError("guest/killed", "for the test");
		const run = assert.rejects(call(instance, "run", 0), (error) => error === reason);
		assert.equal(await promise, 7);
		instance.dispose(reason);
		await run;
		// Once the one that runs has stopped.
		assert.deepEqual(marks.slice(9, 12), ["writes 8", "writes 8", "other 7"]);
	});

	test("have the host told of a result before they go on", async () => {
		const { instance, marks } = await marking(EARLY);
		assert.equal(await call(instance, "run", 0), 9);
		const steps = marks.length;
		await turn();
		assert.deepEqual(marks, ["writes 8", "writes 8", "reads 8"]);
		assert.equal(steps, marks.length, "nobody waits for more");
	});

	for (const [name, wat] of Object.entries({ "two of them": PAIR, "a chain of them": CHAIN })) {
		test(`${name} give the host its turn, however long they go on among themselves`, async () => {
			const { instance, marks, told } = await marking(wat);
			// They would go on for ever; where nobody else gets a turn, that is the end of it.
			const starved = new Error("the host has not had its turn");
			told.onMark = (count) => {
				if (count > 1_000_000) throw starved;
			};
			const reason = new SkerryError("guest/killed", "for the test");
			const run = assert.rejects(call(instance, "run", 0), (error) => error === reason);
			await new Promise((resolve) => setTimeout(resolve, 5));
			const before = marks.length;
			assert.ok(before > 0);
			assert.equal(await call(instance, "other", 7), 7, "a call of the host's");
			assert.ok(marks.length > before, "they go on meanwhile");
			await new Promise((resolve) => setTimeout(resolve, 5));
			instance.dispose(reason);
			const after = marks.length;
			await run;
			await turn();
			assert.equal(marks.length, after);
			assert.equal(instance.quiet, true);
		});

		test(`${name} do nothing more once the sandbox has ended, whenever that is`, async () => {
			const { instance, marks, told } = await marking(wat);
			const image = instance.takeImage(undefined);
			assert.ok(typeof image === "object");
			instance.attach(image);
			await call(instance, "run", 3);
			const steps = marks.length;
			const reason = new SkerryError("guest/killed", "for the test");
			// So many microtasks after each step: before the other is told, after that, and when it runs.
			for (let hops = 0; hops < 8; hops++) {
				for (let step = 1; step <= steps; step++) {
					const at = `${hops} hops after step ${step}`;
					instance.dispose(reason);
					assert.equal(instance.quiet, true, at);
					assert.notEqual(instance.reset("another context"), undefined, at);
					marks.length = 0;
					let [ended, isOver] = [-1, false];
					const end = async (): Promise<void> => {
						for (let i = 0; i < hops; i++) await NOTHING;
						if (isOver) return;
						instance.dispose(reason);
						ended = marks.length;
					};
					told.onMark = (count) => {
						if (count === step) void end();
					};
					const run = await call(instance, "run", 3).catch((error: unknown) => error);
					isOver = true;
					await turn();
					// After the last step it may have returned.
					if (run === reason) assert.equal(marks.length, ended, at);
					else assert.deepEqual([run, marks.length, ended === -1 || ended === steps], [3 + 2 + 1, steps, true], at);
				}
			}
			told.onMark = () => {};
		});

		test(`${name} do nothing more once one of them has failed`, async () => {
			const failure = new Error("of the host");
			for (let step = 1; ; step++) {
				const { instance, marks, told } = await marking(wat);
				told.onMark = (count) => {
					if (count === step) throw failure;
				};
				const run = await call(instance, "run", 3).catch((error: unknown) => error);
				if (run === 3 + 2 + 1) {
					assert.equal(marks.length, step - 1);
					break;
				}
				assert.equal(run, failure, `step ${step}`);
				await turn();
				assert.equal(marks.length, step);
				assert.equal(instance.quiet, true);
				assert.equal(instance.store.poison, failure);
			}
		});
	}
});

const NOTHING: Promise<void> = Promise.resolve();
