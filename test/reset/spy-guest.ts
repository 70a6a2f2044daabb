/**
 * Random guests that look for what others left: of all that a core module can keep something in (memories of both kinds, globals and tables
 * of every type, structures and arrays that these lead to, segments, handles) some, functions that write to each, and functions that come
 * to a number by all that can be read of it.
 */
import { Dice } from "./dice.ts";
import type { RandomGuest } from "./random-guest.ts";

const PAGE = 65_536;

/** What a global, an element of a table or of a segment can hold. Those from `anyref` on cannot be put back. */
const PLAIN = ["funcref", "externref"] as const;
const STATEFUL = ["anyref", "eqref", "i31ref", "structref", "box", "row", "sig", "exnref"] as const;
const NUMBERS = ["i32", "i64", "f32", "f64"] as const;
type Reference = (typeof PLAIN)[number] | (typeof STATEFUL)[number];
type Kind = Reference | (typeof NUMBERS)[number] | "v128";

type Address = "i32" | "i64";

interface Memory {
	readonly name: string;
	readonly address: Address;
	readonly pages: number;
	readonly most: number;
	readonly shared: boolean;
}

interface Global {
	readonly name: string;
	readonly kind: Kind;
	readonly mutable: boolean;
	readonly init: string;
}

interface Table {
	readonly name: string;
	readonly address: Address;
	readonly kind: Reference;
	readonly size: number;
	readonly most: number;
	readonly init: string;
}

interface Segment {
	readonly name: string;
	readonly kind: Reference;
	readonly items: readonly string[];
}

/** What a module has, of its own and of another. */
interface Things {
	readonly memories: readonly Memory[];
	readonly globals: readonly Global[];
	readonly tables: readonly Table[];
}

/** Statements of functions `$op`. */
interface Statements {
	readonly safe: readonly string[];
	/** Those that may trap. */
	readonly risky: readonly string[];
}

const together = (of: readonly Statements[]): Statements => ({
	safe: of.flatMap(({ safe }) => safe),
	risky: of.flatMap(({ risky }) => risky),
});

interface SpyModule extends Things {
	readonly text: string;
	readonly functions: readonly string[];
}

const TYPES = `(rec (type $sig (func (result i32))))
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
const typeOf = (kind: Kind): string => WAT_TYPE[kind] ?? kind;

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

const isNumber = (kind: Kind): kind is (typeof NUMBERS)[number] => NUMBERS.includes(kind as never);

/**
 * A constant. Those of numbers differ by app, and nothing else does.
 * @param hidden whether what is the host's is a structure in truth
 */
function constant(dice: Dice, kind: Kind, app: Dice, hidden: boolean): string {
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
function hiding(dice: Dice, kind: Kind, secret: string): string {
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
function reading(kind: Kind, value: string): string {
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

const HELPERS = `(tag $secret (param i32))
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

const HOST = ["sync", "wait", "make", "peek", "drop", "boom", "new", "rep", "lose"] as const;
const IS_VOID: ReadonlySet<string> = new Set(["drop", "lose"]);

const X = "(local.get $x)";
const Y = "(local.get $y)";
const at = (address: Address, value: string): string => (address === "i32" ? value : `(i64.extend_i32_u ${value})`);
const back = (address: Address, value: string): string => (address === "i32" ? value : `(i32.wrap_i64 ${value})`);
const mix = (value: string): string => `(local.set $h (i32.add (i32.mul (local.get $h) (i32.const 31)) ${value}))`;

