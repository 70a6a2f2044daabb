/** Random statements of random guests, as text: of functions `(i32, i32) -> i32` with locals `$acc` and `$i`. */
import type { Dice } from "./dice.ts";

export type NumberType = "i32" | "i64" | "f32" | "f64";
export type GlobalType = NumberType | "v128" | "funcref" | "externref";

export interface GlobalSpec {
	readonly name: string;
	readonly type: GlobalType;
}

export interface MemorySpec {
	readonly name: string;
	readonly address: "i32" | "i64";
	/** Those that it has from its start. */
	readonly pages: number;
}

export interface TableSpec {
	readonly name: string;
	readonly address: "i32" | "i64";
	readonly element: "funcref" | "externref";
	readonly size: number;
}

/** What a statement may name. */
export interface Scope {
	readonly dice: Dice;
	readonly memories: readonly MemorySpec[];
	readonly globals: readonly GlobalSpec[];
	/** Those that are called through; empty for what stands in them itself, so that there is no recursion. */
	readonly called: readonly TableSpec[];
	/** Those that are changed. */
	readonly changed: readonly TableSpec[];
	/** Functions `(i32, i32) -> i32` that are called by name: earlier ones only, so that every program ends. */
	readonly callees: readonly string[];
	/** Functions that may stand in tables. */
	readonly references: readonly string[];
	/** Passive segments. */
	readonly data: readonly string[];
	readonly elements: readonly { readonly name: string; readonly type: TableSpec["element"]; readonly size: number }[];
	readonly host: boolean;
	/** Of a start function: it must not trap, or there is no guest. */
	readonly safe: boolean;
}

const WIDTHS = [
	{ store: "i32.store8", type: "i32", load: "i32.load8_s" },
	{ store: "i32.store16", type: "i32", load: "i32.load16_u" },
	{ store: "i32.store", type: "i32", load: "i32.load" },
	{ store: "i64.store8", type: "i64", load: "i64.load8_u" },
	{ store: "i64.store32", type: "i64", load: "i64.load32_s" },
	{ store: "i64.store", type: "i64", load: "i64.load" },
	{ store: "f32.store", type: "f32", load: "f32.load" },
	{ store: "f64.store", type: "f64", load: "f64.load" },
] as const;

/** Of functions that may stand in tables: subtypes of one type, so that it can be told which of them stands there. */
export const FUNCTION_TYPES: string = `(rec (type $binary (sub (func (param i32 i32) (result i32))))
			${[0, 1, 2].map((i) => `(type $own${i} (sub $binary (func (param i32 i32) (result i32))))`).join(" ")})`;

export function functionText(head: string, scope: Scope): string {
	const { dice } = scope;
	const body = dice.times(1 + dice.below(8), () => statement(scope));
	return `(func ${head} (param $p0 i32) (param $p1 i32) (result i32) (local $acc i32) (local $i i32)
			(local.set $acc (i32.xor (local.get $p0) (i32.const ${dice.bits() | 0})))
			${body.join("\n\t\t\t")}
			(local.get $acc))`;
}

/** `acc` as a value of `type`, every bit of it used. */
function fromAcc(type: NumberType | "v128"): string {
	switch (type) {
		case "i32":
			return "(local.get $acc)";
		case "i64":
			return "(i64.mul (i64.extend_i32_u (local.get $acc)) (i64.const 0x100000001))";
		case "f32":
			return "(f32.reinterpret_i32 (local.get $acc))";
		case "f64":
			return "(f64.reinterpret_i64 (i64.mul (i64.extend_i32_u (local.get $acc)) (i64.const 0x100000001)))";
		case "v128":
			return "(i32x4.splat (local.get $acc))";
	}
}

/** An i32 that depends on every bit of `value`, but for the bits of a NaN, which no specification fixes, and what a reference is. */
function toI32(type: GlobalType, value: string): string {
	switch (type) {
		case "i32":
			return value;
		case "i64":
			return `(i32.wrap_i64 (i64.xor ${value} (i64.shr_u ${value} (i64.const 32))))`;
		case "f32":
			return `(i32.trunc_sat_f32_s ${value})`;
		case "f64":
			return `(i32.trunc_sat_f64_s ${value})`;
		case "v128":
			return `(i32x4.extract_lane 3 ${value})`;
		case "funcref":
			return `(i32.add (ref.test (ref $own0) ${value}) (i32.add (i32.shl (ref.test (ref $own1) ${value}) (i32.const 1)) (i32.shl (ref.test (ref $own2) ${value}) (i32.const 2))))`;
		case "externref":
			return `(i32.add (ref.test (ref $box) (any.convert_extern ${value})) (i32.shl (ref.test (ref i31) (any.convert_extern ${value})) (i32.const 1)))`;
	}
}

