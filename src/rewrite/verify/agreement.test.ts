import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Dice } from "../../../test/reset/dice.ts";
import { decodeModule } from "../../wasm/mod.ts";
import { rewriteModule } from "../rewrite.ts";

const { WebAssembly } = globalThis as any;

const MODULES = 120;
const METERING = [
	["trap", "flag"],
	["trap", "page"],
	["yield", undefined],
	["fuel", undefined],
] as const;
/** So many that to write them counts. */
const MANY_LOCALS = `(local i32 ${"f64 ".repeat(400)})`;
const LOAD = "(drop (i32.load (local.get 0)))";
/** Much code, of which nothing runs. */
const MUCH = "(block)".repeat(200);
/** What takes long to compile, and not long to run. */
const LARGE = "(nop)".repeat(4_000);

/** Functions that call one another, and others, in every way there is, between blocks, loops, handlers and long ways. */
function randomModule(dice: Dice): string {
	const count = 1 + dice.below(7);
	const throws = dice.oneIn(3);
	const hasTailCalls = dice.oneIn(3);
	const [withValue, without] = ["f", "g"].map((name) => Array.from({ length: count }, (_, i) => `$${name}${i}`));
	const callees = ["$i", ...(withValue ?? [])];
	const bare = ["$j", ...(without ?? [])];
	const many = dice.pick([3, 40, 300]);
	const [value, isGiven] = ["i32 ".repeat(many), dice.oneIn(3)];
	/** Values that branches, blocks, loops, calls and exceptions take along. */
	const carrying = (): string => {
		const way = dice.pick([
			"(br 0)",
			"(br_if 0 (local.get 0)) (drop)",
			"(br_table 0 0 (local.get 0))",
			"(if (type $shift) (local.get 0) (then (drop)) (else (br 0)))",
			"(drop)",
		]);
		const piece = dice.pick([
			`(block (type $shift) ${way}) (i32.const 0)`,
			`(loop (type $same) (br_if 0 (local.get 0)))`,
			`(if (type $same) (local.get 0) (then))`,
			"(call $take) (call $make)",
			throws ? "(call $take) (block (type $make) (try_table (catch $m 0) (call $make) (throw $m)) (unreachable))" : "",
		]);
		return `(call $make) ${piece.repeat(dice.pick([1, 5, 120]))} (call $take)`;
	};
	const body = (labels: readonly string[]): string =>
		Array.from({ length: 1 + dice.below(5) }, () => statement(labels)).join(" ");
	/** Ways back of loops that count: some of these are run in strips. */
	const back = (label: string): string => {
		const next = `(local.tee 0 (i32.add (local.get 0) (i32.const ${dice.pick([-4, -1, 1, 3])})))`;
		return `(br_if ${label} ${dice.oneIn(2) ? next : `(i32.${dice.pick(["ne", "lt_u", "gt_s", "le_u"])} ${next} (i32.const 1000))`})`;
	};
	/** A loop from a number to a number, or nearly: of some the turns are counted. */
	const known = (label: string): string => {
		const next = `(local.tee 0 (i32.add (local.get 0) (i32.const ${dice.pick([-3, -1, 0, 1, 2, 7])})))`;
		const end = dice.pick(["", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_u"]);
		const test = end === "" ? next : `(i32.${end} ${next} (i32.const ${dice.pick([-9, 0, 20, 1000])}))`;
		const more = dice.pick([
			"",
			"",
			"(memory.fill (local.get 0) (i32.const 0) (i32.const 9))",
			"(local.set 0 (i32.const 4))",
			"(call $j)",
		]);
		const within = dice.pick(["", "", `(br_if ${label} (local.get 0))`, "(br_if 1 (local.get 0))"]);
		const loop = `(loop ${label} ${dice.pick(["", LOAD, LOAD.repeat(9), LOAD.repeat(300), MUCH])} ${more} ${within} (br_if ${label} ${test}))`;
		const begin = `(local.set 0 (i32.const ${dice.pick([-20, 0, 5, 24, 500])}))`;
		return `${begin} ${dice.pick(["", "", "(nop)", "(block)"])} ${dice.oneIn(3) ? `(block ${loop})` : loop}`;
	};
	/** A loop that counts by itself, or that does not, or one in the other. */
	const counting = (label: string, depth = 0): string => {
		const loop = `${label}i${depth}`;
		const within = depth < 2 && dice.oneIn(3) ? `(if (local.get 0) (then ${counting(label, depth + 1)}))` : "";
		return `(loop ${loop} ${dice.pick([LOAD, LOAD + MUCH])} ${within} ${dice.oneIn(3) ? `(br_if ${dice.pick([loop, label])} (local.get 0))` : ""} ${dice.oneIn(3) ? "" : back(loop)})`;
	};
	const statement = (labels: readonly string[]): string => {
		const label = `$l${labels.length}`;
		const inner = (): string => body([...labels, label]);
		// The last is the function's own block
		const target = (): string => dice.pick([...labels, String(labels.length)]);
		switch (dice.below(labels.length > 4 ? 9 : 14)) {
			case 0:
				return `(call ${dice.pick(callees)} (local.get 0))`;
			case 1:
				if (dice.oneIn(3)) return carrying();
				return `(call ${dice.pick(bare)})`;
			case 2:
				return dice.oneIn(4) ? LARGE : LOAD.repeat(dice.pick([1, 3, 100, 1000]));
			case 3:
				return `(br_if ${target()} (local.get 0))`;
			case 4:
				return "(if (local.get 0) (then (return)))";
			case 5:
				return hasTailCalls && dice.oneIn(2)
					? `(return_call ${dice.pick(bare)})`
					: "(memory.fill (local.get 0) (i32.const 0) (i32.const 9))";
			case 6:
				return `(call_indirect (type $t) (local.get 0) (i32.const ${dice.below(4)}))`;
			case 7:
				return throws && dice.oneIn(2) ? "(throw $e)" : "(local.set 0 (i32.sub (local.get 0) (i32.const 1)))";
			case 8:
				if (dice.oneIn(8)) return `(br_table ${target()} ${target()} (local.get 0))`;
				return dice.oneIn(3) ? `(br ${target()})` : "(nop)";
			case 9:
			case 10:
				if (dice.oneIn(6)) return known(label);
				if (dice.oneIn(3))
					return `(loop ${label} ${dice.pick(["", LOAD, MUCH, LOAD.repeat(20), LOAD.repeat(100)])} ${back(label)})`;
				if (dice.oneIn(4)) return `(loop ${label} (if (local.get 0) (then ${counting(label)})) ${back(label)})`;
				return `(loop ${label} ${inner()} ${dice.oneIn(2) ? "" : `(br_if ${label} (local.get 0))`})`;
			case 11:
				return `(block ${label} ${inner()})`;
			case 12:
				return `(if ${label} (local.get 0) (then ${inner()}) ${dice.oneIn(2) ? "" : `(else ${inner()})`})`;
			default:
				return throws ? `(try_table ${label} (catch_all ${target()}) ${inner()})` : `(block ${label} ${inner()})`;
		}
	};
	const exported = (name: string): string => (dice.oneIn(2) ? "" : `(export "${name}")`);
	const functions = [
		...(withValue ?? []).map(
			(name) =>
				`(func ${name} ${exported(name)} (type $t) ${dice.pick(["", "(local f32 i32)", MANY_LOCALS])} ${body([])})`,
		),
		...(without ?? []).map(
			(name) => `(func ${name} ${exported(name)} ${dice.pick(["(local i32)", MANY_LOCALS])} ${body([])})`,
		),
	];
	const taken = callees.filter(() => dice.oneIn(2));
	const make = isGiven
		? '(import "" "make" (func $make (type $make)))'
		: `(func $make (export "make") (type $make) ${"(i32.const 0)".repeat(many)})`;
	return `(module (type $t (func (param i32)))
		(type $make (func (result ${value}))) (type $take (func (param ${value})))
		(type $same (func (param ${value}) (result ${value})))
		(type $shift (func (param ${value}) (result ${"i32 ".repeat(many - 1)})))
		(import "" "i" (func $i (type $t))) (import "" "j" (func $j)) ${isGiven ? make : ""}
		(memory 1) (table ${exported("t")} 8 funcref) ${throws ? "(tag $e) (tag $m (type $take))" : ""} (elem (i32.const 0) func ${taken.join(" ")})
		${isGiven ? "" : make} (func $take (export "take") (type $take)) ${functions.join("\n")})`;
}

for (const [metering, check] of METERING) {
	test(`${metering}${check === undefined ? "" : ` (${check})`}: what the rewriter makes of any module, the proof takes`, async () => {
		let widest = 0;
		for (let seed = 1; seed <= MODULES; seed++) {
			const bytes = new Uint8Array(await parse(randomModule(new Dice(seed))));
			assert.doesNotThrow(() => {
				const { bytes: rewritten } = rewriteModule(bytes, 0, { metering, check, verify: true });
				widest = Math.max(widest, decodeModule(rewritten).types.length - decodeModule(bytes).types.length);
				assert.ok(WebAssembly.validate(rewritten));
			}, `seed ${seed}`);
		}
		// Types of what the passes add; with fuel also of functions that are given it: of two types at most here
		assert.equal(widest, { trap: 7, yield: 8, fuel: 10 }[metering]);
	});
}
