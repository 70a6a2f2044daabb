import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule, encodeModule } from "../../wasm/mod.ts";
import { meterModule } from "../metering/meter.ts";
import { surveyCode } from "../survey.ts";
import { verifyRewriting } from "./verify.ts";

const { WebAssembly } = globalThis as any;

/** Functions that leave all, some and none of what they cost to their callers; loops of both kinds; a call that nobody sees through. */
const PROGRAM = `(module (import "env" "log" (func $log (param i32))) (table funcref (elem $taken))
	(func $leaf (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
	(func $fib (param i32) (result i32)
		(if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (call $leaf (local.get 0)))
			(else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
	(func $taken (param i32) (call $log (call $leaf (local.get 0))))
	(func $turns (param i32) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
	(func (export "f") (param i32) (result i32)
		(block $b (loop $l (br_if $b (i32.eqz (local.get 0))) (call $turns (local.get 0))
			(local.set 0 (i32.sub (local.get 0) (call $leaf (i32.const 1)))) (br $l)))
		(if (local.get 0) (then (return (i32.const 1))))
		(call_indirect (param i32) (i32.const 2) (i32.const 0)) (i32.const 0)))`;

const BODIES = ["leaf", "fib", "taken", "turns", "f"];

async function meter(text: string = PROGRAM) {
	const original = await parse(text);
	const module = decodeModule(original);
	const metered = meterModule(module, surveyCode(module), "fuel", undefined, undefined);
	if (metered?.ledger === undefined) throw new Error("nothing to be metered");
	const { ledger, contracts } = metered;
	return { original, rewritten: encodeModule(metered.module), ledger, contracts };
}

/** A signed LEB128, of ten bytes where a long way is wanted, else as short as it can be. */
function encodeSigned(value: bigint, isLong: boolean): number[] {
	const bytes: number[] = [];
	for (let rest = value; ; rest >>= 7n) {
		const low = Number(rest & 0x7fn);
		const isLast = isLong ? bytes.length === 9 : rest >> 6n === 0n || rest >> 6n === -1n;
		bytes.push(isLast ? low : low | 0x80);
		if (isLast) return bytes;
	}
}

/** Together more than 53 bits. */
const PIECES: readonly bigint[] = Array<bigint>(70).fill(1n << 47n);

const refused = { code: "engine/verification" };

