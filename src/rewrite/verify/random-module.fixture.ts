import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import type { Dice } from "../../../test/reset/dice.ts";

/** So many that to write them counts. */
const MANY_LOCALS = `(local i32 ${"f64 ".repeat(400)})`;
const LOAD = "(drop (i32.load (local.get 0)))";
/** Much code, of which nothing runs. */
const MUCH = "(block)".repeat(200);
/** What takes long to compile, and not long to run. */
const LARGE = "(nop)".repeat(4_000);

/** Before `(if (local.get 0) …)`, and in its second arm: there are to be instructions for which there is no text. */
const TRY = "(drop (i64.const 1111))";
const CATCHES = ["(drop (i64.const 2222))", "(drop (i64.const 2222)) (br 0)", "(drop (i64.const 3333)) (nop)"];
const LEGACY: readonly (readonly [from: string, to: string])[] = [
	["42d7081a 200004", "42d7081a 010106"],
	// Rethrows what it has caught
	["05 42ae111a 0c00", "19 42ae111a 0900"],
	["05 42ae111a", "19 42ae111a"],
	["05 42851a1a 01", "0700 01010101"],
];

/** The same as a binary, with `try`, `catch`, `catch_all` and `rethrow`. */
export async function randomBinary(dice: Dice): Promise<Uint8Array> {
	let bytes = Buffer.from(await parse(randomModule(dice))).toString("latin1");
	for (const [from, to] of LEGACY)
		bytes = bytes.replaceAll(
			...([from, to].map((hex) => Buffer.from(hex.replaceAll(" ", ""), "hex").toString("latin1")) as [string, string]),
		);
	return new Uint8Array(Buffer.from(bytes, "latin1"));
}

