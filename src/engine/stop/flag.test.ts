import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { LimitExceeded, Trap } from "../../fault/mod.ts";
import { FLAG_CELL, HIT_CELL } from "../../rewrite/mod.ts";
import { ENTRY_WORD, FUEL_TAKEN, interruptFlag, PLANNED_WORD, UNTIL_WORD } from "./flag.ts";
import { Gate } from "../border/gate.ts";
import { guest } from "../guest.fixture.ts";

const flag = interruptFlag();
const bytes = new Uint8Array(flag.memory.buffer);
const words = new Int32Array(flag.memory.buffer);

/** As the watchdog does, of a guest that is to be stopped. */
const raise = (cell: number = FLAG_CELL): undefined => {
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

function isKilled(error: unknown): void {
	assert.ok(error instanceof LimitExceeded, String(error));
	assert.equal(error.message, 'killed: cpu 0 ms (limit "cpu")');
}

afterEach(() => assert.equal(words[UNTIL_WORD], 0, "nobody holds the thread"));

const CALLS_TWICE = `(module (import "host" "act" (func $act))
	(func (export "f") (call $act) (call $act)) (func (export "dead") unreachable))`;
const limits = { cpu: 0 };

for (const blocking of [false, true]) {
	const how = blocking ? "promising" : "direct";
	test(`a guest that calls the host when the flag is up, and its time, is ended there, ${how}`, async () => {
		const gate = new Gate({ limits });
		let calls = 0;
		const act = (): undefined => {
			calls++;
			raise();
		};
		const { exports } = await guest(gate, CALLS_TWICE, { act: ["->", act] });
		bytes[FLAG_CELL] = 0;
		isKilled(await caught(() => gate.wrapExport(exports["f"], blocking)()));
		assert.ok(calls <= 1);
	});

	test(`one that has time left goes on, ${how}`, async () => {
		const gate = new Gate({ limits: { cpu: 10_000 } });
		let calls = 0;
		const act = (): undefined => {
			calls++;
			raise();
		};
		const { exports } = await guest(gate, CALLS_TWICE, { act: ["->", act] });
		await gate.wrapExport(exports["f"], blocking)();
		assert.equal(calls, 2);
	});

	test(`a guest that the flag has hit gets the reason, and no one after it, ${how}`, async () => {
		const [hit, other] = [new Gate({ limits }), new Gate({ limits })];
		const act = () => raise(HIT_CELL);
		const wat = `(module (import "host" "act" (func $act)) (func (export "f") (call $act) unreachable)
			(func (export "dead") unreachable))`;
		const [first, second] = await Promise.all([hit, other].map((gate) => guest(gate, wat, { act: ["->", act] })));
		isKilled(await caught(() => hit.wrapExport(first?.exports["f"], blocking)()));
		const trap = await caught(() => other.wrapExport(second?.exports["dead"], blocking)());
		assert.ok(trap instanceof Trap);
		assert.equal(trap.message, "unreachable");
		isKilled(await caught(() => hit.wrapExport(first?.exports["dead"], blocking)()));
	});

	test(`a flag that was meant for another is lowered before a guest begins, ${how}`, async () => {
		const gate = new Gate();
		const { exports } = await guest(
			gate,
			`(module (import "host" "act" (func $act)) (func (export "f") (call $act)))`,
			{ act: ["->", (): undefined => assert.equal(bytes[FLAG_CELL], 0) as undefined] },
		);
		raise();
		await gate.wrapExport(exports["f"], blocking)();
	});
}

test("another error than the trap of a check is not taken for it", async () => {
	const gate = new Gate();
	const wat = `(module (import "host" "act" (func $act))
		(func (export "f") (call $act) (drop (i32.div_u (i32.const 1) (i32.const 0)))))`;
	const { exports } = await guest(gate, wat, { act: ["->", () => raise(HIT_CELL)] });
	const trap = await caught(() => gate.wrapExport(exports["f"], false)());
	assert.equal((trap as Error).message, "integer divide by zero");
});

test("each stretch has a number of its own, and the cells lie where the watchdog and the guests look", async () => {
	const gate = new Gate({ limits: { cpu: 1_000 } });
	const entries: number[] = [];
	const look = (): undefined => {
		entries.push(words[ENTRY_WORD] ?? 0);
		assert.notEqual(words[UNTIL_WORD], 0);
	};
	const { exports } = await guest(gate, CALLS_TWICE, { act: ["->", look] });
	const f = gate.wrapExport(exports["f"], false);
	await f();
	await f();
	const [a, b, c, d] = entries.map((entry) => entry >>> 16);
	assert.deepEqual([a === b, c === d, a === c], [true, true, false]);
	assert.ok(entries.every((entry) => (entry & 0xffff) === 0));
	assert.deepEqual(
		[ENTRY_WORD, UNTIL_WORD, PLANNED_WORD, FLAG_CELL, HIT_CELL],
		[0, 1, 2, 0, 1],
		"as in watchdog-thread.ts",
	);
});

const UNTOLD = process.platform === "linux" ? false : "only Linux tells what a thread was given";

test(
	"the watchdog is rung for by a guest that has less than half of the time for which it paces its looks",
	{ skip: UNTOLD },
	async () => {
		await flag.watched();
		/** How long before the end of a guest's time the watchdog has to have been rung for another, in milliseconds. */
		const planned = async (left: number): Promise<number> => {
			const now = performance.now();
			flag.enter(now + left, now + left, false);
			const [entry, until] = [words[ENTRY_WORD], words[UNTIL_WORD] ?? 0];
			for (let looks = 0; looks < 20; looks++) {
				await new Promise((resolve) => setTimeout(resolve, 5));
				assert.equal(words[ENTRY_WORD], entry, "it is not interrupted");
			}
			const ahead = (until - Atomics.load(words, PLANNED_WORD)) / 10;
			flag.leave();
			return ahead;
		};
		const [long, medium] = [await planned(60_000), await planned(10_000)];
		assert.ok(long > 29_000 && long < 31_000, `${long} ms before its end`);
		assert.ok(medium > 4_500 && medium < 5_500, `${medium} ms before its end`);
	},
);

test("fuel is a signed number of 64 bits", () => {
	for (const fuel of [0, 1, -1, 2 ** 32 - 1, 2 ** 32, -(2 ** 32), -(2 ** 40) - 5, 2 ** 52 + 1]) {
		flag.fuel = fuel;
		assert.equal(flag.fuel, fuel);
		assert.equal(new BigInt64Array(flag.memory.buffer, 16, 1)[0], BigInt(fuel));
	}
	flag.fuel = 0;
});

test("what the watchdog takes of the fuel is given back", () => {
	for (const fuel of [0, 1, -1, -1_000, 2 ** 32, 2 ** 40 + 3]) {
		flag.fuel = fuel;
		Atomics.sub(new BigInt64Array(flag.memory.buffer), 2, BigInt(FUEL_TAKEN));
		assert.equal(flag.fuel, fuel);
	}
	flag.fuel = 0;
});
