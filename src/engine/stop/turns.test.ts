import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Turns } from "./turns.ts";

suite("whose turn it is", () => {
	for (const [name, members, order] of [
		["nobody's", [], ""],
		["of one group, in the order in which they came", ["a1", "a2", "a3"], "a1 a2 a3 a1 a2 a3 a1"],
		["groups take turns, however many they are", ["a1", "a2", "a3", "b1"], "a1 b1 a2 b1 a3 b1 a1 b1"],
		["of three groups", ["a1", "b1", "c1", "b2", "b3"], "a1 b1 c1 a1 b2 c1 a1 b3 c1 a1 b1 c1"],
		["those without a name are a group", ["1", "a1", "2", "3"], "1 a1 2 a1 3 a1 1 a1"],
	] as const) {
		test(name, () => {
			const turns = new Turns<string>();
			const add = (member: string): void => turns.add(/^[a-z]/.exec(member)?.[0], member);
			for (const member of members) add(member);
			const taken: string[] = [];
			for (let i = order.split(" ").length; i > 0 && turns.any; i--) {
				const member = turns.take() ?? assert.fail("nobody");
				taken.push(member);
				// It waits for the next one, behind the others
				add(member);
			}
			assert.equal(taken.join(" "), order);
			assert.equal(turns.any, members.length > 0);
		});
	}

	test("who does not come back waits no more", () => {
		const turns = new Turns<string>();
		for (const member of ["a1", "a2", "b1"]) turns.add(member[0], member);
		assert.deepEqual(
			Array.from({ length: 4 }, () => turns.take()),
			["a1", "b1", "a2", undefined],
		);
		assert.equal(turns.any, false);
	});
});
