/** Guests that are called in one turn of the event loop, on one stack: each ends as it does alone, whatever the others do. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import type { MeteringMode } from "../../src/fault/mod.ts";
import { buildGuest } from "./guest-wat.ts";
import { RunningServer } from "./running-server.ts";

const OK = "(call $ok (local.get $out))";
const LOOP = "(loop $again (br $again))";

const BUSY = "holds the thread for a while";

interface Row {
	readonly guest: string;
	/** The answer's body; `undefined` for one of the server's own, with status 500. */
	readonly text?: string;
	/** What the log says of the guest; `undefined`: nothing. */
	readonly reason?: RegExp;
}

const ROWS: Readonly<Record<string, Row>> = {
	answers: { guest: OK, text: "ok" },
	[BUSY]: { guest: `(call $spin (i64.const 5)) ${OK}`, text: "ok" },
	traps: { guest: "unreachable", reason: /^unreachable$/ },
	"loops for ever": { guest: LOOP, reason: /^killed: cpu 40 ms/ },
	"recurses for ever": { guest: "(call $deep)", reason: /^call stack exhausted$/ },
	"recurses for ever and calls the host": {
		guest: "(call $deep-host (local.get $request))",
		reason: /^call stack exhausted$/,
	},
	exits: { guest: "(call $exit (i32.const 0))", reason: /exit/ },
	"returns without an answer": { guest: "", reason: /without a response/ },
	waits: { guest: `(call $sleep (i64.const 5)) ${OK}`, text: "ok" },
	"waits, and traps": { guest: "(call $sleep (i64.const 3)) unreachable", reason: /^unreachable$/ },
	"waits, and loops for ever": { guest: `(call $sleep (i64.const 2)) ${LOOP}`, reason: /^killed: cpu 40 ms/ },
	"answers, and waits": { guest: `${OK} (call $sleep (i64.const 10))`, text: "ok" },
	"answers, and traps": { guest: `${OK} unreachable`, text: "ok", reason: /^unreachable$/ },
	"answers, and exits": { guest: `${OK} (call $exit (i32.const 0))`, text: "ok", reason: /exit/ },
	"answers, and loops for ever": { guest: `${OK} ${LOOP}`, text: "ok", reason: /^killed: cpu 40 ms/ },
	"sends its head, and waits before the body": {
		guest: `
			(local.set $a (call $head (local.get $out)))
			(call $sleep (i64.const 4))
			(local.set $b (call $stream (local.get $a)))
			(drop (call $say (local.get $b) (i32.const 512) (i32.const 2)))
			(call $output.drop (local.get $b))
			(call $finish (local.get $a))`,
		text: "ok",
	},
	"sends more than goes at once": {
		guest: `
			(call $fill)
			(local.set $a (call $head (local.get $out)))
			(local.set $b (call $stream (local.get $a)))
			(loop $again
				(drop (call $say (local.get $b) (i32.const 1024) (i32.const 4096)))
				(br_if $again (i32.lt_u (local.tee $c (i32.add (local.get $c) (i32.const 1))) (i32.const 64))))
			(call $output.drop (local.get $b))
			(call $finish (local.get $a))`,
		text: "x".repeat(64 * 4096),
	},
	"asks the server it is in": { guest: `(call $ask (local.get $request)) ${OK}`, text: "ok" },
};
const NAMES = Object.keys(ROWS);
const EXTRA = `(func $deep (call $deep) (call $fill))
	(func $deep-host (param i32) (call $request.path (local.get 0) (i32.const 0)) (call $deep-host (local.get 0)) (call $fill))`;
const LIMITS = { wall: 120_000, cpu: 40, hostCalls: 10_000_000 };

/** Clients that ask for something and go away, before it is there or in the midst of it. */
async function goAway(port: number, paths: readonly string[]): Promise<void> {
	await Promise.all(
		paths.map(
			(path, i) =>
				new Promise<void>((resolve) => {
					const socket = connect(port, "127.0.0.1");
					socket.on("error", () => {});
					socket.on("close", () => resolve());
					socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
					setTimeout(() => socket.resetAndDestroy(), i % 8);
				}),
		),
	);
}

for (const metering of ["trap", "yield", "fuel"] satisfies MeteringMode[]) {
	test(`guests of one turn, metering ${metering}`, async () => {
		const bytes = await buildGuest(
			Object.values(ROWS).map(({ guest }) => guest),
			EXTRA,
		);
		const allowOutbound = ["http://127.0.0.1:*"];
		await using running = await RunningServer.start({ bytes, limits: LIMITS, metering, allowOutbound });
		const port = Number(new URL(running.url).port);
		const check = async (index: number, query: string): Promise<void> => {
			const name = NAMES[index] as string;
			const { text, reason } = ROWS[name] as Row;
			const path = `/${"0".repeat(Number(query))}${index}`;
			const answer = await running.ask(path);
			assert.equal(answer.status, text === undefined ? 500 : 200, name);
			if (text !== undefined) assert.deepEqual([answer.text === text, answer.whole], [true, true], name);
			if (path === "/0") return;
			const record = await running.recordOf(path);
			assert.equal(record.outcome, text === undefined ? "failed" : "answered", name);
			if (reason === undefined) assert.equal(record.reason, undefined, name);
			else assert.match(String(record.reason), reason, name);
		};
		for (const index of NAMES.keys()) await check(index, "0");
		let serial = 1;
		for (let round = 0; round < 2; round++) {
			const order = [...NAMES.keys(), ...NAMES.keys()];
			// Different neighbours each time
			order.sort((a, b) => ((a * 7 + round * 5) % 19) - ((b * 7 + round * 5) % 19));
			const gone = goAway(
				port,
				order.map((index) => `/${"0".repeat(300)}${index}`),
			);
			await Promise.all(order.map(async (index) => await check(index, String(serial++))));
			await gone;
		}
		// Together they take longer than each of them may.
		const busy = Array.from({ length: 16 }, async () => await check(NAMES.indexOf(BUSY), String(serial++)));
		await Promise.all(busy);
		await running.assertIdle();
	});
}
