import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { type Code, BRANCH_HINTS, decodeModule, encodeModule, type Module } from "../../wasm/mod.ts";
import { liftModule } from "../lift/lift.ts";
import { meterModule } from "../metering/meter.ts";
import { surveyCode } from "../survey.ts";
import { type VerifyOptions, verifyRewriting } from "./verify.ts";

const PROGRAM = `(module
	(import "env" "log" (func $log (param i32)))
	(import "env" "m" (memory 1))
	(memory $own 1 4) (global $g (mut i32) (i32.const 0)) (global i32 (i32.const 3))
	(table funcref (elem $even $odd))
	(data (memory $own) (i32.const 0) "abc")
	(func $even (param i32) (result i32) (if (result i32) (local.get 0)
		(then (call $odd (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 1))))
	(func $odd (param i32) (result i32) (if (result i32) (local.get 0)
		(then (call $even (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 0))))
	(func (export "run") (param i32) (local i64)
		(loop
			(call $log (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))
			(i32.store $own (i32.const 4) (memory.size $own))
			(br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`;

/** Loops in each other, with ways out of them. */
/** One loop for each way in which a limit is found: down to zero, to a number, below a local by another, and above a number. */
const STRIPS = `(module (memory 1) (func (export "f") (param i32 i32 i32)
	(loop $l (drop (i32.load (local.get 0))) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
	(loop $l (br_if $l (i32.ne (local.tee 0 (i32.add (local.get 0) (i32.const 4))) (i32.const 1000))))
	(block $x (loop $l (br_if $x (local.get 1)) ${"(drop (i32.load (local.get 0)))".repeat(4)}
		(br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (local.get 2))) (local.get 1)))))
	(loop $l (br_if $l (i32.gt_s (local.tee 0 (i32.add (local.get 0) (i32.const -3))) (i32.const 5))))))`;

/** `(block)` */
const EMPTY = [0x02, 0x40, 0x0b];

/** The same loops with much code: with `trap` only such are run in strips. */
const withMuch = (text: string): string => text.replaceAll("(loop $l", `$& ${"(block)".repeat(171)}`);

/** One that is run in strips within another. */
const NESTED = `(module (memory 1) (func (export "f") (param i32 i32)
	(loop $o
		(block $b (br_if $b (i32.load (local.get 0)))
			(local.set 1 (i32.extend8_s (i32.const 64)))
			(loop $i (i32.store (local.get 1) (i32.const 1)) (br_if $i (local.tee 1 (i32.sub (local.get 1) (i32.const 1))))))
		(br_if $o (i32.ne (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 1000))))))`;

const LEAVES = `(module (func (export "run") (param i32 i32)
	(block $b (loop $o
		(br_if $b (local.get 1))
		(local.set 1 (i32.sub (local.get 1) (i32.const 1)))
		(if (local.get 1) (then (local.set 1 (i32.const 7)) (br $b)))
		(br_if $o (i32.eqz (local.get 1)))
		(loop $i
			(br_if $b (i32.eqz (local.get 0)))
			(local.set 0 (i32.sub (local.get 0) (i32.const 1)))
			(br $i))))))`;

/** What metering begins with, and what it makes of it. */
function meter(guest: Uint8Array, kind: Kind): Metered {
	const metering = kind === "page" ? "trap" : kind;
	const check = kind === "page" ? kind : undefined;
	const decoded = decodeModule(guest);
	const { module, host, imports } = liftModule(decoded, surveyCode(decoded), 0);
	const metered = meterModule(module, surveyCode(module), metering, host, imports, check);
	assert.ok(metered !== undefined);
	const { contracts, ledger } = metered;
	// The engine's module, from which what is lifted is imported already
	const options = { metering, check, engine: imports?.module, ledger, contracts };
	return { original: encodeModule(module), rewritten: encodeModule(metered.module), options };
}

/** A metering, `trap` by a check of either kind. */
type Kind = "trap" | "page" | "yield" | "fuel";

interface Metered {
	readonly original: Uint8Array;
	readonly rewritten: Uint8Array;
	readonly options: VerifyOptions;
}

const { WebAssembly } = globalThis as any;

const rewrite = async (kind: Kind = "trap"): Promise<Metered> => meter(await parse(PROGRAM), kind);

