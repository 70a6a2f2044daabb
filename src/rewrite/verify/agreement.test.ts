import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Dice } from "../../../test/reset/dice.ts";
import { decodeModule } from "../../wasm/mod.ts";
import { rewriteModule } from "../rewrite.ts";
import { randomBinary } from "./random-module.fixture.ts";

const { WebAssembly } = globalThis as any;

const MODULES = 120;
const METERING = [
	["trap", "flag"],
	["trap", "page"],
	["yield", undefined],
	["fuel", undefined],
] as const;
/** Each is made once, for all ways of metering. */
const guests = new Map<number, Promise<Uint8Array>>();
function guestOf(seed: number): Promise<Uint8Array> {
	const guest = guests.get(seed) ?? randomBinary(new Dice(seed));
	guests.set(seed, guest);
	return guest;
}

for (const [metering, check] of METERING) {
	test(`${metering}${check === undefined ? "" : ` (${check})`}: what the rewriter makes of any module, the proof takes`, async () => {
		let widest = 0;
		for (let seed = 1; seed <= MODULES; seed++) {
			const bytes = await guestOf(seed);
			assert.doesNotThrow(() => {
				const { bytes: rewritten } = rewriteModule(bytes, 0, { metering, check, verify: true });
				widest = Math.max(widest, decodeModule(rewritten).types.length - decodeModule(bytes).types.length);
				assert.ok(WebAssembly.validate(rewritten));
			}, `seed ${seed}`);
		}
		// Types of what the passes add; with fuel also of functions that are given it: of three types at most here
		assert.equal(widest, { trap: 7, yield: 8, fuel: 11 }[metering]);
	});
}

/** Where only a handler leads that nothing is thrown to. */
const UNREACHED = "(block $h (try_table (catch_all $h) (nop)) (return))";

for (const call of [
	"(return_call $g)",
	"(return_call_indirect (type $t) (i32.const 0))",
	"(return_call_ref $t (ref.func $g))",
]) {
	test(`behind what is never caught: ${call}`, async () => {
		const bytes =
			await parse(`(module (type $t (func)) (table 1 funcref) (elem (i32.const 0) func $g) (func $g (export "g"))
			(func (export "f") (param i32) ${UNREACHED} (if (local.get 0) (then ${call})) (drop (i32.const 1))))`);
		for (const [metering, check] of METERING)
			assert.doesNotThrow(() => rewriteModule(bytes, 0, { metering, check, verify: true }), metering);
	});
}
