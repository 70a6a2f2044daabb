import assert from "node:assert/strict";
import { test } from "node:test";
import { Account } from "../stop/account.ts";
import { assemble } from "../guest.fixture.ts";
import { HostCalls } from "./host-calls.ts";
import { threadSchedule } from "../stop/schedule.ts";
import { SET_STATUS, STATUS_FAILED, TRAMPOLINE_IMPORTS } from "./trampolines.ts";
import { webAssembly } from "../v8/v8.ts";
import { Waits } from "./waits.ts";

/** In place of trampolines, which tells the status: what writes it has no room on the stack the first time. */
const CROWDED = `(module
	(import "${TRAMPOLINE_IMPORTS.module}" "${TRAMPOLINE_IMPORTS.status}" (global $status (mut i32)))
	(func (export "0") (result i32) (global.get $status))
	(global $tried (mut i32) (i32.const 0))
	(func $endless (call $endless))
	(func (export "${SET_STATUS}") (param i32)
		(if (i32.eqz (global.get $tried)) (then (global.set $tried (i32.const 1)) (call $endless)))
		(global.set $status (local.get 0))))`;

test("a status that could not be written, at the end of the stack, is written the next time", async () => {
	const schedule = threadSchedule();
	const account: Account = new Account(
		{ failed: true, fail() {}, pause: () => waits.queue(), told() {} },
		{ metering: "off" },
	);
	const waits = new Waits(schedule, account);
	const calls = new HostCalls(schedule, account, waits, undefined);
	const module = new (webAssembly().Module)(await assemble(CROWDED));
	const [status] = calls.wrap(module, [{ params: [], results: ["i32"] }], [() => 0], [], new Map());
	assert.throws(() => calls.end(true), RangeError);
	calls.end(true);
	assert.equal((status as () => number)(), STATUS_FAILED);
});