/** The index of the flag's memory in the check's instructions. */
const FLAG = 2;
const CHECK = [0x41, 0, 0x2d, 0x40, FLAG, 0, 0x04, 0x40, 0x41, 0, 0x41, 0x80, 2, 0x36, 0x42, FLAG, 0, 0, 0x0b];
/** Of kind `page`: `(drop (i32.load8_u $flag (i32.const 65536)))`. */
const TOUCH = [0x41, 0x80, 0x80, 0x04, 0x2d, 0x40, FLAG, 0, 0x1a];

/** Where the checks are in a binary. */
function checksIn(bytes: Uint8Array, check: readonly number[] = CHECK): number[] {
	return [...bytes.keys()].filter((at) => check.every((byte, i) => bytes[at + i] === byte));
}

/** A module in which one check, of all that it has, is this instead; its body as long as it then is. */
function withCheck(rewritten: Uint8Array, which: number, check: readonly number[]): Uint8Array {
	const module = decodeModule(rewritten);
	const { starts, ends, bytes } = module.code;
	const code = Buffer.from(bytes);
	const at = checksIn(code, TOUCH)[which] ?? assert.fail(`there is no check ${which}`);
	const by = check.length - TOUCH.length;
	const moved = (position: number): number => (position > at ? position + by : position);
	return encodeModule({
		...module,
		code: {
			bytes: Buffer.concat([code.subarray(0, at), Uint8Array.from(check), code.subarray(at + TOUCH.length)]),
			offset: 0,
			starts: starts.map(moved),
			ends: ends.map(moved),
		},
	});
}

/** What is given back in code: `local.get`, a negative `i64.const` of one byte, `i64.sub`. */
function refundsIn(bytes: Uint8Array): bigint[] {
	const refunds: bigint[] = [];
	for (const [at, byte] of bytes.entries()) {
		const number = bytes[at + 1] ?? 0;
		if (byte === 0x42 && number >= 0x40 && number < 0x80 && bytes[at + 2] === 0x7d) refunds.push(BigInt(number) - 128n);
	}
	return refunds;
}

/** What a function is said to do that lacks a check. */
const WITHOUT = /has no check|without a check|is promised/;

