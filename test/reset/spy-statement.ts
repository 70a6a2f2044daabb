/** Statements of guests that look for what others left, as text: of functions `(i32, i32) -> i32` with locals `$h`, `$i` and `$n`. */
import type { Dice } from "./dice.ts";

export const PAGE = 65_536;

/** What a global, an element of a table or of a segment can hold: first those that lead to nothing that could change. */
export const PLAIN = ["funcref", "externref"] as const;
export const STATEFUL = ["anyref", "eqref", "i31ref", "structref", "box", "row", "sig", "exnref"] as const;
export const NUMBERS = ["i32", "i64", "f32", "f64"] as const;
export type Reference = (typeof PLAIN)[number] | (typeof STATEFUL)[number];
type Kind = Reference | (typeof NUMBERS)[number] | "v128";

type Address = "i32" | "i64";

export interface Memory {
	readonly name: string;
	readonly address: Address;
	readonly pages: number;
	readonly most: number;
	readonly shared: boolean;
}

export interface Global {
	readonly name: string;
	readonly kind: Kind;
	readonly mutable: boolean;
	readonly init: string;
}

export interface Table {
	readonly name: string;
	readonly address: Address;
	readonly kind: Reference;
	readonly size: number;
	readonly most: number;
	readonly init: string;
}

export interface Segment {
	readonly name: string;
	readonly kind: Reference;
	readonly items: readonly string[];
}

/** Statements of functions `$op`. */
interface Statements {
	readonly safe: readonly string[];
	/** Those that may trap. */
	readonly risky: readonly string[];
}

export const together = (of: readonly Statements[]): Statements => ({
	safe: of.flatMap(({ safe }) => safe),
	risky: of.flatMap(({ risky }) => risky),
});

export const TYPES = `(rec (type $sig (func (result i32))))
		(rec (type $box (sub final (struct (field (mut i32)) (field (mut anyref))))))
		(rec (type $row (sub final (array (mut i32)))))
		(rec (type $bytes (sub final (array (mut i8)))))
		(rec (type $anys (sub final (array (mut anyref)))))
		(rec (type $externs (sub final (array (mut externref)))))
		(rec (type $funcs (sub final (array (mut funcref)))))
		(type $op (func (param i32 i32) (result i32)))`;

const WAT_TYPE: Readonly<Partial<Record<Kind, string>>> = {
	box: "(ref null $box)",
	row: "(ref null $row)",
	sig: "(ref null $sig)",
};
export const typeOf = (kind: Kind): string => WAT_TYPE[kind] ?? kind;

const HEAP: Readonly<Record<Reference, string>> = {
	funcref: "func",
	externref: "extern",
	anyref: "any",
	eqref: "eq",
	i31ref: "i31",
	structref: "struct",
	box: "$box",
	row: "$row",
	sig: "$sig",
	exnref: "exn",
};

export const isNumber = (kind: Kind): kind is (typeof NUMBERS)[number] => NUMBERS.includes(kind as never);

/**
 * A constant. Those of numbers differ by app, and nothing else does.
 * @param hidden whether what is the host's is a structure in truth
 */
export function constant(dice: Dice, kind: Kind, app: Dice, hidden: boolean): string {
	switch (kind) {
		case "i32":
			return `(i32.const ${app.bits() | 0})`;
		case "i64":
			return `(i64.const ${BigInt(app.bits()) << 17n})`;
		case "f32":
			return `(f32.const ${app.pick(["0", "-0", "1.5", "-inf"])})`;
		case "f64":
			return `(f64.const ${app.pick(["0", "-0", "2.25", "inf"])})`;
		case "v128":
			return `(v128.const i32x4 ${dice.bits() | 0} 2 3 ${dice.bits() | 0})`;
		case "funcref":
		case "sig":
			return dice.oneIn(3) ? `(ref.null ${HEAP[kind]})` : `(ref.func $id${dice.below(3)})`;
		case "externref":
			if (hidden) return `(extern.convert_any ${constant(dice, "box", app, hidden)})`;
			return dice.oneIn(2) ? "(ref.null extern)" : `(extern.convert_any (ref.i31 (i32.const ${dice.below(1 << 30)})))`;
		case "i31ref":
			return `(ref.i31 (i32.const ${dice.below(1 << 30)}))`;
		case "row":
			return `(array.new $row (i32.const ${dice.bits() | 0}) (i32.const 3))`;
		case "exnref":
			return "(ref.null exn)";
		default:
			return `(struct.new $box (i32.const ${dice.bits() | 0}) ${dice.oneIn(2) ? "(ref.null any)" : "(array.new_fixed $row 2 (i32.const 1) (i32.const 2))"})`;
	}
}

