import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule, encodeModule, type Module } from "../../wasm/mod.ts";
import { surveyCode } from "../survey.ts";
import { verifyRewriting } from "../verify/verify.ts";
import { meterModule } from "./meter.ts";

const { WebAssembly } = globalThis as any;

/** Loops of 47 bytes and of less than 10; and no loop at all, of more than 50. */
const GROWS = `(func (loop ${"nop ".repeat(40)} (br 0)))`;
const STAYS = "(func (loop (br 0)))";
const LARGE = `(func ${"nop ".repeat(50)})`;

const sizesOf = ({ code }: Module): number[] => [...code.starts].map((start, i) => (code.ends[i] ?? 0) - start);

async function meter(fields: string, metering: "trap" | "yield" | "fuel") {
	const original = await parse(`(module ${fields})`);
	const decoded = decodeModule(original);
	const metered = meterModule(decoded, surveyCode(decoded), metering, undefined, undefined);
	assert.ok(metered !== undefined);
	return { original, decoded, ...metered };
}

suite("functions that keep the share of small ones", () => {
	for (const [name, fields, trap, yields] of [
		["where none becomes large", STAYS.repeat(4) + LARGE.repeat(4), 0, 1],
		["where some become large", GROWS.repeat(2) + STAYS.repeat(2) + LARGE.repeat(6), 4, 5],
		["where there are more than half", GROWS + STAYS.repeat(9), 0, 0],
		["where there were many", GROWS.repeat(10), 10, 11],
		["where there is but a quarter", GROWS.repeat(2) + LARGE.repeat(6), 0, 0],
	] as const) {
		for (const metering of ["trap", "yield"] as const) {
			test(`${metering}: ${name}`, async () => {
				const { original, decoded, module, contracts, ledger } = await meter(fields, metering);
				const added = module.functions.length - decoded.functions.length - (metering === "trap" ? 0 : 1);
				assert.equal(added, metering === "trap" ? trap : yields);
				const bytes = encodeModule(module);
				verifyRewriting(original, bytes, { metering, contracts, ledger });
				assert.ok(WebAssembly.validate(bytes));
				const share = (sizes: readonly number[]): number => sizes.filter((size) => size < 50).length / sizes.length;
				const before = Math.min(share(sizesOf(decoded)), 1 / 2);
				assert.ok(before <= 1 / 4 || share(sizesOf(module)) >= before);
			});
		}
	}

	test("are of any type, with fuel as well", async () => {
		const fields = `(type (struct)) (type (func (param f64) (result i32)))
			${GROWS.replace("(loop", "(type 1) (loop").replace("(br 0))", "(br 0)) unreachable").repeat(9)}`;
		const { original, module, contracts, ledger } = await meter(fields, "fuel");
		const bytes = encodeModule(module);
		assert.deepEqual(sizesOf(module).slice(10), Array<number>(10).fill(3));
		verifyRewriting(original, bytes, { metering: "fuel", contracts, ledger });
		assert.ok(WebAssembly.validate(bytes));
	});

	for (const [name, body] of [
		["does something", [0x00, 0x01, 0x0b]],
		["has locals", [0x01, 0x01, 0x7f, 0x00, 0x0b]],
		["has more", [0x00, 0x00, 0x0b, 0x0b]],
	] as const) {
		test(`the proof refuses one that ${name}`, async () => {
			const { original, module, contracts } = await meter(GROWS.repeat(4), "trap");
			const { code } = module;
			const last = code.starts.length - 1;
			const start = code.starts[last] as number;
			const bytes = Uint8Array.from([...code.bytes.subarray(0, start), ...body]);
			const forged = { ...code, bytes, ends: code.ends.with(last, bytes.length) };
			assert.throws(
				() => verifyRewriting(original, encodeModule({ ...module, code: forged }), { metering: "trap", contracts }),
				{ code: "engine/verification", message: /not the guest's/ },
			);
		});
	}

	test("the proof refuses one that code calls", async () => {
		const { original, module, contracts } = await meter(`${GROWS.repeat(4)} (func (call 0) (call 1))`, "trap");
		const filler = module.functions.length - 1;
		const call = [0x10, 1, 0x0b];
		const at = [...module.code.bytes.keys()].find((i) => call.every((byte, j) => module.code.bytes[i + j] === byte));
		assert.ok(at !== undefined);
		const bytes = module.code.bytes.slice();
		bytes[at + 1] = filler;
		const forged = encodeModule({ ...module, code: { ...module.code, bytes } });
		assert.throws(() => verifyRewriting(original, forged, { metering: "trap", contracts }), {
			code: "engine/verification",
		});
	});
});
