/** Guests that misbehave in every way that a component can: what the client gets, what the log says, and that the server goes on. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Limits } from "../../src/fault/mod.ts";
import type { RequestOutcome, TriggerLimits } from "../../src/trigger/mod.ts";
import { buildGuest } from "./guest-wat.ts";
import { ID, RunningServer } from "./running-server.ts";

const GET_OUT = "(local.get $out)";

interface BadGuest {
	readonly name: string;
	/** The inside of a case's function, see `buildGuest`. */
	readonly wat: string;
	/** 0: the connection is cut before a head. */
	readonly status: number;
	readonly outcome: RequestOutcome;
	readonly reason: RegExp | undefined;
	/** With a status that is the guest's own. */
	readonly text?: string;
	/** Whether the client sees that the body is broken off. */
	readonly whole?: boolean;
	/** The request's body; GET without one. */
	readonly body?: string;
}

/** Sends the head and one x; `then` follows with the body in $a and its stream in $b. */
const begun = (then: string): string => `
	(call $fill)
	(local.set $a (call $head ${GET_OUT}))
	(local.set $b (call $stream (local.get $a)))
	(drop (call $say (local.get $b) (i32.const 1024) (i32.const 1)))
	${then}`;

const NEVER = "(call $sleep (i64.const 9223372036854))";
const FOREVER = "(loop $again (br $again))";
const WALL = /^killed: wall 1000 ms \(limit "wall"\)$/;
const CPU = /^killed: cpu 400 ms \(limit "cpu"\)$/;
const EARLY = { status: 500, outcome: "failed" } as const;
const BROKEN = { status: 200, outcome: "truncated", text: "x", whole: false } as const;

const GUESTS: readonly BadGuest[] = [
	{ name: "traps at once", wat: "unreachable", ...EARLY, reason: /^unreachable$/ },
	{ name: "traps after the head", wat: begun("unreachable"), ...BROKEN, reason: /^unreachable$/ },
	{
		name: "reads out of bounds",
		wat: "(drop (i32.load (i32.const -4)))",
		...EARLY,
		reason: /^out of bounds memory access$/,
	},
	{
		name: "traps after a suspension",
		wat: "(call $sleep (i64.const 5)) unreachable",
		...EARLY,
		reason: /^unreachable$/,
	},
	{
		name: "traps after it has finished its response",
		wat: `(call $ok ${GET_OUT}) unreachable`,
		status: 200,
		outcome: "answered",
		text: "ok",
		reason: /^unreachable$/,
	},
	{ name: "exits with success", wat: "(call $exit (i32.const 0))", ...EARLY, reason: /exited with status 0/ },
	{ name: "exits with failure", wat: "(call $exit (i32.const 1))", ...EARLY, reason: /exited with status 1/ },
	{
		name: "exits after the head",
		wat: begun("(call $exit (i32.const 0))"),
		...BROKEN,
		reason: /exited with status 0/,
	},
	{ name: "returns without an answer", wat: "", ...EARLY, reason: /returned without a response/ },
	{
		name: "drops its response-outparam",
		wat: `(call $outparam.drop ${GET_OUT})`,
		...EARLY,
		reason: /dropped its response-outparam/,
	},
	{
		name: "drops its response-outparam and waits for ever",
		wat: `(call $outparam.drop ${GET_OUT}) ${NEVER}`,
		...EARLY,
		reason: /dropped its response-outparam/,
	},
	{
		name: "answers twice with a handle that it has given away",
		wat: `(call $ok ${GET_OUT}) (call $ok ${GET_OUT})`,
		status: 200,
		outcome: "answered",
		text: "ok",
		reason: /unknown handle index/,
	},
	{
		name: "answers with a response that it does not have",
		wat: `(call $set ${GET_OUT} (i32.const 77))`,
		...EARLY,
		reason: /unknown handle index 77/,
	},
	{
		name: "answers with the request in place of a response",
		wat: `(call $set ${GET_OUT} (local.get $request))`,
		...EARLY,
		reason: /handle index \d+ used with the wrong type/,
	},
	{ name: "never answers", wat: NEVER, status: 504, outcome: "timed-out", reason: WALL },
	{
		name: "never answers in many short waits",
		wat: "(loop $again (call $sleep (i64.const 1)) (br $again))",
		status: 504,
		outcome: "timed-out",
		reason: WALL,
	},
	{
		name: "never finishes its body",
		wat: begun(NEVER),
		status: 200,
		outcome: "timed-out",
		text: "x",
		whole: false,
		reason: WALL,
	},
	{
		name: "returns without finishing its body",
		wat: begun(""),
		...BROKEN,
		reason: /returned before it had finished|dropped its response body/,
	},
	{
		name: "drops its body",
		wat: begun("(call $output.drop (local.get $b)) (call $outgoing-body.drop (local.get $a))"),
		...BROKEN,
		reason: /dropped its response body/,
	},
	{
		name: "drops its body before the stream that is in it",
		wat: begun("(call $outgoing-body.drop (local.get $a))"),
		...BROKEN,
		reason: /output-stream child is still alive/,
	},
	{
		name: "waits for the end of a body that was never sent",
		wat: `(call $request.consume (local.get $request) (i32.const 0))
			(call $incoming-body.stream (i32.load (i32.const 4)) (i32.const 0))
			(local.set $a (i32.load (i32.const 4)))
			(loop $again
				(call $read (local.get $a) (i64.const 4096) (i32.const 0))
				(br_if $again (i32.eqz (i32.load8_u (i32.const 0)))))`,
		...EARLY,
		reason: /returned without a response/,
	},
	{ name: "loops for ever", wat: FOREVER, ...EARLY, reason: CPU },
	{ name: "loops for ever after a suspension", wat: `(call $sleep (i64.const 5)) ${FOREVER}`, ...EARLY, reason: CPU },
	{ name: "loops for ever after the head", wat: begun(FOREVER), ...BROKEN, reason: CPU },
	{
		name: "loops for ever in host calls",
		wat: "(loop $again (call $input.drop (call $head-of-nothing)) (br $again))",
		...EARLY,
		reason: /unknown handle index/,
	},
	{
		name: "loops for ever in host calls that succeed",
		wat: "(loop $again (call $pollable.drop (call $after (i64.const 0))) (br $again))",
		...EARLY,
		reason: CPU,
	},
	{ name: "recurses for ever", wat: "(call $deeper)", ...EARLY, reason: /^call stack exhausted$/ },
	{
		name: "recurses for ever after a suspension",
		wat: "(call $sleep (i64.const 5)) (call $deeper)",
		...EARLY,
		reason: /^call stack exhausted$/,
	},
	{
		name: "takes handles without end",
		wat: "(loop $again (drop (call $fields)) (br $again))",
		...EARLY,
		reason: /handle table is full \(limit "handles": 5000\)/,
	},
	{
		name: "takes all the memory there is, and touches the end of it",
		wat: `(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1024)) (i32.const -1))))
			(i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)) (i32.const 1))
			(call $ok ${GET_OUT})`,
		status: 200,
		outcome: "answered",
		text: "ok",
		reason: undefined,
	},
];