/** A value that has `secret`, an i32 expression, in it. */
export function hiding(dice: Dice, kind: Kind, secret: string): string {
	switch (kind) {
		case "i32":
			return secret;
		case "i64":
			return `(i64.mul (i64.extend_i32_u ${secret}) (i64.const 0x100000001))`;
		case "f32":
			return `(f32.reinterpret_i32 ${dice.oneIn(2) ? secret : `(i32.or ${secret} (i32.const 0x7f800001))`})`;
		case "f64":
			return `(f64.reinterpret_i64 (i64.or (i64.shl (i64.extend_i32_u ${secret}) (i64.const 13)) (i64.const ${dice.oneIn(2) ? "0" : "0x7ff0000000000001"})))`;
		case "v128":
			return `(i32x4.splat ${secret})`;
		case "funcref":
		case "sig":
			return dice.pick(["(ref.func $id0)", "(ref.func $id1)", "(ref.func $id2)", `(ref.null ${HEAP[kind]})`]);
		case "externref":
			return `(extern.convert_any ${hiding(dice, "anyref", secret)})`;
		case "i31ref":
			return `(ref.i31 ${secret})`;
		case "row":
			return `(array.new $row ${secret} (i32.const 5))`;
		case "exnref":
			return `(call $caught ${secret})`;
		case "anyref":
		case "eqref":
			return dice.oneIn(2) ? `(ref.i31 ${secret})` : `(struct.new $box ${secret} (ref.i31 ${secret}))`;
		default:
			return `(struct.new $box ${secret} (array.new $row ${secret} (i32.const 2)))`;
	}
}

/** An i32 by all that can be read of a value. */
export function reading(kind: Kind, value: string): string {
	switch (kind) {
		case "i32":
			return value;
		case "i64":
			return `(call $fold ${value})`;
		case "f32":
			return `(i32.reinterpret_f32 ${value})`;
		case "f64":
			return `(call $fold (i64.reinterpret_f64 ${value}))`;
		case "v128":
			return `(call $fold (i64x2.extract_lane 0 (i64x2.add ${value} (i64x2.mul ${value} (i64x2.splat (i64.const 31))))))`;
		case "funcref":
		case "sig":
			return `(call $readFunc ${value})`;
		case "externref":
			return `(call $readAny (any.convert_extern ${value}) (i32.const 3))`;
		case "exnref":
			return `(call $readExn ${value})`;
		default:
			return `(call $readAny ${value} (i32.const 3))`;
	}
}

