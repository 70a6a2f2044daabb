import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Trap } from "../fault/mod.ts";
import { FLAG_LAYOUT, interruptFlag } from "./flag.ts";
import { Gate } from "./gate.ts";
import { guest } from "./guest.fixture.ts";

const flag = interruptFlag();
const bytes = new Uint8Array(flag.memory.buffer);
const words = new Int32Array(flag.memory.buffer);
const cells = (): readonly number[] => [bytes[FLAG_LAYOUT.flag] ?? -1, bytes[FLAG_LAYOUT.hit] ?? -1];

const reason = new Error("held the thread");
const watcher = flag.watch(() => reason);
/** As a watchdog on another thread does. */
const raise = (cell: number = FLAG_LAYOUT.flag): void => {
	words[FLAG_LAYOUT.watcher] = watcher;
	bytes[cell] = 1;
};

async function caught(act: () => unknown): Promise<unknown> {
	try {
		await act();
	} catch (error) {
		return error;
	}
	return assert.fail("it returned");
}

afterEach(() => assert.deepEqual(cells(), [0, 0]));

const CALLS_TWICE = `(module (import "host" "act" (func $act))
	(func (export "f") (call $act) (call $act)) (func (export "dead") unreachable))`;

for (const blocking of [false, true]) {
	test(`a guest that calls the host while the flag is up is ended there, ${blocking ? "promising" : "direct"}`, async () => {
		const gate = new Gate();
		let calls = 0;
		const act = (): undefined => {
			calls++;
			raise();
		};
		const { exports } = await guest(gate, CALLS_TWICE, { act: ["->", act] });
		const beat = words[FLAG_LAYOUT.beat] ?? 0;
		assert.equal(await caught(() => gate.wrapExport(exports["f"], blocking)()), reason);
		assert.equal(calls, 1);
		assert.ok((words[FLAG_LAYOUT.beat] ?? 0) > beat, "the watchdog sees that the thread goes round");
	});

	test(`a guest that the flag has hit gets the reason, and no one after it, ${blocking ? "promising" : "direct"}`, async () => {
		const [hit, other] = [new Gate(), new Gate()];
		const act = (): undefined => undefined;
		const [first, second] = await Promise.all(
			[hit, other].map((gate) => guest(gate, CALLS_TWICE, { act: ["->", act] })),
		);
		// What a check does before it traps
		bytes[FLAG_LAYOUT.hit] = 1;
		words[FLAG_LAYOUT.watcher] = watcher;
		assert.equal(await caught(() => hit.wrapExport(first?.exports["dead"], blocking)()), reason);
		const trap = await caught(() => other.wrapExport(second?.exports["dead"], blocking)());
		assert.ok(trap instanceof Trap);
		assert.equal(trap.message, "unreachable");
		assert.equal(await caught(() => hit.wrapExport(first?.exports["dead"], blocking)()), reason, "it stays ended");
	});

	test(`a flag that was meant for another is lowered before a guest begins, ${blocking ? "promising" : "direct"}`, async () => {
		const gate = new Gate();
		raise();
		const { exports } = await guest(gate, `(module (func (export "f") (result i32) (i32.const 5)))`);
		raise();
		assert.equal(await gate.wrapExport(exports["f"], blocking)(), 5);
	});
}

test("a call of the guest's own back into the guest is no new beginning", async () => {
	const gate = new Gate();
	let back: (() => unknown) | undefined;
	const act = (): undefined => {
		raise();
		back?.();
	};
	const { exports } = await guest(
		gate,
		`(module (import "host" "act" (func $act)) (func (export "f") (call $act) (call $act)) (func (export "g")))`,
		{ act: ["->", act] },
	);
	const beat = words[FLAG_LAYOUT.beat] ?? 0;
	back = gate.wrapExport(exports["g"], false);
	assert.equal(await caught(() => gate.wrapExport(exports["f"], false)()), reason);
	// Once for the call from the host, once for the kill
	assert.equal((words[FLAG_LAYOUT.beat] ?? 0) - beat, 2);
});

test("another error than the trap of a check is not taken for it", async () => {
	const gate = new Gate();
	const { exports } = await guest(gate, `(module (func (export "f") (drop (i32.div_u (i32.const 1) (i32.const 0)))))`);
	raise(FLAG_LAYOUT.hit);
	const trap = await caught(() => gate.wrapExport(exports["f"], false)());
	assert.equal((trap as Error).message, "integer divide by zero");
	assert.equal(flag.takeHit()?.reason, reason);
});
