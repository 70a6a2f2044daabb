/**
 * Random guests that look for what others left: of all that a core module can keep something in (memories of both kinds, globals and tables
 * of every type, structures and arrays that these lead to, segments, handles) some, functions that write to each, and functions that come
 * to a number by all that can be read of it.
 */
import { Dice } from "./dice.ts";
import { HOST_IMPORTS, type RandomGuest } from "./random-guest.ts";
import {
	at,
	back,
	CALLS,
	changesGlobal,
	changesMemory,
	changesTable,
	constant,
	type Global,
	HELPERS,
	hiding,
	HOST,
	IS_VOID,
	isNumber,
	type Memory,
	mix,
	NUMBERS,
	PAGE,
	PLAIN,
	readerOf,
	reading,
	readMemory,
	readSegment,
	readTable,
	type Reference,
	type Segment,
	STATEFUL,
	type Table,
	together,
	typeOf,
	TYPES,
	usesSegments,
	X,
	Y,
} from "./spy-statement.ts";

/** What a module has, of its own and of another. */
interface Things {
	readonly memories: readonly Memory[];
	readonly globals: readonly Global[];
	readonly tables: readonly Table[];
}

interface SpyModule extends Things {
	readonly text: string;
	readonly functions: readonly string[];
}

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
		const drops = data.map((segment) => `(data.drop $${segment})`);
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
	${HOST_IMPORTS}
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