export const HELPERS = `(tag $secret (param i32))
		(func $fold (param i64) (result i32)
			(i32.wrap_i64 (i64.xor (local.get 0) (i64.mul (i64.shr_u (local.get 0) (i64.const 32)) (i64.const 31)))))
		(func $caught (param i32) (result exnref)
			(block $out (result exnref) (try_table (catch_all_ref $out) (throw $secret (local.get 0))) (unreachable)))
		(func $readExn (param exnref) (result i32)
			(if (ref.is_null (local.get 0)) (then (return (i32.const 3))))
			(block $out (result i32) (try_table (catch $secret $out) (throw_ref (local.get 0))) (unreachable)))
		(func $readFunc (param funcref) (result i32)
			(block $sig (result (ref $sig))
				(drop (br_on_cast $sig funcref (ref $sig) (local.get 0)))
				(return (ref.is_null (local.get 0))))
			(call_ref $sig))
		(func $readRow (param (ref $row)) (result i32) (local $i i32) (local $h i32)
			(local.set $i (array.len (local.get 0)))
			(local.set $h (local.get $i))
			(loop $l (if (local.get $i) (then
				(local.set $i (i32.sub (local.get $i) (i32.const 1)))
				(local.set $h (i32.add (i32.mul (local.get $h) (i32.const 31)) (array.get $row (local.get 0) (local.get $i))))
				(br $l))))
			(local.get $h))
		(func $readAny (param anyref i32) (result i32)
			(if (i32.or (ref.is_null (local.get 0)) (i32.eqz (local.get 1))) (then (return (i32.const 5))))
			(if (ref.test (ref i31) (local.get 0))
				(then (return (i32.add (i32.const 7) (i31.get_u (ref.cast (ref i31) (local.get 0)))))))
			(if (ref.test (ref $row) (local.get 0))
				(then (return (call $readRow (ref.cast (ref $row) (local.get 0))))))
			(if (ref.test (ref $box) (local.get 0))
				(then (return (i32.add
					(i32.mul (struct.get $box 0 (ref.cast (ref $box) (local.get 0))) (i32.const 31))
					(call $readAny (struct.get $box 1 (ref.cast (ref $box) (local.get 0))) (i32.sub (local.get 1) (i32.const 1)))))))
			(i32.const 11))
		(func $plantAny (param anyref i32)
			(if (ref.test (ref $box) (local.get 0)) (then
				(struct.set $box 0 (ref.cast (ref $box) (local.get 0)) (local.get 1))
				(call $plantAny (struct.get $box 1 (ref.cast (ref $box) (local.get 0))) (local.get 1))
				(struct.set $box 1 (ref.cast (ref $box) (local.get 0)) (ref.i31 (local.get 1)))))
			(if (ref.test (ref $row) (local.get 0)) (then
				(array.fill $row (ref.cast (ref $row) (local.get 0)) (i32.const 0) (local.get 1)
					(array.len (ref.cast (ref $row) (local.get 0)))))))`;

export const HOST = ["sync", "wait", "make", "peek", "drop", "boom", "new", "rep", "lose"] as const;
export const IS_VOID: ReadonlySet<string> = new Set(["drop", "lose"]);

export const X = "(local.get $x)";
export const Y = "(local.get $y)";
export const at = (address: Address, value: string): string =>
	address === "i32" ? value : `(i64.extend_i32_u ${value})`;
export const back = (address: Address, value: string): string =>
	address === "i32" ? value : `(i32.wrap_i64 ${value})`;
export const mix = (value: string): string =>
	`(local.set $h (i32.add (i32.mul (local.get $h) (i32.const 31)) ${value}))`;

/** A function that reads everything in it. */
export function readerOf({ name, address }: Memory): string {
	const lines = [0, 16, 32, 48].map(
		(offset) =>
			`(local.set $v (i64x2.add (i64x2.mul (local.get $v) (i64x2.splat (i64.const 31))) (v128.load $${name} offset=${offset} ${at(address, "(local.get $i)")})))`,
	);
	return `(func $read-${name} (result i32) (local $i i32) (local $n i32) (local $v v128)
			(local.set $n (i32.mul ${back(address, `(memory.size $${name})`)} (i32.const ${PAGE})))
			(loop $l (if (i32.lt_u (local.get $i) (local.get $n)) (then
				${lines.join("\n\t\t\t\t")}
				(local.set $i (i32.add (local.get $i) (i32.const 64))) (br $l))))
			(i32.add (local.get $n) ${reading("v128", "(local.get $v)")}))`;
}

export const readMemory = ({ name }: Memory): string => mix(`(call $read-${name})`);

export function readTable({ name, address, kind }: Table): string {
	return `(local.set $n ${back(address, `(table.size $${name})`)}) ${mix("(local.get $n)")}
			(local.set $i (i32.const 0))
			(loop $l (if (i32.lt_u (local.get $i) (local.get $n)) (then
				${mix(reading(kind, `(table.get $${name} ${at(address, "(local.get $i)")})`))}
				(local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l))))`;
}

/** An index within `size`, an i32 expression, unless that is 0. */
const within = (size: string, place: string): string => `(i32.rem_u ${place} (i32.or ${size} (i32.eqz ${size})))`;

