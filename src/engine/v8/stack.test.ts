/** What happens at the end of the stack: the guest traps, whatever it catches, and the host is never entered without room. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { suite, test } from "node:test";

import { Trap } from "../../fault/mod.ts";
import { Gate } from "../border/gate.ts";
import { guest, type Import } from "../guest.fixture.ts";

async function caught(act: () => unknown): Promise<unknown> {
	try {
		await act();
	} catch (error) {
		return error;
	}
	return assert.fail("it returned");
}

function isExhausted(error: unknown): void {
	assert.ok(error instanceof Trap, String(error));
	assert.equal(error.message, "call stack exhausted");
}

const SHAPES: Readonly<Record<string, string>> = {
	plain: `(func $r (call $r) (call $r)) (func (export "f") (call $r))`,
	"around which everything is caught": `(func $r (call $r) (call $r))
		(func (export "f") (block $c (try_table (catch_all $c) (call $r))))`,
	"in which everything is caught": `(func $r (block $c (try_table (catch_all $c) (call $r) (call $r))))
		(func (export "f") (call $r))`,
	"in which everything is caught the old way": `(func $r try call $r call $r catch_all end) (func (export "f") (call $r))`,
	"through a table": `(table funcref (elem $r)) (func $r (call_indirect (i32.const 0)) (call_indirect (i32.const 0)))
		(func (export "f") (call $r))`,
};

/** Calls the host from as deep as it is told. */
const DEEP = `(module (import "host" "act" (func $act))
	(func $r (param i32) (if (local.get 0)
		(then (call $r (i32.sub (local.get 0) (i32.const 1))))
		(else (block $c (try_table (catch_all $c) (call $act))))))
	(func (export "f") (param i32) (call $r (local.get 0))))`;

/** How many calls of JavaScript fit on what is left of the stack. */
function room(): number {
	let calls = 0;
	const deeper = (): void => {
		calls++;
		deeper();
	};
	try {
		deeper();
	} catch {
		// That deep.
	}
	return calls;
}

for (const blocking of [true, false]) {
	suite(blocking ? "a stack of its own" : "the main stack", () => {
		for (const [name, fields] of Object.entries(SHAPES)) {
			test(`recursion without end, ${name}`, async () => {
				const gate = new Gate();
				const { exports } = await guest(gate, `(module ${fields})`);
				isExhausted(await caught(gate.wrapExport(exports["f"], blocking)));
				gate.reset();
				isExhausted(await caught(gate.wrapExport(exports["f"], blocking)));
			});
		}
	});
}

/** Goes ever closer to the end of the stack, and calls the host there. */
async function approach(call: (depth: number) => Promise<unknown>): Promise<void> {
	let [low, high] = [0, 1_000_000];
	while (high - low > 1) {
		const depth = (low + high) >> 1;
		const error = await call(depth).then(
			() => undefined,
			(reason: unknown) => reason,
		);
		if (error === undefined) low = depth;
		else {
			isExhausted(error);
			high = depth;
		}
	}
	assert.ok(low > 1_000, `${low} calls deep`);
}

suite("a host function that is called near the end of the stack begins and ends, or does not begin", () => {
	let [begun, ended] = [0, 0];
	const act: Import = [
		"->",
		() => {
			begun++;
			// As much of the stack as a host function may need
			[1, 2, 3].map((one) => JSON.stringify({ one, path: new URL("http://a/b").pathname }));
			ended++;
		},
	];

	test("on a stack of the guest's own", async () => {
		await approach(async (depth) => {
			const gate = new Gate();
			const { exports } = await guest(gate, DEEP, { act });
			await gate.wrapExport(exports["f"], true)(depth);
		});
		assert.ok(begun > 0);
		assert.equal(begun, ended);
	});

	test("in a start function", async () => {
		await approach(async (depth) => {
			const wat = DEEP.replace(/\)$/, `(func $s (call $r (i32.const ${depth}))) (start $s))`);
			await guest(new Gate(), wat, { act });
		});
		assert.equal(begun, ended);
	});
});

test("on a stack of its own a guest leaves the host all the room that there is", async () => {
	const rooms: number[] = [];
	const gate = new Gate();
	const { exports } = await guest(gate, DEEP, { act: ["->", () => void rooms.push(room())] });
	const f = gate.wrapExport(exports["f"], true);
	for (const depth of [0, 1_000, 5_000]) await f(depth);
	const [first = 0] = rooms;
	assert.ok(
		rooms.every((each) => Math.abs(each - first) < first / 10),
		`${rooms.join(", ")} calls`,
	);
});

test("the limit `stack` bounds how deep a guest gets, up to V8's own size", () => {
	const program = `
		import { limitStacks } from ${JSON.stringify(new URL("./stack-size.ts", import.meta.url).href)};
		import { Gate } from ${JSON.stringify(new URL("../border/gate.ts", import.meta.url).href)};
		import { guest } from ${JSON.stringify(new URL("../guest.fixture.ts", import.meta.url).href)};
		limitStacks(Number(process.argv[1]));
		const gate = new Gate();
		const { exports } = await guest(gate, \`(module (global $n (export "n") (mut i32) (i32.const 0))
			(func $r (global.set $n (i32.add (global.get $n) (i32.const 1))) (call $r) (call $r)) (func (export "f") (call $r)))\`);
		await gate.wrapExport(exports.f, true)().catch((error) => console.log(error.message, exports.n.value));`;
	const depths = [0, 100, 200, 984, 4_000].map((kib) => {
		const args = ["--input-type=module", "-e", program, String(kib * 1024)];
		const [, depth] =
			/^call stack exhausted (\d+)/.exec(execFileSync(process.execPath, args, { encoding: "utf8" })) ?? [];
		return Number(depth);
	});
	const [least = 0, small = 0, twice = 0, most = 0, more = 0] = depths;
	assert.ok(least > 100 && least < small && small < twice && twice < most, depths.join(", "));
	assert.ok(twice > 1.8 * small && twice < 2.4 * small, depths.join(", "));
	assert.equal(more, most);
});
