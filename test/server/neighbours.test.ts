/** What a bad guest does to others: nothing. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { buildGuest } from "./guest-wat.ts";
import { ID, RunningServer, until } from "./running-server.ts";

const OK = "(call $ok (local.get $out))";
const LOOP = "(loop $again (br $again))";
const LIMITS = { wall: 120_000, cpu: 1_000, output: 10_000 };

test("those who wait while a guest holds the thread are answered after it was stopped", async () => {
	const naps = [1, 50, 150, 250, 400, 600].map((ms) => `(call $sleep (i64.const ${ms})) ${OK}`);
	const cases = [OK, LOOP, `(call $sleep (i64.const 20)) ${LOOP}`, ...naps];
	await using running = await RunningServer.start({ bytes: await buildGuest(cases), limits: LIMITS });
	for (const bad of ["/1", "/2"]) {
		const waiting = naps.flatMap((_, i) => [running.ask(`/${i + 3}`), running.ask(`/${i + 3}`)]);
		const stopped = await running.ask(bad);
		assert.deepEqual([stopped.status, stopped.headers[ID]], [500, (await running.recordOf(bad)).id]);
		for (const { status, text } of await Promise.all(waiting)) assert.deepEqual([status, text], [200, "ok"]);
		await running.assertIdle();
	}
});

test("several guests that hold the thread at once are stopped one after the other", async () => {
	await using running = await RunningServer.start({
		bytes: await buildGuest([OK, LOOP]),
		limits: { ...LIMITS, cpu: 300 },
	});
	const answers = await Promise.all(Array.from({ length: 4 }, async () => await running.ask("/1")));
	assert.deepEqual(
		answers.map(({ status }) => status),
		[500, 500, 500, 500],
	);
	assert.equal(new Set(answers.map(({ headers }) => headers[ID])).size, 4);
	assert.equal((await running.ask("/0")).text, "ok");
	await running.assertIdle();
});

for (const [name, start, reason] of [
	["traps", "unreachable", /^unreachable$/],
	["loops for ever", LOOP, /^killed: cpu 1000 ms/],
	["recurses for ever", "(call $start)", /^call stack exhausted$/],
	["waits", "(call $sleep (i64.const 1000))", /cannot block a synchronous task/],
] as const) {
	test(`a component whose core start function ${name}`, async () => {
		const bytes = await buildGuest([OK], `(func $start ${start}) (start $start)`);
		await using running = await RunningServer.start({ bytes, limits: LIMITS });
		for (const path of ["/0", "/00"]) {
			const answer = await running.ask(path);
			const record = await running.recordOf(path);
			assert.deepEqual([answer.status, record.outcome, answer.headers[ID]], [500, "failed", record.id]);
			assert.match(String(record.reason), reason);
		}
		await running.assertIdle();
	});
}

test("a guest that floods its output is answered, and the log stays short", async () => {
	const flood = (stream: string): string => `
		(call $fill)
		(local.set $a (call ${stream}))
		(loop $again
			(drop (call $say (local.get $a) (i32.const 1024) (i32.const 4096)))
			(br_if $again (i32.lt_u (local.tee $b (i32.add (local.get $b) (i32.const 1))) (i32.const 1000))))
		${OK}`;
	const bytes = await buildGuest([OK, flood("$stdout"), flood("$stderr")]);
	await using running = await RunningServer.start({ bytes, limits: LIMITS });
	for (const [path, stream] of [
		["/1", "stdout"],
		["/2", "stderr"],
	] as const) {
		running.output.length = 0;
		assert.equal((await running.ask(path)).text, "ok");
		await running.recordOf(path);
		const lines = running.output.filter((line) => line.startsWith(stream));
		const shown = lines.reduce((sum, line) => sum + (line.match(/x/g)?.length ?? 0), 0);
		assert.equal(shown, LIMITS.output);
		assert.equal(lines.filter((line) => line.includes('(limit "output")')).length, 1);
		assert.ok(lines.length < 6, `${lines.length} lines`);
	}
	await running.assertIdle();
});

test("a body that the client never reads, and one that it never sends, hold a guest until its wall limit", async () => {
	const endless = `
		(call $fill)
		(local.set $a (call $stream (call $head (local.get $out))))
		(loop $again (br_if $again (i32.eqz (call $say (local.get $a) (i32.const 1024) (i32.const 4096)))))`;
	const reader = `
		(call $request.consume (local.get $request) (i32.const 0))
		(call $incoming-body.stream (i32.load (i32.const 4)) (i32.const 0))
		(local.set $a (i32.load (i32.const 4)))
		(loop $again
			(call $read (local.get $a) (i64.const 4096) (i32.const 0))
			(br_if $again (i32.eqz (i32.load8_u (i32.const 0)))))
		${OK}`;
	const bytes = await buildGuest([OK, endless, reader]);
	await using running = await RunningServer.start({ bytes, limits: { wall: 1_500, cpu: 20_000 } });
	const { port } = new URL(running.url);
	for (const [path, head] of [
		["/1", "GET /1 HTTP/1.1\r\nhost: a\r\n\r\n"],
		["/2", "POST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc"],
	] as const) {
		const socket = connect(Number(port), "127.0.0.1");
		socket.on("error", () => {});
		socket.write(head);
		const record = await running.recordOf(path);
		assert.deepEqual([record.outcome, record.status], ["timed-out", path === "/1" ? 200 : 504]);
		if (path === "/2") {
			let received = "";
			socket.on("data", (chunk: Buffer) => (received += chunk.toString("latin1")));
			const answer = new RegExp(`^HTTP/1.1 504 .*request id: ${record.id}\n`, "s");
			await until(() => answer.test(received), "the answer");
		}
		socket.destroy();
		await running.assertIdle();
		assert.equal((await running.ask("/0")).text, "ok");
	}
});