export function changesMemory(dice: Dice, memory: Memory): Statements {
	const { name, address, shared } = memory;
	const size = `(i32.mul ${back(address, `(memory.size $${name})`)} (i32.const ${PAGE}))`;
	const place = (of: string): string => at(address, within(size, `(i32.and ${of} (i32.const -8))`));
	const has = (statement: string): string => `(if ${size} (then ${statement}))`;
	const grow = `(memory.grow $${name} ${at(address, `(i32.and ${X} (i32.const 3))`)})`;
	const safe = [
		has(`(i64.store $${name} ${place(X)} ${hiding(dice, "i64", Y)})`),
		has(`(v128.store8_lane $${name} 3 ${place(Y)} (i32x4.splat ${X}))`),
		// A page each
		`(local.set $i (i32.and ${Y} (i32.const 31)))
			(loop $l ${has(`(i32.store $${name} ${place(`(i32.mul (i32.add (local.get $i) ${X}) (i32.const 4104))`)} ${Y})`)}
				(br_if $l (local.tee $i (i32.and (i32.sub (local.get $i) (i32.const 1)) (i32.const 31)))))`,
		// All of it
		`(memory.fill $${name} ${at(address, "(i32.const 0)")} ${Y} ${at(address, size)})`,
		has(`(memory.copy $${name} $${name} ${place(X)} ${place(Y)} ${at(address, "(i32.const 8)")})`),
		// What is new is zero, and what is written there last is the end.
		`${mix(back(address, grow))} ${readMemory(memory)}
			${has(`(i64.store $${name} ${at(address, `(i32.sub ${size} (i32.const 8))`)} ${hiding(dice, "i64", Y)})`)}`,
		has(`(drop (i32.atomic.rmw.xchg $${name} ${place(X)} ${Y}))
			(drop (i64.atomic.rmw.cmpxchg $${name} ${place(Y)} (i64.const 0) ${hiding(dice, "i64", X)}))`),
		has(mix(`(memory.atomic.notify $${name} ${place(X)} (i32.const 9))`)),
		...(shared ? [has(mix(`(memory.atomic.wait32 $${name} ${place(X)} ${Y} (i64.const 10))`))] : []),
	];
	// At the end, or beyond
	const end = `(i32.sub ${size} (i32.and ${X} (i32.const 3)))`;
	return { safe, risky: [mix(`(i32.load8_u $${name} ${at(address, end)})`)] };
}

export function changesGlobal(dice: Dice, { name, kind, mutable }: Global): Statements {
	const set = mutable ? [`(global.set $${name} ${hiding(dice, kind, X)})`] : [];
	if (isNumber(kind) || kind === "v128" || kind === "funcref" || kind === "sig" || kind === "exnref")
		return { safe: set, risky: [] };
	const value = kind === "externref" ? `(any.convert_extern (global.get $${name}))` : `(global.get $${name})`;
	return { safe: [...set, `(call $plantAny ${value} ${Y})`], risky: [] };
}

