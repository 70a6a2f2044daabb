import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import type { CoreFunction } from "../../abi/mod.ts";
import { LimitExceeded, type Limits, type LimitName, Trap } from "../../fault/mod.ts";
import { Gate } from "../border/gate.ts";
import { guest, type Import } from "../guest.fixture.ts";
import { meteredGuest } from "../border/metered.fixture.ts";

const MODES = ["trap", "yield", "fuel"] as const;

const ENDLESS = `(func (export "f") (loop $l (call $check) (br $l)))
	(func (export "ok") (param i32) (result i32) (loop $l (call $check)
		(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 7))`;

async function caught(act: () => unknown): Promise<unknown> {
	try {
		await act();
	} catch (error) {
		return error;
	}
	return assert.fail("it returned");
}

function isLimit(error: unknown, limit: LimitName, message: string): void {
	assert.ok(error instanceof LimitExceeded, String(error));
	assert.equal(error.limit, limit);
	assert.equal(error.message, message);
}

/** A host function for hand-written guests that import it by themselves. */
async function withHost(gate: Gate, host: Readonly<Record<string, Import>>): Promise<Record<string, unknown>> {
	const names = Object.keys(host);
	const fields = names.map((name, i) => {
		const [params = "", result = ""] = (host[name]?.[0] ?? "").split("->");
		return `(import "host" "${name}" (func $f${i} (param ${params}) (result ${result}))) (export "${name}" (func $f${i}))`;
	});
	return { ...(await guest(gate, `(module ${fields.join(" ")})`, host)).exports };
}

for (const metering of MODES) {
	for (const blocking of [true, false]) {
		suite(`metering ${metering}, ${blocking ? "on a stack of its own" : "on the main stack"}`, () => {
			const start = async (limits: Limits): Promise<{ gate: Gate; f: CoreFunction; ok: CoreFunction }> => {
				const gate = new Gate({ limits, metering, app: "x" });
				const { exports } = await meteredGuest(gate, metering, ENDLESS);
				return {
					gate,
					f: gate.wrapExport(exports["f"], blocking),
					ok: gate.wrapExport(exports["ok"], blocking),
				};
			};

			test("CPU time", async () => {
				const { gate, f, ok } = await start({ cpu: 200, wall: 60_000 });
				for (let i = 0; i < 3; i++) {
					isLimit(await caught(f), "cpu", 'killed: cpu 200 ms (limit "cpu" of app x)');
					assert.ok(gate.usage.cpu >= 199, `stopped after ${gate.usage.cpu} ms`);
					gate.reset();
					assert.equal(await ok(10), 7, "after a reset it is as new");
				}
			});

			test("the wall limit of a guest that does not wait", async () => {
				const { f } = await start({ cpu: 60_000, wall: 20 });
				isLimit(await caught(f), "wall", 'killed: wall 20 ms (limit "wall" of app x)');
			});

			test("CPU time is that of all stretches together, and of no other guest", async () => {
				const { gate, ok } = await start({ cpu: 60_000 });
				const other = await start({ cpu: 20 });
				gate.begin();
				const from = performance.now();
				await ok(1_000);
				const before = gate.usage.cpu;
				const between = performance.now();
				await sleep(30);
				await caught(other.f);
				const idle = performance.now() - between;
				await ok(1_000);
				const { cpu } = gate.usage;
				assert.ok(before > 0 && cpu > before, `${before} ms, then ${cpu} ms`);
				assert.ok(cpu <= performance.now() - from - idle, "neither the sleep nor the other guest counts");
			});

			test("a guest in a start function", async () => {
				const gate = new Gate({ limits: { cpu: 20 }, metering });
				// Its table of the host is empty yet: a check that asks traps all the same
				if (metering !== "trap") return;
				const start = meteredGuest(gate, metering, "(func $s (loop $l (call $check) (br $l))) (start $s)");
				isLimit(await caught(() => start), "cpu", 'killed: cpu 20 ms (limit "cpu")');
			});
		});
	}
}

