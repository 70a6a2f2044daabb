/**
 * Random guests as text: components of two core modules with several memories, mutable globals, tables, segments, a realloc and a
 * post-return, that call the host, keep its resources and trap at random places. The second module works on what the first
 * exports, too.
 */
import { Dice } from "./dice.ts";
import {
	FUNCTION_TYPES,
	functionText,
	type GlobalSpec,
	type GlobalType,
	type MemorySpec,
	type NumberType,
	type Scope,
	type TableSpec,
} from "./random-statement.ts";

/** What guests import of the host, and the type of its resource. */
export const HOST_IMPORTS = `(import "host" (instance $host
		(export "thing" (type $thing (sub resource)))
		(export "sync" (func (param "x" u32) (result u32)))
		(export "wait" (func (param "x" u32) (result u32)))
		(export "make" (func (param "x" u32) (result (own $thing))))
		(export "peek" (func (param "it" (borrow $thing)) (result u32)))
		(export "boom" (func (param "x" u32) (result u32)))))
	(alias export $host "thing" (type $thing))`;

export interface RandomGuest {
	readonly wat: string;
	/** Exports of type `(u32, u32) -> u32`; the guest also exports `text`: `(string) -> string`. */
	readonly functions: readonly string[];
	/** What it has from its start. */
	readonly pages: number;
	readonly tableElements: number;
}

/** Above the size below which images are always copied, and below it. */
const MEMORY_PAGES = [1, 3, 4];
const TABLE_SIZE = 8;
/** How far tables can grow. */
const TABLE_ROOM = 6;

const GLOBALS: readonly { readonly type: NumberType; readonly values: readonly string[] }[] = [
	{ type: "i32", values: ["0", "-1", "0x7fffffff"] },
	{ type: "i64", values: ["0", "-1", "0x7fffffffffffffff", "0xfedcba9876543210"] },
	{ type: "f32", values: ["0", "-0", "1.5", "inf"] },
	{ type: "f64", values: ["0", "-0", "1e300", "-inf"] },
];
/** What no image can hold: such a guest has a new instance for every call. */
const IRREVERSIBLE: readonly { readonly type: GlobalType; readonly init: string }[] = [
	{ type: "f32", init: "(f32.const nan:0x200001)" },
	{ type: "v128", init: "(v128.const i32x4 1 2 3 4)" },
	{ type: "funcref", init: "(ref.null func)" },
	{ type: "externref", init: "(ref.null extern)" },
];

const HOST = ["sync", "wait", "make", "peek", "drop", "boom"];

