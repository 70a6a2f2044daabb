import assert from "node:assert/strict";
import { test } from "node:test";

import type { CoreFunction, CoreValue } from "../../abi/mod.ts";
import { Gate } from "./gate.ts";
import { guest, type Import } from "../guest.fixture.ts";
import { compileTrampolines } from "./trampolines.ts";

const TYPES = ["i32", "i64", "f32", "f64"] as const;
const RESULTS: Readonly<Record<string, CoreValue | undefined>> = {
	"": undefined,
	i32: -2_147_483_648,
	i64: -(2n ** 63n),
	f32: 1.5,
	f64: 5e-324,
};

/** Values of the parameter types, all different. */
function argument(type: string, i: number): CoreValue {
	return type === "i64" ? BigInt(i) - 2n ** 62n : type === "i32" ? i - 10 : i + 0.5;
}

/** A guest that exports, for each import, a function of the same type that calls it. */
function forwarder(names: readonly string[], types: readonly { params: readonly string[]; result: string }[]): string {
	const parts = names.map((name, i) => {
		const { params, result } = types[i]!;
		const type = `${params.map((p) => `(param ${p})`).join(" ")} ${result === "" ? "" : `(result ${result})`}`;
		const gets = params.map((_, at) => `(local.get ${at})`).join(" ");
		return [
			`(import "host" "${name}" (func $${name} ${type}))`,
			`(func (export "${name}") ${type} (call $${name} ${gets}))`,
		];
	});
	return `(module ${parts.map(([item]) => item).join("\n")} ${parts.map(([, item]) => item).join("\n")})`;
}

test("0 to 20 parameters of mixed types, each type of result, at once and after a wait, all from one module", async () => {
	const types = Array.from({ length: 21 }, (_, count) => count).flatMap((count) =>
		Object.keys(RESULTS).map((result) => ({
			params: Array.from({ length: count }, (_, i) => TYPES[(i * 7 + count) % 4]!),
			result,
		})),
	);
	const names = types.map(({ params, result }) => `f${params.length}${result}`);
	const seen: CoreValue[][] = [];
	let waits = false;
	const host: Record<string, Import> = {};
	for (const [i, { params, result }] of types.entries()) {
		const fn: CoreFunction = (...args) => {
			seen.push(args);
			return waits ? Promise.resolve(RESULTS[result]) : RESULTS[result];
		};
		host[names[i]!] = [`${params.join(" ")} -> ${result}`, fn];
	}
	const gate = new Gate();
	const { exports } = await guest(gate, forwarder(names, types), host);
	for (waits of [false, true]) {
		for (const [i, { params, result }] of types.entries()) {
			const args = params.map(argument);
			const returned = await gate.wrapExport(exports[names[i]!], waits)(...args);
			assert.deepEqual([seen.pop(), returned], [args, RESULTS[result]], `${names[i]} waits: ${waits}`);
		}
	}
	assert.deepEqual(seen, []);
	assert.equal(gate.quiet, true);
});

test("NaN and -0 survive a wait", async () => {
	for (const type of ["f32", "f64"]) {
		for (const value of [NaN, -0, Infinity]) {
			const gate = new Gate();
			const wat = forwarder(["f"], [{ params: [type], result: type }]);
			const { exports } = await guest(gate, wat, { f: [`${type} -> ${type}`, async (x) => x] });
			assert.equal(await gate.wrapExport(exports["f"], true)(value), value);
		}
	}
});

test("no functions at all make a module, too; a type that is none is an error of ours", () => {
	assert.ok(compileTrampolines([]));
	assert.throws(() => compileTrampolines([{ params: ["v128"], results: [] }]), /no trampoline for core type v128/);
});
