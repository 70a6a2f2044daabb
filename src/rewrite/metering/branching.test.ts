import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { array, assert as check, integer, property, record } from "fast-check";
import { type Arc, chooseArcs } from "./branching.ts";

const NODES = 5;

/** So much that one arc more is worth more than all weights. */
const EACH = 100;

/** What the best choice is worth: one arc out of each node at most, none out of node 0, without a cycle; by trying all. */
function mostWorth(arcs: readonly Arc[]): number {
	const to: (number | undefined)[] = Array.from({ length: NODES });
	const isCycle = (): boolean =>
		to.some((_, node) => {
			let at: number | undefined = node;
			for (let step = 0; step <= NODES && at !== undefined; step++) at = to[at];
			return at !== undefined;
		});
	const tryAll = (node: number, worth: number): number => {
		if (node === NODES) return isCycle() ? 0 : worth;
		to[node] = undefined;
		let most = tryAll(node + 1, worth);
		for (const arc of arcs) {
			if (arc.from !== node) continue;
			to[node] = arc.to;
			most = Math.max(most, tryAll(node + 1, worth + EACH + arc.weight));
		}
		to[node] = undefined;
		return most;
	};
	return tryAll(1, 0);
}

suite("chooseArcs", () => {
	test("one out of each node, without cycles, as many as there can be, the heaviest", () => {
		const number = integer({ min: 0, max: NODES - 1 });
		const arcs = array(record({ from: number, to: number, weight: integer({ min: 0, max: 3 }) }), { maxLength: 9 });
		check(
			property(arcs, (all) => {
				const chosen = [...chooseArcs(NODES, all)];
				assert.equal(chosen[0], -1);
				let worth = 0;
				for (const [node, index] of chosen.entries()) {
					if (index < 0) continue;
					const arc = all[index] as Arc;
					assert.equal(arc.from, node);
					worth += EACH + arc.weight;
					let at = node;
					for (let steps = 0; (chosen[at] as number) >= 0; steps++) {
						assert.ok(steps < NODES, "a cycle");
						at = all[chosen[at] as number]?.to as number;
					}
				}
				assert.equal(worth, mostWorth(all));
			}),
			{ numRuns: 2000 },
		);
	});

	test("a cycle is left where it costs least", () => {
		const arcs: readonly Arc[] = [
			{ from: 1, to: 2, weight: 9 },
			{ from: 2, to: 3, weight: 9 },
			{ from: 3, to: 1, weight: 9 },
			{ from: 2, to: 0, weight: 1 },
			{ from: 3, to: 0, weight: 2 },
		];
		assert.deepEqual([...chooseArcs(4, arcs)], [-1, 0, 1, 4]);
	});
});
