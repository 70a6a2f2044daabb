/**
 * Random guests as text: components of two core modules with several memories, mutable globals, tables, a realloc and a
 * post-return, that call the host, keep its resources and trap at random places. The second module works on what the first
 * exports, too.
 */
import { Dice } from "./dice.ts";

export interface RandomGuest {
	readonly wat: string;
	/** Exports of type `(u32, u32) -> u32`; the guest also exports `text`: `(string) -> string`. */
	readonly functions: readonly string[];
}

/** Above the size below which images are always copied, and below it. */
const MEMORY_PAGES = [1, 3, 4];
const TABLE_SIZE = 8;

const GLOBALS = [
	{ type: "i32", values: ["0", "-1", "0x7fffffff"] },
	{ type: "i64", values: ["0", "-1", "0x7fffffffffffffff", "0xfedcba9876543210"] },
	{ type: "f32", values: ["0", "-0", "1.5", "inf"] },
	{ type: "f64", values: ["0", "-0", "1e300", "-inf"] },
] as const;
type NumberType = (typeof GLOBALS)[number]["type"];

interface GlobalSpec {
	readonly name: string;
	readonly type: NumberType;
}

interface Scope {
	readonly dice: Dice;
	readonly memories: readonly string[];
	readonly pages: ReadonlyMap<string, number>;
	readonly globals: readonly GlobalSpec[];
	readonly table: string;
	/** Functions `(i32, i32) -> i32` that are called by name: earlier ones only, so that every program ends. */
	readonly callees: readonly string[];
	readonly data: readonly string[];
	readonly host: boolean;
	/** The guest has what no reset can put back. */
	readonly irreversible: boolean;
}

const HOST = ["sync", "wait", "make", "peek", "drop", "boom"];

export function createRandomGuest(seed: number): RandomGuest {
	const dice = new Dice(seed);
	const irreversible = dice.oneIn(25);
	const hostAtStart = dice.oneIn(25);
	const first = moduleText(dice, { name: "a", irreversible, hostAtStart: false, imports: undefined });
	const second = moduleText(dice, { name: "b", irreversible: false, hostAtStart, imports: first });
	const functions = [...first.exported.map((name) => ["a", name]), ...second.exported.map((name) => ["b", name])];
	const lifts = functions.map(
		([module, name]) =>
			`(func (export "${module}-${name}") (param "x" u32) (param "y" u32) (result u32) (canon lift (core func $${module} "${name}")))`,
	);
	const wat = `(component
	(import "host" (instance $host
		(export "thing" (type $thing (sub resource)))
		(export "sync" (func (param "x" u32) (result u32)))
		(export "wait" (func (param "x" u32) (result u32)))
		(export "make" (func (param "x" u32) (result (own $thing))))
		(export "peek" (func (param "it" (borrow $thing)) (result u32)))
		(export "boom" (func (param "x" u32) (result u32)))))
	(alias export $host "thing" (type $thing))
	(core func $sync (canon lower (func $host "sync")))
	(core func $wait (canon lower (func $host "wait")))
	(core func $make (canon lower (func $host "make")))
	(core func $peek (canon lower (func $host "peek")))
	(core func $boom (canon lower (func $host "boom")))
	(core func $drop (canon resource.drop $thing))
	(core instance $low ${HOST.map((name) => `(export "${name}" (func $${name}))`).join(" ")})
	${first.text}
	${second.text}
	(core instance $a (instantiate $ma (with "host" (instance $low))))
	(core instance $b (instantiate $mb (with "host" (instance $low)) (with "a" (instance $a))))
	${lifts.join("\n\t")}
	(alias core export $b "own" (core memory $own))
	(alias core export $b "realloc" (core func $realloc))
	(alias core export $b "post" (core func $post))
	(func (export "text") (param "s" string) (result string)
		(canon lift (core func $b "text") (memory $own) (realloc $realloc) (post-return (core func $post))))
)`;
	return { wat, functions: functions.map(([module, name]) => `${module}-${name}`) };
}

interface ModuleSpec {
	readonly name: string;
	readonly irreversible: boolean;
	readonly hostAtStart: boolean;
	/** What it imports of another module, under the name of that. */
	readonly imports: ModuleText | undefined;
}