export function createRandomGuest(seed: number): RandomGuest {
	const dice = new Dice(seed);
	const irreversible = dice.oneIn(20);
	const hostAtStart = dice.oneIn(25);
	const first = moduleText(dice, { name: "a", irreversible, hostAtStart: false, imports: undefined });
	const second = moduleText(dice, { name: "b", irreversible: false, hostAtStart, imports: first });
	const functions = [...first.exported.map((name) => ["a", name]), ...second.exported.map((name) => ["b", name])];
	const lifts = functions.map(
		([module, name]) =>
			`(func (export "${module}-${name}") (param "x" u32) (param "y" u32) (result u32) (canon lift (core func $${module} "${name}")))`,
	);
	const wat = `(component
	${HOST_IMPORTS}
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
	const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
	return {
		wat,
		functions: functions.map(([module, name]) => `${module}-${name}`),
		pages: sum([first, second].flatMap(({ memories }) => memories.map(({ pages }) => pages))),
		tableElements: sum([first, second].flatMap(({ tables }) => tables.map(({ size }) => size))),
	};
}

interface ModuleSpec {
	readonly name: string;
	readonly irreversible: boolean;
	readonly hostAtStart: boolean;
	/** What it imports of another module, under the name of that. */
	readonly imports: ModuleText | undefined;
}

/** A module, and what of its own it exports. */
interface ModuleText {
	readonly text: string;
	readonly exported: readonly string[];
	readonly memories: readonly MemorySpec[];
	readonly globals: readonly GlobalSpec[];
	readonly tables: readonly TableSpec[];
}

function moduleText(dice: Dice, { name, irreversible, hostAtStart, imports }: ModuleSpec): ModuleText {
	const lines: string[] = [FUNCTION_TYPES, "(type $box (struct (field (mut i32))))"];
	for (const item of HOST) {
		const type = item === "drop" ? "(param i32)" : "(param i32) (result i32)";
		lines.push(`(import "host" "${item}" (func $${item} ${type}))`);
	}
	if (imports !== undefined) lines.push(...importLines(imports));
	const memories = memorySpecs(dice, name);
	const globals = globalSpecs(dice, name, irreversible);
	const tables = tableSpecs(dice, name);
	lines.push(
		...memories.map((memory) => `(memory $${memory.name} (export "${memory.name}") ${memoryType(memory, 2)})`),
		...globals.map(
			(global) => `(global $${global.name} (export "${global.name}") (mut ${global.type}) ${global.init})`,
		),
		...tables.map((table) => `(table $${table.name} (export "${table.name}") ${tableType(table, TABLE_ROOM)})`),
		`(global $heap (mut i32) (i32.const 1024))`,
	);
	for (const memory of memories) {
		for (let i = dice.below(3); i > 0; i--) {
			const offset = `(${memory.address}.const ${dice.below(60_000)})`;
			lines.push(`(data (memory $${memory.name}) ${offset} "${"x".repeat(1 + dice.below(40))}${name}${i}")`);
		}
	}
	const data = dice.times(dice.below(3), (i) => `$d${i}`);
	for (const segment of data) lines.push(`(data ${segment} "passive data of the guest")`);

	const inTable = dice.times(3, (i) => `$t${i}`);
	const elements: Scope["elements"][number][] = [];
	if (dice.oneIn(2)) {
		elements.push({ name: "$e0", type: "funcref", size: 4 }, { name: "$e1", type: "externref", size: 3 });
		lines.push(`(elem $e0 funcref (ref.func $leaf) (ref.func $t2) (ref.null func) (ref.func $t0))`);
		lines.push(`(elem $e1 externref (ref.null extern) (ref.null extern) (ref.null extern))`);
	}

	const exported: string[] = [];
	const all = [...(imports?.tables ?? []), ...tables];
	// Most real programs do not change their tables.
	const changed = dice.oneIn(2) ? all.filter(() => dice.oneIn(2)) : [];
	const callees = imports === undefined ? [] : imports.exported.map((fn) => `$a${fn}`);
	const scope: Scope = {
		dice,
		memories: [...(imports?.memories ?? []), ...memories],
		globals: [...(imports?.globals ?? []), ...globals],
		called: all.filter(({ element }) => element === "funcref"),
		changed,
		callees,
		references: [...inTable, "$leaf"],
		data,
		elements,
		host: true,
		safe: false,
	};
	lines.push(`(func $leaf (param $p0 i32) (result i32) (i32.xor (local.get $p0) (i32.const ${dice.bits() | 0})))`);
	lines.push(`(elem declare func $leaf ${inTable.join(" ")})`);
	for (let i = 0; i < 2 + dice.below(3); i++) {
		const fn = `f${i}`;
		lines.push(functionText(`$${fn} (export "${fn}")`, scope));
		exported.push(fn);
		callees.push(`$${fn}`);
	}
	// What is called through a table calls nothing: no recursion.
	const quiet: Scope = { ...scope, callees: [], called: [] };
	for (const [i, fn] of inTable.entries()) {
		lines.push(functionText(`${fn} (type $own${i})`, { ...quiet, host: dice.oneIn(2) }));
	}
	const filled = dice.pick(scope.called);
	lines.push(
		`(elem (table $${filled.name}) (${filled.address}.const ${dice.below(3)}) func ${inTable.join(" ")} $leaf)`,
	);
	if (dice.oneIn(2) || hostAtStart) {
		lines.push(functionText("$init", { ...quiet, host: false, safe: true }));
		const call = hostAtStart ? "(drop (call $sync (i32.const 1)))" : "";
		lines.push(`(func $start ${call} (drop (call $init (i32.const 4) (i32.const 9)))) (start $start)`);
	}
	if (name === "b") {
		const trace = globals.findLast(({ type }) => /^[if]/.test(type));
		lines.push(textFunctions(memories[0]?.name ?? "", trace));
	}
	return { text: `(core module $m${name}\n\t\t${lines.join("\n\t\t")})`, exported, memories, globals, tables };
}

function importLines({ memories, globals, tables, exported }: ModuleText): string[] {
	return [
		...memories.map((memory) => `(import "a" "${memory.name}" (memory $${memory.name} ${memoryType(memory)}))`),
		...globals.map(({ name, type }) => `(import "a" "${name}" (global $${name} (mut ${type})))`),
		...tables.map((table) => `(import "a" "${table.name}" (table $${table.name} ${tableType(table)}))`),
		...exported.map((fn) => `(import "a" "${fn}" (func $a${fn} (param i32 i32) (result i32)))`),
	];
}

/** @param room by how much it can grow; without, it has no maximum */
function memoryType({ address, pages }: MemorySpec, room?: number): string {
	return `${address} ${pages}${room === undefined ? "" : ` ${pages + room}`}`;
}

function tableType({ address, size, element }: TableSpec, room?: number): string {
	return `${address} ${size}${room === undefined ? "" : ` ${size + room}`} ${element}`;
}

/** The first is the one in which strings are. */
function memorySpecs(dice: Dice, name: string): MemorySpec[] {
	return dice.times(1 + dice.below(2), (i) => {
		const address = i > 0 && dice.oneIn(6) ? "i64" : "i32";
		return { name: `${name}m${i}`, address, pages: dice.pick(MEMORY_PAGES) };
	});
}

function globalSpecs(dice: Dice, name: string, irreversible: boolean): (GlobalSpec & { readonly init: string })[] {
	const globals = dice.times(dice.below(5), (i) => {
		const { type, values } = dice.pick(GLOBALS);
		return { name: `${name}g${i}`, type, init: `(${type}.const ${dice.pick(values)})` };
	});
	return irreversible ? [...globals, { name: `${name}r`, ...dice.pick(IRREVERSIBLE) }] : globals;
}

/** The first is one of functions. */
function tableSpecs(dice: Dice, name: string): TableSpec[] {
	return dice.times(1 + dice.below(3), (i) => ({
		name: `${name}t${i}`,
		address: dice.oneIn(5) ? "i64" : "i32",
		element: i === 0 || dice.oneIn(2) ? "funcref" : "externref",
		size: TABLE_SIZE,
	}));
}

/** `text` gives back its argument, which it also writes over; `post` and `realloc` leave traces of their own. */
function textFunctions(memory: string, global: GlobalSpec | undefined): string {
	const trace = global === undefined ? "" : `(global.set $${global.name} (${global.type}.const 77))`;
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
