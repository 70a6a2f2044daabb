import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { describeLimit, LIMIT_NAMES, parseLimit } from "./limit-value.ts";
import { formatLimit, LIMITS, type LimitName } from "./limits.ts";

const MiB = 2 ** 20;

suite("values of limits", () => {
	const accepted: readonly [LimitName, string, number][] = [
		["memory", "64MiB", 64 * MiB],
		["memory", "64 MiB", 64 * MiB],
		["memory", "0.5KiB", 512],
		["memory", "1GiB", 1024 * MiB],
		["memory", "1MB", 1_000_000],
		["memory", "65536", 65_536],
		["memory", "none", Infinity],
		["cpu", "1ms", 1],
		["cpu", "1.5s", 1500],
		["wall", "2m", 120_000],
		["wall", "596h", 2_145_600_000],
		["tables", "20000", 20_000],
		["fuel", "5M", 5_000_000],
		["hostCalls", "2k", 2000],
	];
	for (const [name, text, value] of accepted)
		test(`${name} ${text}`, () => assert.equal(parseLimit(name, text), value));

	const refused: readonly [LimitName, string][] = [
		...["", "10", "0s", "0.4ms", "-1s", "10  s", "1d", "597h", "1e3s", "s", "5MiB"].map((t): [LimitName, string] => [
			"cpu",
			t,
		]),
		...["0", "0KiB", "-1", "64mb", "5s", "1e6", "MiB", "9999999999GiB", "Infinity"].map((t): [LimitName, string] => [
			"memory",
			t,
		]),
		...["0", "1.2", "5ms", "x"].map((t): [LimitName, string] => ["tables", t]),
	];
	for (const [name, text] of refused) {
		test(`${name} "${text}" is none`, () => assert.equal(parseLimit(name, text), undefined));
	}

	test("each default can be written as it is shown", () => {
		for (const name of LIMIT_NAMES) {
			const value = LIMITS[name].default;
			const { unit } = LIMITS[name];
			const shown = value === Infinity ? "none" : formatLimit(name, value);
			assert.equal(
				parseLimit(name, unit === "bytes" || unit === "ms" ? shown : shown.replace(/ .*/, "")),
				value,
				shown,
			);
			assert.notEqual(describeLimit(name), "");
		}
	});
});