export function changesTable(
	dice: Dice,
	table: Table,
	all: readonly Table[],
	segments: readonly Segment[],
): Statements {
	const { name, address, kind } = table;
	const size = back(address, `(table.size $${name})`);
	const place = at(address, within(size, X));
	const has = (statement: string): string => `(if ${size} (then ${statement}))`;
	const value = hiding(dice, kind, Y);
	const got = `(table.get $${name} ${place})`;
	const safe = [
		has(`(table.set $${name} ${place} ${value})`),
		`(table.fill $${name} ${at(address, "(i32.const 0)")} ${value} ${at(address, size)})`,
		mix(back(address, `(table.grow $${name} ${value} ${at(address, `(i32.and ${X} (i32.const 1))`)})`)),
	];
	const risky = [mix(reading(kind, `(table.get $${name} ${at(address, `(i32.rem_u ${X} (i32.const 12))`)})`))];
	const others = all.filter((other) => other.kind === kind);
	const from = dice.pick(others);
	const length = address === "i64" && from.address === "i64" ? "i64" : "i32";
	risky.push(
		`(table.copy $${name} $${from.name} ${at(address, `(i32.and ${X} (i32.const 3))`)} ${at(from.address, `(i32.and ${Y} (i32.const 3))`)} ${at(length, "(i32.const 2)")})`,
	);
	for (const segment of segments.filter((other) => other.kind === kind)) {
		risky.push(
			`(table.init $${name} $${segment.name} ${at(address, `(i32.and ${X} (i32.const 3))`)} (i32.and ${Y} (i32.const 3)) (i32.and (i32.shr_u ${Y} (i32.const 4)) (i32.const 3)))`,
		);
	}
	if (kind === "externref") safe.push(has(`(call $plantAny (any.convert_extern ${got}) ${Y})`));
	else if (kind !== "funcref" && kind !== "sig" && kind !== "exnref") safe.push(has(`(call $plantAny ${got} ${Y})`));
	if (kind === "funcref") {
		risky.push(mix(`(call_indirect $${name} (type $sig) ${at(address, `(i32.and ${X} (i32.const 7))`)})`));
		safe.push(
			has(`(table.set $${name} ${place} (ref.func $id2)) (table.set $${name} ${at(address, "(i32.const 0)")} ${got})`),
		);
	}
	return { safe, risky };
}

export function usesSegments(
	data: readonly string[],
	segments: readonly Segment[],
	memories: readonly Memory[],
): Statements {
	const safe: string[] = [];
	const risky: string[] = [];
	const length = `(i32.and ${Y} (i32.const 15))`;
	for (const name of data) {
		safe.push(`(data.drop $${name})`);
		risky.push(
			mix(
				`(array.get_u $bytes (array.new_data $bytes $${name} (i32.const 0) (i32.add ${length} (i32.const 1))) (i32.const 0))`,
			),
		);
		const [memory] = memories;
		if (memory !== undefined)
			risky.push(
				`(memory.init $${memory.name} $${name} ${at(memory.address, `(i32.and ${X} (i32.const 0x3ff))`)} (i32.const 1) ${length})`,
			);
	}
	for (const { name } of segments) safe.push(`(elem.drop $${name})`);
	return { safe, risky };
}

/** What is in segments, which a start function or another call may have dropped. */
export function readSegment(dice: Dice, { name, kind, items }: Segment): readonly string[] {
	if (items.length === 0 || kind === "sig" || kind === "exnref") return [];
	const array = kind === "funcref" ? "$funcs" : kind === "externref" ? "$externs" : "$anys";
	const any = (value: string): string => (kind === "externref" ? `(any.convert_extern ${value})` : value);
	const place = dice.below(items.length);
	const value = `(array.get ${array} (array.new_elem ${array} $${name} (i32.const ${place}) (i32.const 1)) (i32.const 0))`;
	const read = mix(reading(kind === "funcref" ? kind : "anyref", any(value)));
	return kind === "funcref" ? [read] : [read, `(call $plantAny ${any(value)} ${Y})`];
}

/** The host's things, the guest's own, and ways to end. */
export const CALLS: Statements = {
	safe: [
		mix(`(call $sync ${X})`),
		mix(`(call $wait ${X})`),
		mix(`(call $make ${X})`),
		mix(`(call $peek (call $make ${Y}))`),
		mix(`(call $new ${X})`),
		`(call $lose (call $new ${Y}))`,
		`(call $drop (call $make ${Y}))`,
		`(block $out (try_table (catch_all $out) ${mix(`(call $wait ${X})`)} (throw $secret ${X}))) ${mix("(call $sync (i32.const 1))")}`,
	],
	risky: [
		mix(`(call $peek (i32.and ${X} (i32.const 3)))`),
		`(call $drop (i32.and ${X} (i32.const 3)))`,
		mix(`(call $rep (i32.and ${X} (i32.const 3)))`),
		`(call $lose (i32.and ${X} (i32.const 3)))`,
		// Whatever ends it, its handlers are not to go on.
		`(block $out (try_table (catch_all $out) ${mix(`(call $boom ${X})`)})) ${mix("(call $sync (i32.const 1))")}`,
		`(throw $secret ${X})`,
		"(unreachable)",
	],
};