interface ModuleText {
	readonly text: string;
	readonly exported: readonly string[];
	readonly pages: ReadonlyMap<string, number>;
	readonly globals: readonly GlobalSpec[];
}

function moduleText(dice: Dice, { name, irreversible, hostAtStart, imports }: ModuleSpec): ModuleText {
	const lines: string[] = [];
	for (const item of HOST) {
		const type = item === "drop" ? "(param i32)" : "(param i32) (result i32)";
		lines.push(`(import "host" "${item}" (func $${item} ${type}))`);
	}
	const pages = new Map<string, number>();
	const globals: GlobalSpec[] = [];
	let table = `$${name}t`;
	if (imports !== undefined) {
		for (const [memory, size] of imports.pages) {
			lines.push(`(import "a" "${memory}" (memory $${memory} ${size}))`);
			pages.set(memory, size);
		}
		for (const global of imports.globals) {
			lines.push(`(import "a" "${global.name}" (global $${global.name} (mut ${global.type})))`);
			globals.push(global);
		}
		lines.push(`(import "a" "t" (table $at ${TABLE_SIZE} funcref))`);
		for (const fn of imports.exported) lines.push(`(import "a" "${fn}" (func $a${fn} (param i32 i32) (result i32)))`);
		if (dice.oneIn(2)) table = "$at";
	}
	const own: string[] = [];
	for (let i = 1 + dice.below(2); i > 0; i--) {
		const memory = `${name}m${i}`;
		const size = dice.pick(MEMORY_PAGES);
		own.push(memory);
		pages.set(memory, size);
		lines.push(`(memory $${memory} (export "${memory}") ${size} ${size + 2})`);
	}
	for (let i = dice.below(5); i > 0; i--) {
		const { type, values } = dice.pick(GLOBALS);
		const global = { name: `${name}g${i}`, type };
		globals.push(global);
		lines.push(
			`(global $${global.name} (export "${global.name}") (mut ${type}) (${type}.const ${dice.pick<string>(values)}))`,
		);
	}
	lines.push(`(global $heap (mut i32) (i32.const 1024))`);
	lines.push(`(table $${name}t (export "t") ${TABLE_SIZE} funcref)`);
	lines.push(`(type $binary (func (param i32 i32) (result i32)))`);
	lines.push(`(type $unary (func (param i32) (result i32)))`);
	for (const memory of own) {
		for (let i = dice.below(3); i > 0; i--) {
			lines.push(
				`(data (memory $${memory}) (i32.const ${dice.below(60_000)}) "${"x".repeat(1 + dice.below(40))}${name}${i}")`,
			);
		}
	}
	const data = dice.times(dice.below(2), (i) => `$d${i}`);
	for (const segment of data) lines.push(`(data ${segment} "passive data of the guest")`);

	const exported: string[] = [];
	const callees = imports === undefined ? [] : imports.exported.map((fn) => `$a${fn}`);
	const scope: Scope = {
		dice,
		memories: [...pages.keys()],
		pages,
		globals,
		table,
		callees,
		data,
		host: true,
		irreversible,
	};
	lines.push(`(func $leaf (param $p0 i32) (result i32) (i32.xor (local.get $p0) (i32.const ${dice.bits() | 0})))`);
	for (let i = 0; i < 2 + dice.below(3); i++) {
		const fn = `f${i}`;
		lines.push(functionText(`$${fn} (export "${fn}")`, scope));
		exported.push(fn);
		callees.push(`$${fn}`);
	}
	// What is called through the table calls nothing: no recursion.
	const inTable = dice.times(3, (i) => `$t${i}`);
	for (const fn of inTable) lines.push(functionText(fn, { ...scope, callees: [], table: "", host: dice.oneIn(2) }));
	lines.push(`(elem (table ${table}) (i32.const ${dice.below(3)}) func ${inTable.join(" ")} $leaf)`);
	if (dice.oneIn(2) || hostAtStart) {
		lines.push(functionText("$init", { ...scope, callees: [], table: "", host: false, data: [] }, true));
		const call = hostAtStart ? "(drop (call $sync (i32.const 1)))" : "";
		lines.push(`(func $start ${call} (drop (call $init (i32.const 4) (i32.const 9)))) (start $start)`);
	}
	if (name === "b") lines.push(textFunctions(own[0] as string, globals.at(-1)));
	return {
		text: `(core module $m${name}\n\t\t${lines.join("\n\t\t")})`,
		exported,
		pages: new Map([...pages].filter(([memory]) => own.includes(memory))),
		globals: globals.filter((global) => global.name.startsWith(name)),
	};
}