function mix(value: string): string {
	return `(local.set $acc (i32.add (i32.mul (local.get $acc) (i32.const 31)) ${value}))`;
}

function widened(value: string, address: "i32" | "i64"): string {
	return address === "i32" ? value : `(i64.extend_i32_u ${value})`;
}

function narrowed(value: string, address: "i32" | "i64"): string {
	return address === "i32" ? value : `(i32.wrap_i64 ${value})`;
}

const variable = (dice: Dice): string =>
	dice.pick(["(local.get $p0)", "(local.get $p1)", "(local.get $acc)", `(i32.const ${dice.bits() | 0})`]);

/** An address that is inside, or anywhere. */
function place({ dice, safe }: Scope, { pages, address }: MemorySpec): string {
	const value = variable(dice);
	const anywhere = !safe && dice.oneIn(60);
	return widened(anywhere ? value : `(i32.rem_u ${value} (i32.const ${pages * 65_536 - 64}))`, address);
}

/** An index that is inside, or a little beyond. */
function slot({ dice, safe }: Scope, { size, address }: TableSpec, room = 0): string {
	const bound = safe || !dice.oneIn(12) ? size - room : size + 6;
	return widened(`(i32.rem_u ${variable(dice)} (i32.const ${bound}))`, address);
}

/** The operand of a length. */
function count(dice: Dice, below: number, address: "i32" | "i64"): string {
	return `(${address}.const ${dice.below(below)})`;
}

function reference({ dice, references }: Scope, type: TableSpec["element"]): string {
	if (type === "funcref") {
		return references.length === 0 || dice.oneIn(4) ? "(ref.null func)" : `(ref.func ${dice.pick(references)})`;
	}
	return dice.pick([
		"(ref.null extern)",
		"(extern.convert_any (ref.i31 (local.get $acc)))",
		"(extern.convert_any (struct.new $box (local.get $acc)))",
	]);
}

function statement(scope: Scope): string {
	const { dice, changed, safe } = scope;
	if (changed.length > 0 && dice.oneIn(4)) return tableStatement(scope);
	if (dice.oneIn(5)) return segmentStatement(scope);
	if (safe || dice.oneIn(2)) return memoryStatement(scope);
	return callStatement(scope);
}

function memoryStatement(scope: Scope): string {
	const { dice, globals, memories } = scope;
	const memory = dice.pick(memories);
	const { name, address, pages } = memory;
	const at = (): string => place(scope, memory);
	switch (dice.below(9)) {
		case 0:
		case 1: {
			const { store, type } = dice.pick(WIDTHS);
			return `(${store} $${name} offset=${dice.below(16)} ${at()} ${fromAcc(type)})`;
		}
		case 2: {
			const { load, type } = dice.pick(WIDTHS);
			return mix(toI32(type, `(${load} $${name} offset=${dice.below(16)} ${at()})`));
		}
		case 3:
		case 4: {
			const global = globals.length === 0 ? undefined : dice.pick(globals);
			if (global === undefined) return mix("(i32.const 1)");
			if (dice.oneIn(2)) return mix(toI32(global.type, `(global.get $${global.name})`));
			const value =
				global.type === "funcref" || global.type === "externref" ? reference(scope, global.type) : fromAcc(global.type);
			return `(global.set $${global.name} ${value})`;
		}
		case 5:
			return `(memory.fill $${name} ${at()} (local.get $acc) ${count(dice, 64, address)})`;
		case 6: {
			// A run of stores, a page apart: dirties many pages at once.
			const where = `(i32.rem_u (i32.mul (local.get $i) (i32.const ${4096 + dice.below(9000)})) (i32.const ${pages * 65_536}))`;
			return `(local.set $i (i32.const ${1 + dice.below(20)}))
			(loop $l (i32.store8 $${name} ${widened(where, address)} (local.get $acc))
				(local.set $i (i32.sub (local.get $i) (i32.const 1))) (br_if $l (local.get $i)))`;
		}
		case 7: {
			const other = dice.pick(memories);
			const length = address === "i64" && other.address === "i64" ? "i64" : "i32";
			return `(memory.copy $${name} $${other.name} ${at()} ${place(scope, other)} ${count(dice, 64, length)})`;
		}
		default:
			return `(v128.store $${name} ${at()} ${fromAcc("v128")})`;
	}
}

