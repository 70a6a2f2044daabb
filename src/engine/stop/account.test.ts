import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Account, type Accounted } from "./account.ts";

const GUEST: Accounted = {
	failed: false,
	fail: () => {},
	pause: () => Promise.reject(new Error("nobody waits")),
	told: () => {},
};

/**
 * What is counted of a guest that looks at its fuel where it has used so much, and then traps before it has ever written its cell.
 * @param milliseconds what each instruction takes
 * @returns and how often it asked for more
 */
function trapAfter(checks: readonly number[], milliseconds: number): { readonly used: number; readonly asked: number } {
	const account = new Account(GUEST, { metering: "fuel" });
	account.begin();
	let asked = 0;
	for (const used of checks) {
		if (used <= account.fuelGiven) continue;
		asked++;
		account.cpu = used * milliseconds;
		assert.ok(account.refuel(account.fuelGiven - used) >= 0);
	}
	return { used: account.fuelUsed(account.fuelGiven), asked };
}

suite("fuel that is counted at a trap", () => {
	const every = (step: number, last: number): readonly number[] =>
		Array.from({ length: Math.floor(last / step) }, (_, i) => (i + 1) * step);
	for (const [what, checks, used] of [
		["nobody looked", [], 0],
		["the first check", [7, 9, 1_000], 7],
		["on a milestone, and not behind it", every(1_000, 200_000), 1_000],
		["the first check behind a milestone", every(7, 200_010), 200_004],
		["behind the second", every(7, 599_999), 400_001],
		["over several milestones at once", [10, 1_900_000, 1_999_999], 1_900_000],
		["and behind these", [10, 1_900_000, 2_000_000, 2_000_001, 2_000_002], 2_000_001],
	] as const) {
		test(what, () => {
			const found = [1e-9, 1e-6, 1e-4, 1].map((milliseconds) => trapAfter(checks, milliseconds));
			assert.deepEqual(
				found.map((one) => one.used),
				found.map(() => used),
			);
			if (checks.length > 1_000) assert.ok((found[3]?.asked ?? 0) > 10 * (found[0]?.asked ?? 0), "in other portions");
		});
	}

	test("is what the cell says where that is more", () => {
		const account = new Account(GUEST, { metering: "fuel" });
		account.begin();
		account.refuel(-10);
		assert.equal(account.fuelUsed(account.fuelGiven - 5), 10);
		assert.equal(account.fuelUsed(account.fuelGiven - 15), 15);
		account.begin();
		assert.equal(account.fuelUsed(0), 0);
	});
});