/** `text` gives back its argument, which it also writes over; `post` and `realloc` leave traces of their own. */
function textFunctions(memory: string, global: GlobalSpec | undefined): string {
	const trace = global === undefined ? "" : `(global.set $${global.name} ${constant(global.type, 77)})`;
	return `(export "own" (memory $${memory}))
		(func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
			(local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
			(global.set $heap (i32.add (local.get $at) (local.get 3)))
			(i32.store $${memory} (i32.const 512) (local.get $at))
			(local.get $at))
		(func (export "text") (param i32 i32) (result i32)
			(if (local.get 1) (then (i32.store8 $${memory} (local.get 0) (i32.const 0x41))))
			(i32.store $${memory} (i32.const 520) (local.get 0))
			(i32.store $${memory} (i32.const 524) (local.get 1))
			(i32.const 520))
		(func (export "post") (param i32)
			(i32.store $${memory} (i32.const 528) (global.get $heap)) ${trace})`;
}

function functionText(head: string, scope: Scope, safe = false): string {
	const { dice } = scope;
	const body = dice.times(1 + dice.below(8), () => statement(scope, safe));
	return `(func ${head} (param $p0 i32) (param $p1 i32) (result i32) (local $acc i32) (local $i i32)
			(local.set $acc (i32.xor (local.get $p0) (i32.const ${dice.bits() | 0})))
			${body.join("\n\t\t\t")}
			(local.get $acc))`;
}

const WIDTHS = [
	{ bytes: 1, store: "i32.store8", type: "i32", load: "i32.load8_s" },
	{ bytes: 2, store: "i32.store16", type: "i32", load: "i32.load16_u" },
	{ bytes: 4, store: "i32.store", type: "i32", load: "i32.load" },
	{ bytes: 1, store: "i64.store8", type: "i64", load: "i64.load8_u" },
	{ bytes: 4, store: "i64.store32", type: "i64", load: "i64.load32_s" },
	{ bytes: 8, store: "i64.store", type: "i64", load: "i64.load" },
	{ bytes: 4, store: "f32.store", type: "f32", load: "f32.load" },
	{ bytes: 8, store: "f64.store", type: "f64", load: "f64.load" },
] as const;

/** `acc` as a value of `type`, every bit of it used. */
function fromAcc(type: NumberType): string {
	switch (type) {
		case "i32":
			return "(local.get $acc)";
		case "i64":
			return "(i64.mul (i64.extend_i32_u (local.get $acc)) (i64.const 0x100000001))";
		case "f32":
			return "(f32.reinterpret_i32 (local.get $acc))";
		case "f64":
			return "(f64.reinterpret_i64 (i64.mul (i64.extend_i32_u (local.get $acc)) (i64.const 0x100000001)))";
	}
}

/** An i32 that depends on every bit of `value`, but for the bits of a NaN, which no specification fixes. */
function toI32(type: NumberType, value: string): string {
	switch (type) {
		case "i32":
			return value;
		case "i64":
			return `(i32.wrap_i64 (i64.xor ${value} (i64.shr_u ${value} (i64.const 32))))`;
		case "f32":
			return `(i32.trunc_sat_f32_s ${value})`;
		case "f64":
			return `(i32.trunc_sat_f64_s ${value})`;
	}
}

function constant(type: NumberType, value: number): string {
	return `(${type}.const ${value})`;
}

function mix(value: string): string {
	return `(local.set $acc (i32.add (i32.mul (local.get $acc) (i32.const 31)) ${value}))`;
}

/** An address that is inside, or anywhere. */
function place({ dice, pages }: Scope, memory: string, safe: boolean): string {
	const value = dice.pick(["(local.get $p0)", "(local.get $p1)", "(local.get $acc)", `(i32.const ${dice.bits() | 0})`]);
	if (!safe && dice.oneIn(60)) return value;
	const size = (pages.get(memory) ?? 1) * 65_536;
	return `(i32.rem_u ${value} (i32.const ${size - 64}))`;
}