const EXTRA = `
	(func $deeper (call $deeper) (call $deeper))
	(func $head-of-nothing (result i32) (i32.const 99))
`;

const LIMITS: Limits & Partial<TriggerLimits> = { wall: 60_000, cpu: 400, handles: 5_000 };
/** For those who wait: nobody else comes to this limit because the machine is busy. */
const SHORT: typeof LIMITS = { ...LIMITS, wall: 1_000 };

suite("guests that misbehave", () => {
	let [patient, impatient]: RunningServer[] = [];
	before(async () => {
		const cases = [`(call $ok ${GET_OUT})`, ...GUESTS.map(({ wat }) => wat)];
		const bytes = await buildGuest(cases, EXTRA);
		[patient, impatient] = await Promise.all(
			[LIMITS, SHORT].map(async (limits) => await RunningServer.start({ bytes, limits })),
		);
	});
	after(async () => {
		await patient?.[Symbol.asyncDispose]();
		await impatient?.[Symbol.asyncDispose]();
	});

	for (const [i, guest] of GUESTS.entries()) {
		test(guest.name, async () => {
			const running = guest.reason === WALL || guest.wat.includes(NEVER) ? impatient : patient;
			assert.ok(running !== undefined);
			const path = `/${i + 1}`;
			const answer = await running.ask(path, guest.body);
			const record = await running.recordOf(path);
			assert.deepEqual(
				{ status: answer.status, outcome: record.outcome, logged: record.status },
				{ status: guest.status, outcome: guest.outcome, logged: guest.status === 0 ? undefined : guest.status },
				String(record.reason),
			);
			if (guest.reason === undefined) assert.equal(record.reason, undefined);
			else assert.match(String(record.reason), guest.reason);
			if (guest.status >= 500) {
				assert.equal(answer.headers[ID], record.id);
				assert.match(answer.text, new RegExp(`request id: ${record.id}\n`));
			} else {
				assert.equal(answer.headers[ID], undefined);
				assert.deepEqual({ text: answer.text, whole: answer.whole }, { text: guest.text, whole: guest.whole ?? true });
			}
			const next = await running.ask("/0");
			assert.deepEqual([next.status, next.text], [200, "ok"]);
			await running.assertIdle();
		});
	}
});
