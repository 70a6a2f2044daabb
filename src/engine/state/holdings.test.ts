import assert from "node:assert/strict";
import { test } from "node:test";
import { LimitExceeded } from "../../fault/mod.ts";
import { collectHeap } from "../v8/heap.ts";
import { Holdings } from "./holdings.ts";

const MIB = 1024 * 1024;
/** Than V8's heap can have. */
const TOO_MUCH: number = 2 ** 42;

type Ask = (holdings: Holdings, affords: (time: number) => boolean) => unknown;

for (const [name, limit, affords, outcome] of [
	["is let go on, if it has the time", 4096, true, 5 * MIB],
	["is not collected for, if it has not", 4096, false, undefined],
	["is ended where its limit is one of all that is made, whatever time it has", 32, false, "gcHeap"],
] as const) {
	test(`a guest that has made as much in V8's heap as it may ${name}`, () => {
		// How long that takes is known then, and there may be another one
		collectHeap();
		const holdings = new Holdings({ limits: { gcHeap: limit * MIB } });
		holdings.take("gcHeap", (limit - 1) * MIB);
		let asked = 0;
		const given = holdings.allocate(5 * MIB, (time) => {
			assert.ok(time >= 0 && time < 60_000);
			asked++;
			return affords;
		});
		if (outcome === "gcHeap") assert.ok(given instanceof LimitExceeded && given.limit === outcome, String(given));
		else if (outcome === undefined) assert.equal(given, undefined);
		else assert.ok(typeof given === "number" && given >= outcome, String(given));
		assert.equal(asked, outcome === "gcHeap" ? 0 : 1);
		const { gcHeap } = holdings.held;
		if (outcome === 5 * MIB) assert.ok(gcHeap < (limit / 2) * MIB, "from then on it holds what all hold");
		else assert.equal(gcHeap, (limit - 1) * MIB);
	});
}

test("a guest asks for V8's heap as often, whatever others hold of it", () => {
	const asks = (before: number): number[] => {
		const holdings = new Holdings({ limits: { gcHeap: 4096 * MIB } });
		holdings.take("gcHeap", 4096 * MIB - before);
		return Array.from({ length: 5 }, () => holdings.allocate(3000, () => true) as number);
	};
	for (const before of [0, 2999, 3000, 4000, 70_000])
		assert.deepEqual(asks(before), asks(MIB), `${before} bytes before the limit`);
});

for (const [what, ask] of [
	["objects", (holdings, affords) => holdings.allocate(TOO_MUCH, affords)],
	["tables", (holdings, affords) => holdings.grow("tables", TOO_MUCH, affords)],
] as const satisfies readonly [string, Ask][]) {
	test(`no collection makes room for ${what} where there is no time for it`, () => {
		// How long that takes is known then
		collectHeap();
		let asked = 0;
		const given = ask(new Holdings(), (time) => {
			assert.ok(time >= 0 && time < 60_000);
			asked++;
			return false;
		});
		assert.equal(asked, 1);
		assert.equal(given, what === "objects" ? undefined : false);
	});
}