function statement(scope: Scope, safe: boolean): string {
	const { dice, memories, globals, callees, table, data, host, irreversible } = scope;
	const memory = dice.pick(memories);
	const at = (): string => place(scope, memory, safe);
	const choice = dice.below(safe ? 8 : 20);
	switch (choice) {
		case 0:
		case 1:
		case 2: {
			const { store, type } = dice.pick(WIDTHS);
			return `(${store} $${memory} offset=${dice.below(16)} ${at()} ${fromAcc(type)})`;
		}
		case 3: {
			const { load, type } = dice.pick(WIDTHS);
			return mix(toI32(type, `(${load} $${memory} offset=${dice.below(16)} ${at()})`));
		}
		case 4:
		case 5: {
			const global = globals.length === 0 ? undefined : dice.pick(globals);
			if (global === undefined) return mix("(i32.const 1)");
			if (dice.oneIn(2)) return mix(toI32(global.type, `(global.get $${global.name})`));
			return `(global.set $${global.name} ${fromAcc(global.type)})`;
		}
		case 6:
			return `(memory.fill $${memory} ${at()} (local.get $acc) (i32.const ${dice.below(64)}))`;
		case 7:
			// A run of stores, a page apart: dirties many pages at once.
			return `(local.set $i (i32.const ${1 + dice.below(20)}))
			(loop $l (i32.store8 $${memory} (i32.rem_u (i32.mul (local.get $i) (i32.const ${4096 + dice.below(9000)})) (i32.const ${(scope.pages.get(memory) ?? 1) * 65_536})) (local.get $acc))
				(local.set $i (i32.sub (local.get $i) (i32.const 1))) (br_if $l (local.get $i)))`;
		case 8: {
			const other = dice.pick(memories);
			return `(memory.copy $${memory} $${other} ${at()} ${place(scope, other, safe)} (i32.const ${dice.below(64)}))`;
		}
		case 9: {
			const segment = data.length === 0 ? undefined : dice.pick(data);
			if (segment === undefined) return mix("(i32.const 3)");
			return `(memory.init $${memory} ${segment} ${at()} (i32.const ${dice.below(8)}) (i32.const ${dice.below(dice.oneIn(10) ? 40 : 16)}))`;
		}
		case 10:
			return callees.length === 0
				? mix("(i32.const 5)")
				: mix(`(call ${dice.pick(callees)} (local.get $acc) (local.get $p0))`);
		case 11: {
			if (table === "") return mix("(i32.const 7)");
			const index = dice.oneIn(6) ? "(local.get $p1)" : `(i32.const ${dice.below(TABLE_SIZE)})`;
			return mix(`(call_indirect ${table} (type $binary) (local.get $acc) (local.get $p1) ${index})`);
		}
		case 12:
			return host ? mix(`(call $sync (local.get $acc))`) : mix("(i32.const 11)");
		case 13:
			return host ? mix(`(call $wait (local.get $acc))`) : mix("(i32.const 13)");
		case 14:
			// A handle's number goes into the result; some are used, some dropped, most are left open.
			if (!host) return mix("(i32.const 17)");
			return dice.pick([
				mix(`(call $make (local.get $acc))`),
				mix(`(call $peek (call $make (local.get $acc)))`),
				`(call $drop (call $make (local.get $acc)))`,
				dice.oneIn(4) ? `(call $drop (i32.const ${dice.below(6)}))` : mix(`(call $make (local.get $p0))`),
			]);
		case 15:
			return host && dice.oneIn(4) ? mix(`(call $boom (local.get $acc))`) : mix("(i32.const 19)");
		case 16:
			return `(if (i32.eq (i32.and (local.get $acc) (i32.const 15)) (i32.const ${dice.below(16)})) (then (unreachable)))`;
		case 17:
			return mix(`(i32.div_u (local.get $p0) ${dice.oneIn(4) ? "(local.get $p1)" : "(i32.const 3)"})`);
		case 18:
			if (irreversible && table !== "")
				return `(table.set ${table} (i32.const ${dice.below(TABLE_SIZE)}) (ref.null func))`;
			return dice.oneIn(6)
				? mix(`(memory.grow $${memory} (i32.const ${dice.below(2)}))`)
				: mix(`(memory.size $${memory})`);
		default:
			return `(v128.store $${memory} ${at()} (i32x4.splat (local.get $acc)))`;
	}
}