/** Growth, and what becomes of segments. */
function segmentStatement(scope: Scope): string {
	const { dice, memories, data, elements, safe } = scope;
	const memory = dice.pick(memories);
	const { name, address } = memory;
	switch (dice.below(4)) {
		case 0:
			if (!dice.oneIn(safe ? 4 : 3)) return mix(narrowed(`(memory.size $${name})`, address));
			return mix(narrowed(`(memory.grow $${name} ${count(dice, 3, address)})`, address));
		case 1: {
			// A dropped segment is as an empty one: a start function could trap then.
			const segment = data.length === 0 || safe ? undefined : dice.pick(data);
			if (segment === undefined) return mix("(i32.const 3)");
			const length = dice.below(dice.oneIn(10) ? 40 : 16);
			return `(memory.init $${name} ${segment} ${place(scope, memory)} ${count(dice, 8, "i32")} (i32.const ${length}))`;
		}
		case 2:
			return data.length === 0 || !dice.oneIn(3) ? mix("(i32.const 23)") : `(data.drop ${dice.pick(data)})`;
		default:
			return elements.length === 0 || !dice.oneIn(3)
				? mix("(i32.const 29)")
				: `(elem.drop ${dice.pick(elements).name})`;
	}
}

function tableStatement(scope: Scope): string {
	const { dice, changed, elements, safe } = scope;
	const table = dice.pick(changed);
	const { name, address, element, size } = table;
	const at = (room?: number): string => slot(scope, table, room);
	switch (dice.below(9)) {
		case 0:
		case 1:
			return `(table.set $${name} ${at()} ${reference(scope, element)})`;
		case 2: {
			if (dice.oneIn(2)) return mix(toI32(element, `(table.get $${name} ${at()})`));
			// All that it had from its start.
			return `(local.set $i (i32.const ${size}))
			(loop $l (local.set $i (i32.sub (local.get $i) (i32.const 1)))
				${mix(toI32(element, `(table.get $${name} ${widened("(local.get $i)", address)})`))} (br_if $l (local.get $i)))`;
		}
		case 3:
			return mix(narrowed(`(table.size $${name})`, address));
		case 4:
			// There is no way back from growth.
			if (!dice.oneIn(safe ? 8 : 4)) return mix("(i32.const 31)");
			return mix(narrowed(`(table.grow $${name} ${reference(scope, element)} ${count(dice, 4, address)})`, address));
		case 5:
			return `(table.fill $${name} ${at(4)} ${reference(scope, element)} ${count(dice, 4, address)})`;
		case 6:
		case 7: {
			const others = changed.filter((other) => other.element === element);
			const other = dice.pick(others);
			const length = address === "i64" && other.address === "i64" ? "i64" : "i32";
			return `(table.copy $${name} $${other.name} ${at(4)} ${slot(scope, other, 4)} ${count(dice, 4, length)})`;
		}
		default: {
			const fitting = elements.filter(({ type }) => type === element);
			const segment = fitting.length === 0 || safe ? undefined : dice.pick(fitting);
			if (segment === undefined || size < 4) return mix("(i32.const 37)");
			return `(table.init $${name} ${segment.name} ${at(4)} ${count(dice, 2, "i32")} (i32.const ${dice.below(dice.oneIn(8) ? 5 : 3)}))`;
		}
	}
}

/** What calls somebody, or traps. */
function callStatement(scope: Scope): string {
	const { dice, callees, called, host } = scope;
	switch (dice.below(8)) {
		case 0:
			return callees.length === 0
				? mix("(i32.const 5)")
				: mix(`(call ${dice.pick(callees)} (local.get $acc) (local.get $p0))`);
		case 1: {
			if (called.length === 0) return mix("(i32.const 7)");
			const table = dice.pick(called);
			const index = dice.oneIn(12) ? widened("(local.get $p1)", table.address) : count(dice, table.size, table.address);
			return mix(`(call_indirect $${table.name} (type $binary) (local.get $acc) (local.get $p1) ${index})`);
		}
		case 2:
			return host ? mix(`(call $sync (local.get $acc))`) : mix("(i32.const 11)");
		case 3:
			return host ? mix(`(call $wait (local.get $acc))`) : mix("(i32.const 13)");
		case 4:
			// A handle's number goes into the result; some are used, some dropped, most are left open.
			if (!host) return mix("(i32.const 17)");
			return dice.pick([
				mix(`(call $make (local.get $acc))`),
				mix(`(call $peek (call $make (local.get $acc)))`),
				`(call $drop (call $make (local.get $acc)))`,
				dice.oneIn(4) ? `(call $drop (i32.const ${dice.below(6)}))` : mix(`(call $make (local.get $p0))`),
			]);
		case 5:
			return host && dice.oneIn(4) ? mix(`(call $boom (local.get $acc))`) : mix("(i32.const 19)");
		case 6:
			return `(if (i32.eq (i32.and (local.get $acc) (i32.const 15)) (i32.const ${dice.below(16)})) (then (unreachable)))`;
		default:
			return mix(`(i32.div_u (local.get $p0) ${dice.oneIn(4) ? "(local.get $p1)" : "(i32.const 3)"})`);
	}
}