suite("fuel", () => {
	const COUNTED = 100;
	for (const [fuel, passes] of [
		[COUNTED - 1, false],
		[COUNTED, true],
		[COUNTED + 1, true],
	] as const) {
		test(`${fuel} for ${COUNTED} instructions`, async () => {
			for (const blocking of [true, false]) {
				const gate = new Gate({ limits: { fuel }, metering: "fuel" });
				const { exports } = await meteredGuest(gate, "fuel", ENDLESS);
				const ok = gate.wrapExport(exports["ok"], blocking);
				if (passes) assert.equal(await ok(COUNTED), 7);
				else isLimit(await caught(() => ok(COUNTED)), "fuel", `killed: fuel ${fuel} instructions (limit "fuel")`);
				assert.equal(gate.usage.fuel, COUNTED);
				gate.reset();
				assert.equal(gate.usage.fuel, 0);
			}
		});
	}

	test("is the same number however long the guest takes and whoever runs in between", async () => {
		const used = await Promise.all(
			[1, 2, 3].map(async () => {
				const gate = new Gate({ metering: "fuel" });
				const { exports } = await meteredGuest(gate, "fuel", ENDLESS);
				const ok = gate.wrapExport(exports["ok"], true);
				await ok(1_000_001);
				await ok(5);
				return gate.usage.fuel;
			}),
		);
		assert.deepEqual(used, [1_000_006, 1_000_006, 1_000_006]);
	});
});

suite("hostCalls", () => {
	for (const calls of [2, 3, 4]) {
		test(`${calls} where 3 are allowed`, async () => {
			let made = 0;
			const gate = new Gate({ limits: { hostCalls: 3 }, app: "x" });
			const { exports } = await guest(
				gate,
				`(module (import "host" "act" (func $act)) (func (export "f") (param i32)
					(loop $l (call $act) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`,
				{ act: ["->", () => void made++] },
			);
			const f = gate.wrapExport(exports["f"], true);
			if (calls <= 3) await f(calls);
			else isLimit(await caught(() => f(calls)), "hostCalls", 'killed: hostCalls 3 calls (limit "hostCalls" of app x)');
			assert.equal(made, Math.min(calls, 3));
		});
	}
});