suite("verifyRewriting", () => {
	test("accepts what the rewriter makes", async () => {
		const { original, rewritten, options } = await rewrite();
		assert.equal(
			checksIn(rewritten).length,
			3,
			"where run is entered, where its loop comes back, and one of even and odd",
		);
		verifyRewriting(original, rewritten, options);
	});

	test("accepts the same with reads from a page, in the very same places, and neither for the other", async () => {
		const [flag, page] = await Promise.all([rewrite(), rewrite("page")]);
		verifyRewriting(page.original, page.rewritten, page.options);
		assert.equal(checksIn(page.rewritten, TOUCH).length, 3);
		assert.deepEqual(checksIn(page.rewritten), []);
		const without = (rewritten: Uint8Array, check: readonly number[]): string[] => {
			const { starts, ends, bytes } = decodeModule(rewritten).code;
			const bodies = [...starts].map((start, i) => Buffer.from(bytes.slice(start, ends[i])).toString("latin1"));
			return bodies.map((body) => body.replaceAll(Buffer.from(check).toString("latin1"), ""));
		};
		assert.deepEqual(without(page.rewritten, TOUCH), without(flag.rewritten, CHECK));
		for (const [a, b] of [
			[flag, page],
			[page, flag],
		] as const)
			assert.throws(() => verifyRewriting(a.original, a.rewritten, b.options), { code: "engine/verification" });
	});

	for (const [what, check] of [
		["reads from where V8 knows of the memory", [0x41, 0xff, 0xff, 0x03, 0x2d, 0x40, FLAG, 0, 0x1a]],
		["reads from behind the page", [0x41, 0x80, 0xa0, 0x04, 0x2d, 0x40, FLAG, 0, 0x1a]],
		["reads from the page's second byte", [0x41, 0x80, 0x80, 0x04, 0x2d, 0x40, FLAG, 1, 0x1a]],
		["reads from the guest's own memory", [0x41, 0x80, 0x80, 0x04, 0x2d, 0x40, FLAG - 1, 0, 0x1a]],
		["reads from a memory that there is not", [0x41, 0x80, 0x80, 0x04, 0x2d, 0x40, FLAG + 1, 0, 0x1a]],
		["reads more than a byte", [0x41, 0x80, 0x80, 0x04, 0x28, 0x40, FLAG, 0, 0x1a]],
		["reads in a block", [0x02, 0x40, ...TOUCH, 0x0b]],
		["writes", [0x41, 0x80, 0x80, 0x04, 0x41, 0, 0x3a, 0x40, FLAG, 0]],
		["does nothing", [0x01]],
		["looks at the flag", CHECK],
		["looks at the flag and reads if it is up", [0x41, 0, 0x2d, 0x40, FLAG, 0, 0x04, 0x40, ...TOUCH, 0x0b]],
		["is not there", []],
	] as const) {
		test(`page: refuses a check that ${what}, wherever it is`, async () => {
			const { original, rewritten, options } = await rewrite("page");
			verifyRewriting(original, withCheck(rewritten, 0, TOUCH), options);
			for (let which = 0; which < 3; which++) {
				const changed = withCheck(rewritten, which, check);
				assert.throws(() => verifyRewriting(original, changed, options), { code: "engine/verification" });
			}
		});
	}

	for (const [what, minimum, maximum] of [
		["of which V8 knows the page", 2n, 2n],
		["that has no page", 1n, 1n],
		["that is larger", 1n, 3n],
		["that may grow", 1n, undefined],
		["that need not have the flag", 0n, 2n],
	] as const) {
		for (const kind of ["trap", "page", "yield", "fuel"] as const) {
			test(`${kind}: refuses a flag's memory ${what}`, async () => {
				const { original, rewritten, options } = await rewrite(kind);
				const module = decodeModule(rewritten);
				const imports = module.imports.map((item) => {
					if (item.name !== "flag" || item.type.kind !== "memory") return item;
					const { maximum: _, ...limits } = item.type.limits;
					const changed = { ...limits, minimum, ...(maximum === undefined ? {} : { maximum }) };
					return { ...item, type: { ...item.type, limits: changed } };
				});
				const changed = encodeModule({ ...module, imports });
				assert.throws(() => verifyRewriting(original, changed, options), {
					code: "engine/verification",
					message: /import flag is not what it should be/,
				});
			});
		}
	}

	for (const metering of ["trap", "page", "yield", "fuel"] as const) {
		test(`${metering}: refuses every change of a byte but in hints`, async () => {
			const { original, rewritten, options } = await rewrite(metering);
			verifyRewriting(original, rewritten, options);
			const hints = decodeModule(rewritten).customs.find(({ name }) => name === BRANCH_HINTS)!.bytes;
			const inHints = (at: number): boolean => at >= hints.byteOffset && at < hints.byteOffset + hints.byteLength;
			const accepted: number[] = [];
			for (let at = 0; at < rewritten.length; at++) {
				const changed = rewritten.slice();
				changed[at] = (changed[at] ?? 0) ^ 0x01;
				try {
					verifyRewriting(original, changed, options);
					// What types are named by what was added is V8's to check.
					if (WebAssembly.validate(changed)) accepted.push(at);
				} catch (error) {
					assert.equal((error as { code?: string }).code, "engine/verification", `byte ${at}: ${String(error)}`);
				}
			}
			// The engine may choose other names, and export other state of the guest's: the index that follows the name.
			const text = Buffer.from(rewritten).toString("latin1");
			const names = [...text.matchAll(/memory:0|flag|skerry:host|skerry:\w+:\d../gs)].map(
				({ index, 0: name }) => [index, index + name.length] as const,
			);
			const unexpected = accepted.filter((at) => !inHints(at) && !names.some(([from, to]) => at >= from && at < to));
			assert.deepEqual(unexpected, []);
			assert.ok(names.length >= 4);
		});
	}

	/** Where one bit of a guest's rewritten code may be another, as far as the proof goes, and V8. */
	const findAccepted = async (text: string, kind: Kind): Promise<{ code: Code; accepted: number[] }> => {
		const { original, rewritten, options } = meter(await parse(text), kind);
		verifyRewriting(original, rewritten, options);
		const { code } = decodeModule(rewritten);
		const start = Buffer.from(rewritten).indexOf(code.bytes);
		const accepted = new Set<number>();
		for (let at = start; at < start + code.bytes.length; at++) {
			// Of what stands there to be much, its last is enough
			if (checksIn(rewritten.subarray(at, at + 6), [...EMPTY, ...EMPTY]).length > 0) continue;
			for (let bit = 0; bit < 8; bit++) {
				const changed = rewritten.slice();
				changed[at] = (changed[at] ?? 0) ^ (1 << bit);
				try {
					verifyRewriting(original, changed, options);
					if (WebAssembly.validate(changed)) accepted.add(at - start);
				} catch (error) {
					assert.equal((error as { code?: string }).code, "engine/verification", `byte ${at}: ${String(error)}`);
				}
			}
		}
		return { code, accepted: [...accepted] };
	};

	/** `(i32.mul step (i32.const 58))`, where a strip's turns stand once; of others there or behind it what follows from them, or they must be a multiple. */
	const TURNS = [0x41, 58, 0x6c];

	for (const kind of ["trap", "page", "yield"] as const) {
		test(`${kind}: refuses every change of a byte of loops in strips, but of how many turns they are, within the bound`, async () => {
			const { code, accepted } = await findAccepted(withMuch(STRIPS), kind);
			const [turns = -1] = checksIn(code.bytes, TURNS);
			assert.ok(turns >= 0, "it has strips");
			assert.deepEqual(accepted, [turns + 1]);
		});

		test(`${kind}: takes a strip of other turns, and refuses one that runs for longer than is stated`, async () => {
			const { original, rewritten, options } = meter(await parse(withMuch(STRIPS)), kind);
			const module = decodeModule(rewritten);
			const { starts, ends, bytes } = module.code;
			const [at = -1] = checksIn(bytes, TURNS);
			const withTurns = (turns: number): Uint8Array => {
				const code = Buffer.from(bytes);
				const number = [(turns & 0x7f) | 0x80, turns >> 7];
				const moved = (position: number): number => (position > at ? position + 1 : position);
				return encodeModule({
					...module,
					code: {
						bytes: Buffer.concat([code.subarray(0, at + 1), Uint8Array.from(number), code.subarray(at + 2)]),
						offset: 0,
						starts: starts.map(moved),
						ends: ends.map(moved),
					},
				});
			};
			for (const turns of [57, 300, 400]) verifyRewriting(original, withTurns(turns), options);
			for (const turns of [0, 520, 1024, 4000])
				assert.throws(() => verifyRewriting(original, withTurns(turns), options), { code: "engine/verification" });
		});
	}

	test("refuses every change of a byte of strips within strips", async () => {
		const { code, accepted } = await findAccepted(NESTED, "yield");
		assert.deepEqual(accepted, []);
		const limits = Buffer.from(code.bytes);
		for (const local of [2, 3]) assert.ok(limits.includes(Buffer.from([0x1b, 0x21, local])), `limit in local ${local}`);
	});

	for (const metering of ["yield", "fuel"] as const) {
		test(`${metering}: refuses every change of a byte of loops that are left`, async () => {
			const { original, rewritten, options } = meter(await parse(LEAVES), metering);
			verifyRewriting(original, rewritten, options);
			const { code } = decodeModule(rewritten);
			const start = Buffer.from(rewritten).indexOf(code.bytes);
			const accepted: number[] = [];
			for (let at = start; at < start + code.bytes.length; at++) {
				for (const bits of [0x01, 0x40]) {
					const changed = rewritten.slice();
					changed[at] = (changed[at] ?? 0) ^ bits;
					try {
						verifyRewriting(original, changed, options);
						if (WebAssembly.validate(changed)) accepted.push(at - start);
					} catch (error) {
						assert.equal((error as { code?: string }).code, "engine/verification", `byte ${at}: ${String(error)}`);
					}
				}
			}
			assert.deepEqual(accepted, []);
			if (metering === "fuel") assert.deepEqual(refundsIn(code.bytes), [-11n, -2n]);
		});

		test(`${metering}: refuses code without what was added`, async () => {
			const { original, rewritten, options } = await rewrite(metering);
			const module = decodeModule(rewritten);
			const { code } = decodeModule(original);
			const last = code.starts.length;
			const functions = module.functions.slice(0, last + 1);
			const slow = module.code.bytes.subarray(module.code.starts[last], module.code.ends[last]);
			const bytes = Buffer.concat([code.bytes, slow]);
			const starts = Uint32Array.of(...code.starts, code.bytes.length);
			const ends = Uint32Array.of(...code.ends, bytes.length);
			const changed = encodeModule({ ...module, functions, code: { bytes, offset: 0, starts, ends } });
			assert.throws(() => verifyRewriting(original, changed, options), {
				message: /without a check|has no check|is not paid/,
			});
		});
	}

	const edits: readonly (readonly [what: string, edit: (module: Module) => Partial<Module>, message: RegExp])[] = [
		[
			"exports the flag",
			({ exports }) => ({ exports: [...exports, { name: "x", kind: "memory", index: FLAG }] }),
			/does not have/,
		],
		[
			"exports a function",
			({ exports }) => ({ exports: [...exports, { name: "x", kind: "func", index: 1 }] }),
			/no state/,
		],
		[
			"exports what it imports",
			({ exports }) => ({ exports: [...exports, { name: "x", kind: "memory", index: 0 }] }),
			/not its own/,
		],
		[
			"exports a name twice",
			({ exports }) => ({ exports: [...exports, { name: "run", kind: "memory", index: 1 }] }),
			/twice/,
		],
		["lacks an export", ({ exports }) => ({ exports: exports.slice(1) }), /section 7|not begin/],
		["imports a memory more", ({ imports }) => ({ imports: [...imports, imports.at(-1)!] }), /does not import/],
		[
			"imports the flag in front",
			({ imports }) => ({ imports: [imports.at(-1)!, ...imports.slice(0, -1)] }),
			/not begin/,
		],
		[
			"imports the memories in another order",
			({ imports }) => ({ imports: [...imports.slice(0, 2), imports[3]!, imports[2]!] }),
			/not begin/,
		],
		[
			"defines a memory",
			({ memories, imports }) => ({ memories: [...memories, imports[1]!.type as Module["memories"][number]] }),
			/defines memories/,
		],
		["has another start", () => ({ start: 0 }), /other sections/],
		["has other data", () => ({ data: [{ target: null, bytes: Uint8Array.of(1) }] }), /other sections/],
		["has lost its names", () => ({ customs: [] }), /other sections/],
	];
	for (const [what, edit, message] of edits) {
		test(`refuses a module that ${what}`, async () => {
			const { original, rewritten, options } = await rewrite();
			const module = decodeModule(rewritten);
			const changed = encodeModule({ ...module, ...edit(module) });
			assert.throws(() => verifyRewriting(original, changed, options), { code: "engine/verification", message });
		});
	}

	for (const [what, text] of [
		[
			"calls that double at each level",
			`(module ${Array.from({ length: 60 }, (_, i) => `(func ${i === 59 ? "" : `(call ${i + 1}) (call ${i + 1})`})`).join(" ")})`,
		],
		["a loop", `(module (func $f (loop $l (br $l))))`],
		["recursion", `(module (func $f (call $f)))`],
		["mutual recursion", `(module (func (call 1)) (func (call 2)) (func (call 0)))`],
		["recursion through a table", `(module (table funcref (elem $f)) (func $f (call_indirect (i32.const 0))))`],
		[
			"recursion through a reference",
			`(module (type $t (func)) (func $f (call_ref $t (ref.func $f))) (elem declare func $f))`,
		],
		["a cycle through the outside", `(module (import "" "f" (func)) (func (export "g") (call 0)))`],
	] as const) {
		test(`refuses ${what} of which a check was taken out`, async () => {
			const guest = await parse(text);
			for (const kind of ["trap", "page"] as const) {
				const { original, rewritten, options } = meter(guest, kind);
				verifyRewriting(original, rewritten, options);
				const module = decodeModule(rewritten);
				// As if the rewriter had inserted nothing
				const changed = encodeModule({ ...module, code: decodeModule(original).code });
				assert.throws(() => verifyRewriting(original, changed, options), {
					code: "engine/verification",
					message: WITHOUT,
				});
			}
		});
	}

	test("refuses a guest that names the memory of the flag", async () => {
		const own = await parse(`(module (memory 1) (func (loop) (drop (i32.load (i32.const 0)))))`);
		const { original, rewritten, options } = meter(own, "trap");
		// As if the guest's instruction had named it from the start: the same change on both sides
		const plain = [0x28, 0x02, 0x00, 0x1a];
		const foreign = [0x28, 0x42, 0x01, 0x00, 0x1a];
		const change = (of: Uint8Array): Uint8Array => {
			const module = decodeModule(of);
			const body = [...module.code.bytes.subarray(module.code.starts[0], module.code.ends[0])];
			const at = body.findIndex((_, i) => plain.every((byte, j) => body[i + j] === byte));
			body.splice(at, plain.length, ...foreign);
			const code = {
				bytes: Uint8Array.from(body),
				offset: 0,
				starts: Uint32Array.of(0),
				ends: Uint32Array.of(body.length),
			};
			return encodeModule({ ...module, code });
		};
		const contracts = options.contracts && {
			...options.contracts,
			firsts: options.contracts.firsts.map((cost) => cost + 8),
		};
		const changed = (): void => verifyRewriting(change(original), change(rewritten), { ...options, contracts });
		assert.throws(changed, { message: /names memory 1/ });
	});
});