/** A function that reads everything in it. */
function readerOf({ name, address }: Memory): string {
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

const readMemory = ({ name }: Memory): string => mix(`(call $read-${name})`);

function readTable({ name, address, kind }: Table): string {
	return `(local.set $n ${back(address, `(table.size $${name})`)}) ${mix("(local.get $n)")}
			(local.set $i (i32.const 0))
			(loop $l (if (i32.lt_u (local.get $i) (local.get $n)) (then
				${mix(reading(kind, `(table.get $${name} ${at(address, "(local.get $i)")})`))}
				(local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l))))`;
}

/** An index within `size`, an i32 expression, unless that is 0. */
const within = (size: string, place: string): string => `(i32.rem_u ${place} (i32.or ${size} (i32.eqz ${size})))`;

function changesMemory(dice: Dice, memory: Memory): Statements {
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

function changesGlobal(dice: Dice, { name, kind, mutable }: Global): Statements {
	const set = mutable ? [`(global.set $${name} ${hiding(dice, kind, X)})`] : [];
	if (isNumber(kind) || kind === "v128" || kind === "funcref" || kind === "sig" || kind === "exnref")
		return { safe: set, risky: [] };
	const value = kind === "externref" ? `(any.convert_extern (global.get $${name}))` : `(global.get $${name})`;
	return { safe: [...set, `(call $plantAny ${value} ${Y})`], risky: [] };
}

function changesTable(dice: Dice, table: Table, all: readonly Table[], segments: readonly Segment[]): Statements {
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

function usesSegments(data: readonly string[], segments: readonly Segment[], memories: readonly Memory[]): Statements {
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
function readSegment(dice: Dice, { name, kind, items }: Segment): readonly string[] {
	if (items.length === 0 || kind === "sig" || kind === "exnref") return [];
	const array = kind === "funcref" ? "$funcs" : kind === "externref" ? "$externs" : "$anys";
	const any = (value: string): string => (kind === "externref" ? `(any.convert_extern ${value})` : value);
	const place = dice.below(items.length);
	const value = `(array.get ${array} (array.new_elem ${array} $${name} (i32.const ${place}) (i32.const 1)) (i32.const 0))`;
	const read = mix(reading(kind === "funcref" ? kind : "anyref", any(value)));
	return kind === "funcref" ? [read] : [read, `(call $plantAny ${any(value)} ${Y})`];
}

/** The host's things, the guest's own, and ways to end. */
const CALLS: Statements = {
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

/** One place or all: one of them hides another. */
const STATEFUL_PLACES = ["mutable", "immutable", "tables", "segments", "hidden", "shared", "all"] as const;
type Stateful = (typeof STATEFUL_PLACES)[number] | "none";

interface ModuleOptions {
	readonly name: string;
	readonly imports: SpyModule | undefined;
	/** In what it may have what no reset can put back. */
	readonly stateful: Stateful;
	/** What differs by app. */
	readonly app: Dice;
}

function createSpyModule(dice: Dice, { name, imports, stateful, app }: ModuleOptions): SpyModule {
	const has = (place: Stateful): boolean => stateful === place || stateful === "all";
	const kindsOf = (place: Stateful): readonly Reference[] =>
		has(place) && !dice.oneIn(3) ? STATEFUL : stateful === "hidden" ? ["externref"] : PLAIN;
	const hidden = has("hidden");
	const memories = dice.times(dice.below(3), (i): Memory => {
		const pages = dice.pick([0, 1, 1, 2, 3]);
		const shared = has("shared") && dice.oneIn(3);
		return { name: `${name}m${i}`, address: dice.oneIn(3) ? "i64" : "i32", pages, most: pages + dice.below(5), shared };
	});
	const globals = dice.times(dice.below(6), (i): Global => {
		const mutable = dice.oneIn(2);
		const kinds = kindsOf(mutable ? "mutable" : "immutable");
		const kind =
			mutable && !has("mutable")
				? dice.pick(NUMBERS)
				: dice.oneIn(2)
					? dice.pick(kinds)
					: dice.pick([...NUMBERS, "v128"] as const);
		// Immutable numbers belong to the code.
		return { name: `${name}g${i}`, kind, mutable, init: constant(dice, kind, mutable ? app : dice, hidden) };
	});
	const tables = dice.times(dice.below(4), (i): Table => {
		const kind = dice.pick(kindsOf("tables"));
		const size = dice.pick([0, 3, 7]);
		const init = dice.oneIn(2) ? "" : constant(dice, kind, dice, hidden);
		return {
			name: `${name}t${i}`,
			address: dice.oneIn(4) ? "i64" : "i32",
			kind,
			size,
			most: size + dice.below(6),
			init,
		};
	});
	const segments = dice.times(dice.below(4), (i): Segment => {
		const kind = dice.oneIn(3) ? "funcref" : dice.pick(kindsOf("segments"));
		return { name: `${name}e${i}`, kind, items: dice.times(dice.below(4), () => constant(dice, kind, dice, hidden)) };
	});
	const data = dice.times(dice.below(3), (i) => `${name}d${i}`);
	const all: Things = {
		memories: [...(imports?.memories ?? []), ...memories],
		globals: [...(imports?.globals ?? []), ...globals],
		tables: [...(imports?.tables ?? []), ...tables],
	};

	const lines = [TYPES];
	for (const item of HOST) {
		const type = IS_VOID.has(item) ? "(param i32)" : "(param i32) (result i32)";
		lines.push(`(import "host" "${item}" (func $${item} ${type}))`);
	}
	if (imports !== undefined) lines.push(...importLines(imports));
	for (const memory of memories) lines.push(`(memory $${memory.name} (export "${memory.name}") ${memoryType(memory)})`);
	for (const global of globals)
		lines.push(`(global $${global.name} (export "${global.name}") ${globalType(global)} ${global.init})`);
	for (const table of tables)
		lines.push(`(table $${table.name} (export "${table.name}") ${tableType(table)} ${table.init})`);
	for (const memory of memories.filter(({ pages }) => pages > 0)) {
		for (let i = dice.below(4); i > 0; i--)
			lines.push(
				`(data (memory $${memory.name}) (${memory.address}.const ${app.below(memory.pages * PAGE - 16)}) "of app ${app.below(9)}")`,
			);
	}
	for (const segment of data) lines.push(`(data $${segment} "what a segment holds")`);
	const targets = new Set<string>();
	for (const { name: segment, kind, items } of segments) {
		const target = dice.oneIn(3)
			? all.tables.find((table) => table.kind === kind && table.size > items.length)
			: undefined;
		if (target !== undefined) targets.add(segment);
		const where = target === undefined ? "" : `(table $${target.name}) (${target.address}.const ${dice.below(2)})`;
		lines.push(`(elem $${segment} ${where} ${typeOf(kind)} ${items.map((item) => `(item ${item})`).join(" ")})`);
	}
	lines.push(`(elem declare func $id0 $id1 $id2)`, HELPERS, ...all.memories.map(readerOf));
	for (let i = 0; i < 3; i++) {
		// Which instance it is of shows in what it reads.
		const own = globals.find(({ kind }) => kind === "i32");
		const reads = own === undefined ? "(i32.const 0)" : `(global.get $${own.name})`;
		lines.push(`(func $id${i} (type $sig) (i32.add (i32.const ${1000 * (i + 1) + name.charCodeAt(0)}) ${reads}))`);
	}

	// Of most tables nothing is changed, of others all.
	const changed = all.tables.filter(() => dice.oneIn(2));
	const changes = together([
		...all.memories.map((memory) => changesMemory(dice, memory)),
		...all.globals.map((global) => changesGlobal(dice, global)),
		...changed.map((table) => changesTable(dice, table, changed, segments)),
		usesSegments(data, segments, all.memories),
	]);
	const { safe, risky } = changes;
	const pickFrom = (statements: readonly string[], calls: readonly string[]): string =>
		statements.length === 0 || dice.oneIn(4) ? dice.pick(calls) : dice.pick(statements);
	const functions: string[] = [];
	const locals = "(local $h i32) (local $i i32) (local $n i32)";
	const define = (fn: string, statements: readonly string[]): void => {
		functions.push(fn);
		lines.push(
			`(func $${fn} (export "${fn}") (type $op) (param $x i32) (param $y i32) (result i32) ${locals}\n\t\t\t${statements.join("\n\t\t\t")}\n\t\t\t(local.get $h))`,
		);
	};
	const look = [
		...all.memories.map(readMemory),
		...all.globals.map(({ name: global, kind }) => mix(reading(kind, `(global.get $${global})`))),
		...all.tables.map(readTable),
	];
	define("look", look);
	for (let i = 0; i < 6; i++) {
		const statements = dice.times(1 + dice.below(4), () => pickFrom(safe, CALLS.safe));
		if (i >= 4) statements.push(pickFrom(risky, CALLS.risky));
		define(`do${i}`, statements);
	}
	if (safe.length > 0) define("all", safe);
	const passive = segments.flatMap((segment) => (targets.has(segment.name) ? [] : readSegment(dice, segment)));
	if (passive.length > 0) define("segments", passive);
	define("looks", [mix(`(call $do0 ${X} ${Y})`), mix(`(call $look ${X} ${Y})`)]);
	define("spin", [
		`(loop $again (block $out (try_table (catch_all $out) ${all.memories.map(({ name: memory, address }) => `(if ${back(address, `(memory.size $${memory})`)} (then (i32.store $${memory} ${at(address, `(i32.and (local.get $n) (i32.const 0xfffc))`)} ${X})))`).join(" ")}))
				(local.set $n (i32.add (local.get $n) (i32.const 4100))) (br $again))`,
	]);
	functions.splice(functions.indexOf("spin"), 1);
	if (dice.oneIn(6)) lines.push("(func $start (drop (call $look (i32.const 1) (i32.const 2)))) (start $start)");
	else if (dice.oneIn(5)) {
		const numbers = globals.filter(({ kind, mutable }) => mutable && isNumber(kind) && !kind.startsWith("f"));
		const sets = numbers.map(
			(global) => `(global.set $${global.name} ${hiding(dice, global.kind, `(i32.const ${dice.bits() | 0})`)})`,
		);
		const grown = memories.map((memory) => `(drop (memory.grow $${memory.name} (${memory.address}.const 1)))`);
		const set = changed
			.filter(({ kind, size }) => kind === "funcref" && size > 0)
			.map((table) => `(table.set $${table.name} (${table.address}.const 0) (ref.func $id1))`);
		const drops = [...data.map((segment) => `(data.drop $${segment})`)];
		lines.push(
			`(func $start ${[...sets, ...grown, ...set, ...drops].filter(() => dice.oneIn(2)).join(" ")}) (start $start)`,
		);
	}
	return { text: `(core module $m${name}\n\t\t${lines.join("\n\t\t")})`, functions, memories, globals, tables };
}

const memoryType = ({ address, pages, most, shared }: Memory): string =>
	`${address} ${pages} ${most}${shared ? " shared" : ""}`;
const globalType = ({ kind, mutable }: Global): string => (mutable ? `(mut ${typeOf(kind)})` : typeOf(kind));
const tableType = ({ address, kind, size, most }: Table): string => `${address} ${size} ${most} ${typeOf(kind)}`;

function importLines({ memories, globals, tables, functions }: SpyModule): string[] {
	return [
		...memories.map((memory) => `(import "a" "${memory.name}" (memory $${memory.name} ${memoryType(memory)}))`),
		...globals.map((global) => `(import "a" "${global.name}" (global $${global.name} ${globalType(global)}))`),
		...tables.map((table) => `(import "a" "${table.name}" (table $${table.name} ${tableType(table)}))`),
		...functions.map((fn) => `(import "a" "${fn}" (func $a-${fn} (type $op)))`),
	];
}

export interface SpyGuest extends RandomGuest {
	/** A function that does not end. */
	readonly endless: string;
}

/** @param variant of the same seed differ in their initial state only */
export function createSpyGuest(seed: number, variant: number = 0): SpyGuest {
	const dice = new Dice(seed);
	const app = new Dice(seed ^ Math.imul(variant + 1, 0x9e37_79b1));
	const stateful = dice.oneIn(3) ? dice.pick(STATEFUL_PLACES) : "none";
	const first = createSpyModule(dice, { name: "a", imports: undefined, stateful, app });
	const second = createSpyModule(dice, { name: "b", imports: first, stateful, app });
	const functions = [...first.functions.map((fn) => `a-${fn}`), ...second.functions.map((fn) => `b-${fn}`)];
	const lift = (name: string): string => {
		const [module = "", fn = ""] = name.split("-");
		return `(func (export "${name}") (param "x" u32) (param "y" u32) (result u32) (canon lift (core func $${module} "${fn}")))`;
	};
	const wat = `(component
	(import "host" (instance $host
		(export "thing" (type $thing (sub resource)))
		(export "sync" (func (param "x" u32) (result u32)))
		(export "wait" (func (param "x" u32) (result u32)))
		(export "make" (func (param "x" u32) (result (own $thing))))
		(export "peek" (func (param "it" (borrow $thing)) (result u32)))
		(export "boom" (func (param "x" u32) (result u32)))))
	(alias export $host "thing" (type $thing))
	(core module $end (func (export "end") (param i32)))
	(core instance $end (instantiate $end))
	(type $own (resource (rep i32) (dtor (core func $end "end"))))
	${["sync", "wait", "make", "peek", "boom"].map((fn) => `(core func $${fn} (canon lower (func $host "${fn}")))`).join("\n\t")}
	(core func $drop (canon resource.drop $thing))
	(core func $new (canon resource.new $own))
	(core func $rep (canon resource.rep $own))
	(core func $lose (canon resource.drop $own))
	(core instance $low ${HOST.map((name) => `(export "${name}" (func $${name}))`).join(" ")})
	${first.text}
	${second.text}
	(core module $mt (memory (export "memory") 1)
		(global $heap (mut i32) (i32.const 64))
		(func (export "realloc") (param i32 i32 i32 i32) (result i32)
			(global.set $heap (i32.add (global.get $heap) (i32.const 8)))
			(i32.sub (global.get $heap) (i32.const 8)))
		(func (export "text") (param i32 i32) (result i32) (i32.store8 (local.get 0) (i32.const 0x41))
			(i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (local.get 1)) (i32.const 0)))
	(core instance $a (instantiate $ma (with "host" (instance $low))))
	(core instance $b (instantiate $mb (with "host" (instance $low)) (with "a" (instance $a))))
	(core instance $t (instantiate $mt))
	${[...functions, "a-spin"].map(lift).join("\n\t")}
	(alias core export $t "memory" (core memory $own))
	(alias core export $t "realloc" (core func $realloc))
	(func (export "text") (param "s" string) (result string)
		(canon lift (core func $t "text") (memory $own) (realloc $realloc)))
)`;
	const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
	const parts = [first, second];
	return {
		wat,
		functions: [...functions, "a-look", "b-look", "b-look", "b-looks"],
		endless: "a-spin",
		pages: 1 + sum(parts.flatMap(({ memories }) => memories.map(({ pages }) => pages))),
		tableElements: sum(parts.flatMap(({ tables }) => tables.map(({ size }) => size))),
	};
}