suite("sharing the thread", () => {
	test("endless guests, a timer and a short call take turns", async () => {
		const gates = [1, 2].map(() => new Gate({ limits: { cpu: 500 }, metering: "yield" }));
		let ticks = 0;
		const timer = setInterval(() => ticks++, 1);
		const ended = gates.map(async (gate) => {
			const { exports } = await meteredGuest(gate, "yield", ENDLESS);
			return await caught(gate.wrapExport(exports["f"], true));
		});
		await sleep(20);
		const gate = new Gate({ metering: "yield" });
		const { exports } = await meteredGuest(gate, "yield", ENDLESS);
		const before = gates.map(({ usage }) => usage.cpu);
		assert.equal(await gate.wrapExport(exports["ok"], true)(1), 7);
		assert.ok(before.some((cpu) => cpu < 500));
		for (const error of await Promise.all(ended)) isLimit(error, "cpu", 'killed: cpu 500 ms (limit "cpu")');
		clearInterval(timer);
		assert.ok(ticks > 5, `${ticks} ticks`);
	});

	test("apps take turns, and their guests among themselves, with a turn of the event loop after each", async () => {
		const log: string[] = [];
		let turns = 0;
		const timer = setInterval(() => {}, 1_000);
		const count = (): void => {
			turns++;
			if (log.length < 20) setImmediate(count);
		};
		const started = await Promise.all(
			["a1", "a2", "a3", "b1"].map(async (name) => {
				const gate = new Gate({ metering: "yield", app: name.slice(0, 1) });
				const act = (): undefined => {
					if (log.at(-1) !== name) log.push(name);
					if (log.length >= 20) gate.fail("enough");
				};
				const host = await withHost(gate, { act: ["->", act] });
				const body = '(func (export "f") (loop $l (call $act) (call $check) (br $l)))';
				const { exports } = await meteredGuest(gate, "yield", body, { host }, '(import "host" "act" (func $act))');
				return gate.wrapExport(exports["f"], true);
			}),
		);
		setImmediate(count);
		// All have their first slice in one turn, as they are called
		assert.deepEqual(
			await Promise.all(started.map(async (f) => await caught(f))),
			started.map(() => "enough"),
		);
		clearInterval(timer);
		const [all, halves] = [["a1", "a2", "a3", "b1"], "a1 b1 a2 b1 a3 b1 a1 b1 a2 b1 a3 b1 a1 b1 a2 b1".split(" ")];
		assert.deepEqual(log.slice(0, 20), [...all, ...halves]);
		assert.ok(turns >= halves.length, `${turns} turns of the event loop`);
	});

	test("a guest above whose stack the host is called again is not suspended, yet stopped", async () => {
		const outer = new Gate({ limits: { cpu: 20 }, metering: "yield" });
		let inner: CoreFunction | undefined;
		const host = await withHost(outer, { call: ["->", () => inner?.()] });
		const { exports } = await meteredGuest(
			outer,
			"yield",
			`${ENDLESS} (func (export "through") (call $call))`,
			{ host },
			`(import "host" "call" (func $call))`,
		);
		inner = outer.wrapExport(exports["f"], false);
		isLimit(await caught(outer.wrapExport(exports["through"], true)), "cpu", 'killed: cpu 20 ms (limit "cpu")');
	});

	test("what a guest catches does not keep it alive", async () => {
		const gate = new Gate({ limits: { cpu: 20 }, metering: "yield" });
		const { exports } = await meteredGuest(
			gate,
			"yield",
			`(func (export "f") (loop $again
				(block $caught (try_table (catch_all $caught) (loop $l (call $check) (br $l)))) (br $again)))`,
		);
		isLimit(await caught(gate.wrapExport(exports["f"], true)), "cpu", 'killed: cpu 20 ms (limit "cpu")');
	});

	test("ended while it is suspended between two slices", async () => {
		const gate = new Gate({ metering: "yield" });
		const { exports } = await meteredGuest(gate, "yield", ENDLESS);
		const call = caught(gate.wrapExport(exports["f"], true));
		await sleep(10);
		assert.equal(gate.quiet, false);
		const reason = new Trap("for the test");
		gate.fail(reason);
		assert.equal(await call, reason);
		assert.equal(gate.quiet, true);
	});

	test("many that wait their turn, and are ended meanwhile", async () => {
		const gates = Array.from({ length: 20 }, () => new Gate({ metering: "yield" }));
		const calls = gates.map(async (gate) => {
			const { exports } = await meteredGuest(gate, "yield", ENDLESS);
			return await caught(gate.wrapExport(exports["f"], true));
		});
		await sleep(100);
		for (const gate of gates) gate.fail("enough");
		assert.deepEqual(new Set(await Promise.all(calls)), new Set(["enough"]));
	});
});

suite("the wall limit of a guest that waits", () => {
	const WAITS = `(module (import "host" "wait" (func $wait (result i32)))
		(func (export "f") (result i32) (block $caught (try_table (catch_all $caught) (return (call $wait)))) (i32.const 99)))`;
	const start = async (gate: Gate, wait: () => Promise<number>): Promise<CoreFunction> => {
		const { exports } = await guest(gate, WAITS, { wait: ["-> i32", wait] });
		return gate.wrapExport(exports["f"], true);
	};

	test("for ever: each at its own time", async () => {
		await Promise.all(
			[80, 20, 50, 20].map(async (wall) => {
				const from = performance.now();
				const f = await start(new Gate({ limits: { wall } }), () => new Promise(() => {}));
				isLimit(await caught(f), "wall", `killed: wall ${wall} ms (limit "wall")`);
				assert.ok(performance.now() - from >= wall - 1);
			}),
		);
	});

	test("not for long: it returns, and its next call begins anew", async () => {
		const gate = new Gate({ limits: { wall: 2_000 } });
		const f = await start(gate, async () => {
			await sleep(600);
			return 5;
		});
		for (let i = 0; i < 3; i++) {
			assert.equal(await f(), 5);
			gate.begin();
		}
		assert.equal(await f(), 5);
		const error = await caught(async () => {
			while (true) assert.equal(await f(), 5);
		});
		isLimit(error, "wall", 'killed: wall 2000 ms (limit "wall")');
	});

	test("waiting is no CPU time", async () => {
		const gate = new Gate({ limits: { cpu: 300 } });
		const f = await start(gate, async () => {
			await sleep(400);
			return 5;
		});
		assert.equal(await f(), 5);
		assert.ok(gate.usage.cpu < 300);
	});
});
