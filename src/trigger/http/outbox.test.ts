import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Outbox } from "./outbox.ts";

/** Requests in one turn, each as how long it takes until its answer is there, and after that; says what was sent when. */
function turn(outbox: Outbox, requests: readonly (readonly [string, number])[], from = 0): string[] {
	const log: string[] = [];
	let now = from;
	outbox.begin(now);
	for (const [name, milliseconds] of requests) {
		log.push(`answer ${name}`);
		outbox.add({ deliver: () => log.push(`send ${name}`) });
		outbox.served((now += milliseconds));
	}
	log.push("end");
	outbox.flush();
	return log;
}

suite("Outbox", () => {
	const cases: readonly (readonly [string, readonly (readonly [string, number])[], string])[] = [
		[
			"quick answers leave together, in their order",
			[
				["a", 0.1],
				["b", 0.1],
				["c", 0.1],
			],
			"answer a, answer b, answer c, end, send a, send b, send c",
		],
		[
			"the first wait no longer than a millisecond",
			[
				["a", 0.4],
				["b", 0.4],
				["c", 0.1],
			],
			"answer a, answer b, send a, send b, answer c, end, send c",
		],
		[
			"nor others than their requests have waited",
			[
				["a", 0.9],
				["b", 0.9],
				["c", 0.5],
				["d", 0.5],
				["e", 0.1],
			],
			"answer a, send a, answer b, send b, answer c, answer d, send c, send d, answer e, end, send e",
		],
		[
			"nor for what may take as long as the one before",
			[
				["a", 0.6],
				["b", 0.1],
			],
			"answer a, send a, answer b, end, send b",
		],
		[
			"after a slow one each goes at once",
			[
				["a", 5],
				["b", 0.1],
				["c", 0.1],
			],
			"answer a, send a, answer b, send b, answer c, send c, end",
		],
	];
	for (const [name, requests, expected] of cases) {
		test(name, () => assert.equal(turn(new Outbox(), requests).join(", "), expected));
	}

	test("nor than four milliseconds", () => {
		const outbox = new Outbox();
		const sent: number[] = [];
		outbox.begin(0);
		let due = 0;
		let now = 0;
		for (let i = 0; i < 32; i++) {
			outbox.add({ deliver: () => due++ });
			outbox.served((now += 0.5));
			if (due > 0) sent.push(due);
			due = 0;
		}
		assert.deepEqual(sent, [2, 2, 4, 8, 8, 8]);
	});

	test("a slow one is forgotten", () => {
		const outbox = new Outbox();
		turn(outbox, [["slow", 5]]);
		outbox.begin(10);
		for (let i = 0; i < 300; i++) outbox.served(10 + i / 100);
		assert.deepEqual(
			turn(
				outbox,
				[
					["a", 0.1],
					["b", 0.1],
				],
				20,
			),
			["answer a", "answer b", "end", "send a", "send b"],
		);
	});

	test("the time of a turn begins with its first answer", () => {
		const outbox = new Outbox();
		const quick = [
			["a", 0.1],
			["b", 0.1],
		] as const;
		const together = ["answer a", "answer b", "end", "send a", "send b"];
		assert.deepEqual(turn(outbox, quick, 0), together);
		assert.deepEqual(turn(outbox, quick, 1000), together);
		// What was not answered here does not count.
		outbox.begin(2000);
		outbox.served(2000.5);
		for (let i = 0; i < 300; i++) outbox.served(2000.5);
		assert.deepEqual(turn(outbox, quick, 2002), together);
	});

	test("what is sent once is not sent again", () => {
		const outbox = new Outbox();
		let sent = 0;
		outbox.add({ deliver: () => sent++ });
		outbox.flush();
		outbox.flush();
		assert.equal(sent, 1);
	});
});