/** Functions that call one another, and others, in every way there is, between blocks, loops, handlers and long ways. */
function randomModule(dice: Dice): string {
	const count = 1 + dice.below(7);
	const throws = dice.oneIn(3);
	/** Whether by the instructions of old: not both in one module. */
	const isLegacy = throws && dice.oneIn(3);
	const hasTables = throws && !isLegacy;
	const hasTailCalls = dice.oneIn(3);
	const [withValue, without] = ["f", "g"].map((name) => Array.from({ length: count }, (_, i) => `$${name}${i}`));
	const callees = ["$i", ...(withValue ?? [])];
	const bare = ["$j", ...(without ?? [])];
	const many = dice.pick([3, 20, 40, 300, 600]);
	/** Functions of little code in some modules: then what is counted of few of them matters. */
	const isSmall = dice.oneIn(4);
	const [value, isGiven] = ["i32 ".repeat(many), dice.oneIn(3)];
	/** Parameters of what takes many, and gives one. */
	const wide = dice.pick([1, 20, 40, 300, 1000]);
	const consts = "(i32.const 0)".repeat(many);
	const drops = "(drop)".repeat(many);
	/** Takes as many values as it leaves, and calls nothing. */
	const carried = (): string => {
		const ref = dice.pick(["(ref.null func)", "(ref.func $i)"]);
		const way = dice.pick([
			"(br 0)",
			"(br_if 0 (local.get 0)) (drop)",
			"(br_table 0 0 (local.get 0))",
			"(if (type $shift) (local.get 0) (then (drop)) (else (br 0)))",
			"(drop)",
		]);
		return dice.pick([
			`(block (type $shift) ${way}) (i32.const 0)`,
			"(loop (type $same) (br_if 0 (local.get 0)))",
			"(loop (type $same))",
			"(loop (type $same) (local.get 0) (drop) (if (type $same) (local.get 0) (then (br 1))))",
			"(if (type $same) (local.get 0) (then))",
			`(block (type $same) (br_on_null 0 ${ref}) (drop))`,
			`(block (type $found) (br_on_non_null 0 ${ref}) (ref.func $i)) (drop)`,
			`(block (type $found) (br_on_cast 0 funcref (ref func) ${ref}) (drop) (ref.func $i)) (drop)`,
			`(block (type $failed) (br_on_cast_fail 0 funcref (ref func) ${ref})) (drop)`,
			`(block (type $same) (block (type $same) (br_table ${"0 1 ".repeat(dice.pick([1, 20, 3000]))} (local.get 0))))`,
			hasTables ? "(try_table (type $same) (br_if 0 (local.get 0)))" : "(nop)",
		]);
	};
	/** The same by itself. */
	const inPlace = (): string => `${consts} ${carried().repeat(dice.pick([1, 2, 9]))} ${drops}`;
	/** Calls of many parameters, and by reference. */
	const calling = (): string => {
		const given = "(local.get 0)".repeat(wide);
		return dice.pick([
			`(drop (call $w ${given}))`,
			`(drop (call $w ${given}))`,
			`(drop (call $h ${given}))`,
			`(drop (call_indirect (type $wide) ${given} (i32.const 8)))`,
			`(drop (call_ref $wide ${given} (ref.func $w)))`,
			`(call $v ${given})`,
			hasTailCalls ? `(if (local.get 0) (then (return_call $v ${given})))` : "(nop)",
			`(call_ref $t (local.get 0) (ref.func ${dice.pick(callees)}))`,
			`(call_indirect (type $make) (i32.const 9)) (call $take)`,
			"(drop (struct.new_default $s))",
			hasTailCalls ? `(if (local.get 0) (then (return_call ${dice.pick(bare)})))` : "(nop)",
			hasTailCalls ? `(if (local.get 0) (then (return_call_ref $none (ref.func ${dice.pick(bare)}))))` : "(nop)",
			hasTailCalls ? "(if (local.get 0) (then (return_call_indirect (type $none) (local.get 0))))" : "(nop)",
			hasTables
				? "(block $c (result exnref) (try_table (catch_all_ref $c) (call $j)) (ref.null exn)) (br_if 0 (local.get 0)) (throw_ref)"
				: "(nop)",
		]);
	};
	/** Values that branches, blocks, loops, calls and exceptions take along. */
	const carrying = (): string => {
		if (dice.oneIn(3)) return `(call $make) ${carried().repeat(dice.pick([1, 5, 60]))} (call $take)`;
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
			hasTables
				? "(call $take) (block (type $make) (try_table (catch $m 0) (call $make) (throw $m)) (unreachable))"
				: "",
		]);
		return `(call $make) ${piece.repeat(dice.pick([1, 5, 120]))} (call $take)`;
	};
	const body = (labels: readonly string[]): string =>
		Array.from({ length: 1 + dice.below(isSmall ? 3 : 5) }, () => statement(labels)).join(" ");
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
		const code = dice.oneIn(3) ? inPlace() : dice.pick(["", LOAD, LOAD.repeat(9), LOAD.repeat(300), MUCH]);
		const loop = `(loop ${label} ${code} ${more} ${within} (br_if ${label} ${test}))`;
		const begin = `(local.set 0 (i32.const ${dice.pick([-20, 0, 5, 24, 500])}))`;
		return `${begin} ${dice.pick(["", "", "(nop)", "(block)"])} ${dice.oneIn(3) ? `(block ${loop})` : loop}`;
	};
	/** A loop that counts by itself, or that does not, or one in the other. */
	const counting = (label: string, depth = 0): string => {
		const loop = `${label}i${depth}`;
		const within = depth < 2 && dice.oneIn(3) ? `(if (local.get 0) (then ${counting(label, depth + 1)}))` : "";
		return `(loop ${loop} ${dice.oneIn(4) ? inPlace() : dice.pick([LOAD, LOAD + MUCH])} ${dice.oneIn(6) ? known(`${loop}k`) : ""} ${within} ${dice.oneIn(3) ? `(br_if ${dice.pick([loop, label])} (local.get 0))` : ""} ${dice.oneIn(3) ? "" : back(loop)})`;
	};
	const statement = (labels: readonly string[]): string => {
		const label = `$l${labels.length}`;
		const inner = (): string => body([...labels, label]);
		// The last is the function's own block
		const target = (): string => dice.pick([...labels, String(labels.length)]);
		switch (dice.below(labels.length > (isSmall ? 1 : 4) ? 9 : 14)) {
			case 0:
				return `(call ${dice.pick(callees)} (local.get 0))`;
			case 1:
				if (dice.oneIn(3)) return carrying();
				if (dice.oneIn(3)) return calling();
				return `(call ${dice.pick(bare)})`;
			case 2:
				if (isSmall) return dice.oneIn(8) ? LARGE : LOAD;
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
				if (dice.oneIn(8))
					return `(br_table ${`${target()} `.repeat(dice.pick([1, 1, 2000]))} ${target()} (local.get 0))`;
				return dice.oneIn(3) ? `(br ${target()})` : "(nop)";
			case 9:
			case 10:
				if (dice.oneIn(6)) return known(label);
				if (dice.oneIn(6))
					return `(loop ${label} ${dice.oneIn(2) ? known(`${label}k`) : ""} ${inPlace()} ${back(label)})`;
				if (dice.oneIn(6)) return `(loop ${label} ${calling()} ${inner()} ${back(label)})`;
				if (dice.oneIn(6))
					return `${consts} (loop ${label} (type $same) ${dice.oneIn(2) ? LOAD : carried()} ${back(label)}) ${drops}`;
				if (dice.oneIn(3))
					return `(loop ${label} ${dice.pick(["", LOAD, MUCH, LOAD.repeat(20), LOAD.repeat(100)])} ${back(label)})`;
				if (dice.oneIn(4)) return `(loop ${label} (if (local.get 0) (then ${counting(label)})) ${back(label)})`;
				return `(loop ${label} ${inner()} ${dice.oneIn(2) ? "" : `(br_if ${label} (local.get 0))`})`;
			case 11:
				return `(block ${label} ${inner()})`;
			case 12:
				return `(if ${label} (local.get 0) (then ${inner()}) ${dice.oneIn(2) ? "" : `(else ${inner()})`})`;
			default:
				if (isLegacy)
					return `${TRY} (if ${label} (local.get 0) (then ${inner()}) (else ${dice.pick(CATCHES)} ${inner()}))`;
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
	const starts = dice.oneIn(6) ? `(start ${dice.pick(without ?? [])})` : "";
	return `(module (type $t (func (param i32))) (type $none (func)) (type $s (struct ${"(field i32)".repeat(many)}))
		(type $wide (func (param ${"i32 ".repeat(wide)}) (result i32)))
		(type $found (func (param ${value}) (result ${value} (ref func))))
		(type $failed (func (param ${value}) (result ${value} funcref)))
		(type $make (func (result ${value}))) (type $take (func (param ${value})))
		(type $same (func (param ${value}) (result ${value})))
		(type $shift (func (param ${value}) (result ${"i32 ".repeat(many - 1)})))
		(import "" "i" (func $i (type $t))) (import "" "j" (func $j)) (import "" "h" (func $h (type $wide))) ${isGiven ? make : ""}
		(memory 1) (table ${exported("t")} 12 funcref) ${throws ? "(tag $e) (tag $m (type $take))" : ""} (elem (i32.const 0) func ${taken.join(" ")})
		(elem (i32.const 8) func $w $make) (elem declare func $i $w ${[...callees, ...bare].join(" ")}) ${starts}
		(func $v (param ${"i32 ".repeat(wide)}) ${dice.pick([LOAD, LOAD.repeat(485), "(call $j)", `(call ${dice.pick(bare)})`])})
		(func $w ${exported("w")} (type $wide) ${dice.pick(["", LOAD, LOAD.repeat(400), LOAD.repeat(470), LARGE, inPlace(), "(call $j)", `(call ${dice.pick(bare)})`])} (local.get 0))
		${isGiven ? "" : make} (func $take (export "take") (type $take)) ${functions.join("\n")})`;
}
