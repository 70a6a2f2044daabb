import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { createGlobalSetter } from "./global-setter.ts";
import { webAssembly } from "../v8/v8.ts";

type Kind = "i32" | "i64" | "f32" | "f64";
type Value = number | bigint;

const CASES: readonly { name: string; kinds: readonly Kind[]; values: readonly (readonly Value[])[] }[] = [
	{ name: "none", kinds: [], values: [[], []] },
	{ name: "a stack's pointer", kinds: ["i32"], values: [[1_048_576], [-1], [-2_147_483_648], [0]] },
	{
		name: "some",
		kinds: ["i32", "i32", "i32"],
		values: [
			[1, 2, 3],
			[-4, 2_147_483_647, 0],
		],
	},
	{
		name: "as many as one call sets",
		kinds: Array<Kind>(16).fill("i32"),
		values: [Array.from({ length: 16 }, (_, i) => i * 7)],
	},
	{ name: "more", kinds: Array<Kind>(17).fill("i32"), values: [Array.from({ length: 17 }, (_, i) => i - 9)] },
	{
		name: "64 bits",
		kinds: ["i32", "i64"],
		values: [
			[1, 2n ** 62n],
			[2, -1n],
		],
	},
	{
		name: "floats",
		kinds: ["f64", "i32", "f32"],
		values: [
			[0.1, 5, 0.5],
			[-0, -5, Infinity],
		],
	},
];

suite("setting globals", () => {
	const { Global } = webAssembly();
	for (const { name, kinds, values } of CASES) {
		test(name, () => {
			const globals = kinds.map((value) => new Global({ value, mutable: true }, value === "i64" ? 0n : 0));
			// Another instance of the same module of ours sets others.
			const others = kinds.map((value) => new Global({ value, mutable: true }, value === "i64" ? 0n : 0));
			const before = others.map(({ value }) => value);
			createGlobalSetter(others);
			const set = createGlobalSetter(globals);
			for (const expected of values) {
				set(expected);
				assert.deepEqual(
					globals.map(({ value }) => value),
					expected,
				);
			}
			assert.deepEqual(
				others.map(({ value }) => value),
				before,
			);
		});
	}
});