suite("the ledger of fuel", () => {
	test("says who is paid by callers, and is accepted", async () => {
		const { original, rewritten, ledger, contracts } = await meter();
		assert.deepEqual([...ledger.pure], [1, 0, 0, 0, 0]);
		assert.deepEqual([...ledger.threaded], [0, 1, 0, 1, 0]);
		assert.deepEqual(
			[...ledger.prepaid].map((amount) => amount > 0),
			[true, true, false, false, false],
		);
		verifyRewriting(original, rewritten, { metering: "fuel", contracts, ledger });
	});

	test("without it the code is refused", async () => {
		const { original, rewritten, contracts, ledger: full } = await meter();
		const verify = (ledger: object | undefined): void =>
			verifyRewriting(original, rewritten, { metering: "fuel", contracts, ledger: ledger as typeof full | undefined });
		const [prepaid, pure] = [new Uint32Array(), new Uint8Array()];
		assert.throws(() => verify(undefined), { message: /section 1 is not what it should be/ });
		assert.throws(() => verify({ ...full, prepaid, pure }), { message: /is not paid/ });
	});

	test("a function that ends in a tail call is not pure, though all that it calls is", async () => {
		const { original, rewritten, ledger, contracts } = await meter(
			`(module (func $leaf) (func $tail (return_call $leaf)) (func (export "f") (call $tail)))`,
		);
		assert.deepEqual([...ledger.pure], [1, 0, 0]);
		verifyRewriting(original, rewritten, { metering: "fuel", contracts, ledger });
	});

	for (const [body, name] of BODIES.entries()) {
		for (const by of [-1, 1]) {
			test(`refuses ${by} paid for ${name}`, async () => {
				const { original, rewritten, ledger, contracts } = await meter();
				const prepaid = ledger.prepaid.slice();
				prepaid[body] = (prepaid[body] ?? 0) + by;
				assert.throws(
					() => verifyRewriting(original, rewritten, { metering: "fuel", contracts, ledger: { ...ledger, prepaid } }),
					refused,
				);
			});
		}

		test(`refuses ${name} as something else than it is`, async () => {
			const { original, rewritten, ledger, contracts } = await meter();
			const pure = ledger.pure.slice();
			pure[body] = 1 - (pure[body] ?? 0);
			const verify = (): void =>
				verifyRewriting(original, rewritten, { metering: "fuel", contracts, ledger: { ...ledger, pure } });
			assert.throws(verify, { message: /callers do not know of|not where others look/ });
		});

		test(`refuses ${name} with the fuel where it is not`, async () => {
			const { original, rewritten, ledger, contracts } = await meter();
			const threaded = ledger.threaded.slice();
			threaded[body] = 1 - (threaded[body] ?? 0);
			assert.throws(
				() => verifyRewriting(original, rewritten, { metering: "fuel", contracts, ledger: { ...ledger, threaded } }),
				{ message: /section [13] |\(126\)|wants fuel/ },
			);
		});
	}

	for (const [what, text] of [
		["exported", `(module (func $g (export "g") (drop (i32.const 1))) (func (export "f") (call $g)))`],
		["in a table", `(module (table funcref (elem $g)) (func $g (drop (i32.const 1))) (func (export "f") (call $g)))`],
		["the start", `(module (start $g) (func $g (drop (i32.const 1))) (func (export "f") (call $g)))`],
	] as const) {
		test(`refuses a function that leaves all to its callers and is ${what}`, async () => {
			// As a rewriter would write it that took it for one that is called by name alone
			const closed = text.replace(/ \(export "g"\)| \(start \$g\)|\(table funcref \(elem \$g\)\) /, "");
			const { rewritten, ledger, contracts } = await meter(closed);
			assert.deepEqual([...ledger.prepaid], [1, 0]);
			const original = await parse(text);
			const honest = await meter(text);
			assert.equal(honest.ledger.prepaid[0], 0);
			const { code } = decodeModule(rewritten);
			const forged = encodeModule({ ...decodeModule(honest.rewritten), code });
			assert.throws(() => verifyRewriting(original, forged, { metering: "fuel", contracts, ledger }), refused);
		});
	}

	for (const [what, change, message] of [
		["exported", ["", '(export "g")'], /function 0 wants fuel/],
		["in a table", ["(elem $o)", "(elem $g)"], /function 0 wants fuel/],
		["in a module with tags", ["", "(tag)"], /keeps the fuel from what an exception may reach/],
	] as const) {
		test(`refuses a function that is given the fuel and is ${what}`, async () => {
			const program = (part: string): string => {
				const of = (kind: string): string => (part.startsWith(`(${kind}`) ? part : "");
				return `(module (type (func)) (type (func (param i32))) ${of("tag")} (table funcref ${of("elem") || "(elem $o)"})
					(func $g ${of("export")} (param i32) (local i64) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
					(func $o) (func (export "f") (call $g (i32.const 9))))`;
			};
			const { rewritten, ledger, contracts } = await meter(program(change[0]));
			const honest = await meter(program(change[1]));
			assert.deepEqual([ledger.threaded[0], honest.ledger.threaded[0]], [1, 0]);
			// As a rewriter would write it that took it for one that is called by name alone
			const { code, types, functions } = decodeModule(rewritten);
			const forged = encodeModule({ ...decodeModule(honest.rewritten), code, types, functions });
			assert.throws(() => verifyRewriting(honest.original, forged, { metering: "fuel", contracts, ledger }), {
				message,
			});
		});
	}

	for (const [what, paid, refunds, isLong = false] of [
		["a few", [100n], [-100n]],
		["what a number of 53 bits says otherwise", [1n << 50n], [-(1n << 50n) - 3n]],
		["a long way of writing little", [1n << 17n], [-(1n << 17n) - 90n], true],
		["very much in pieces that are exact", PIECES, [-1n, -1n, ...PIECES.map((piece) => -piece), 1n]],
	] as const) {
		const isHonest = paid[0] === 100n;
		test(`${isHonest ? "accepts" : "refuses"} ${what} that is paid and given back`, async () => {
			// A payment may stand behind each beginning and end of a block
			const blocks = paid.length + refunds.length;
			const { original, rewritten, ledger, contracts } = await meter(
				`(module (func (export "f") (local i64) ${"(block)".repeat(blocks)} (drop (i32.const 1))))`,
			);
			const module = decodeModule(rewritten);
			const { starts, ends } = module.code;
			const code = Buffer.from(module.code.bytes);
			// The first local that is added stands behind the guest's
			const local = 1;
			const amounts = [...paid, ...refunds];
			const forged = amounts.map((amount) =>
				Buffer.from([0x20, local, 0x42, ...encodeSigned(amount, isLong), 0x7d, 0x21, local]),
			);
			const first = code.indexOf(Buffer.from([0x02, 0x40, 0x0b]));
			const inserted = Buffer.concat(forged.flatMap((payment) => [Buffer.from([0x02, 0x40, 0x0b]), payment]));
			const bytes = Buffer.concat([code.subarray(0, first), inserted, code.subarray(first + 3 * blocks)]);
			const by = bytes.length - code.length;
			const moved = (position: number): number => (position > first ? position + by : position);
			const forgedModule = { ...module, code: { bytes, offset: 0, starts: starts.map(moved), ends: ends.map(moved) } };
			const changed = encodeModule(forgedModule);
			assert.ok(first > 0 && WebAssembly.validate(changed));
			const verify = (): void => verifyRewriting(original, changed, { metering: "fuel", contracts, ledger });
			if (isHonest) verify();
			else assert.throws(verify, { message: /function 0 (is not what it was|pays more than can be counted)/ });
		});
	}

	test("refuses every change of a byte in code that V8 would take", async () => {
		const { original, rewritten, ledger, contracts } = await meter();
		const { bytes } = decodeModule(rewritten).code;
		const start = Buffer.from(rewritten).indexOf(Buffer.from(bytes.buffer, bytes.byteOffset, 16));
		const accepted: number[] = [];
		for (let at = start; at < start + bytes.length; at++) {
			for (const bit of [1, 2, 8]) {
				const changed = rewritten.slice();
				changed[at] = (changed[at] ?? 0) ^ bit;
				try {
					verifyRewriting(original, changed, { metering: "fuel", contracts, ledger });
					if (WebAssembly.validate(changed)) accepted.push(at);
				} catch (error) {
					assert.equal((error as { code?: string }).code, "engine/verification", String(error));
				}
			}
		}
		assert.ok(start > 0 && bytes.length > 200);
		assert.deepEqual(
			accepted.map((at) => ({ at, bytes: Buffer.from(rewritten.subarray(at - 12, at + 6)).toString("hex") })),
			[],
		);
	});
});
