import {
	countImports,
	type ExportSyntax,
	type GlobalDefinition,
	type Module,
	OP,
	operatorOf,
	type RecTypeSyntax,
	type ValueTypeSyntax,
} from "../../wasm/mod.ts";
import type { HostTable } from "../host-table.ts";
import type { MemoryPages } from "../rewritten.ts";
import type { Address } from "./assembler.ts";

/** A function that is added behind the guest's own. */
export interface AddedFunction {
	/** As it stands in the name section. */
	readonly name: string;
	/** Its type, by index. */
	readonly type: number;
	/** Local declarations and instructions. */
	readonly body: Uint8Array;
}

/** What code asks of a memory or table. */
interface SpaceTypes {
	readonly memories: Module["memories"];
	readonly tables: readonly Module["tables"][number]["type"][];
}

/** What is added to a module behind the guest's own, numbered as it is asked for. */
export class Additions {
	readonly functions: AddedFunction[] = [];
	readonly types: RecTypeSyntax[] = [];
	readonly globals: GlobalDefinition[] = [];
	readonly exports: ExportSyntax[] = [];
	readonly pages: MemoryPages[] = [];
	/** Names of the globals that say which segments were dropped. */
	readonly dropped: string[] = [];
	/** The name of the global that says whether code has changed a table. */
	tablesChanged: string | undefined;
	/** The name of the global with the bytes of V8's heap that are left of what code was given. */
	heap: string | undefined;
	/** The table of the host's functions, where something grows or is made in V8's heap. */
	readonly host: HostTable | undefined;
	readonly #firstFunction: number;
	readonly #firstType: number;
	readonly #firstGlobal: number;
	readonly #names: Set<string>;
	readonly #exported = new Map<string, string>();
	readonly #spaces: SpaceTypes;
	readonly #functionOf = new Map<string, number>();
	readonly #typeOf = new Map<string, number>();
	readonly #globalOf = new Map<string, number>();

	/** @param module the guest's, with the host's table where there is one */
	constructor(module: Module, host: HostTable | undefined) {
		const imported = countImports(module);
		this.host = host;
		this.#firstFunction = imported.func + module.functions.length;
		this.#firstType = module.types.reduce((sum, group) => sum + group.length, 0);
		this.#firstGlobal = imported.global + module.globals.length;
		this.#names = new Set(module.exports.map(({ name }) => name));
		const memories = module.imports.flatMap(({ type }) => (type.kind === "memory" ? [type] : []));
		const tables = module.imports.flatMap(({ type }) => (type.kind === "table" ? [type] : []));
		this.#spaces = {
			memories: [...memories, ...module.memories],
			tables: [...tables, ...module.tables.map(({ type }) => type)],
		};
	}

	/** Shared memories stay V8's own. */
	isManaged(memory: number): boolean {
		return this.#spaces.memories[memory]?.limits.shared === false;
	}

	memoryAddress(memory: number): Address {
		return this.#spaces.memories[memory]?.limits.index ?? "i32";
	}

	tableAddress(table: number): Address {
		return this.#spaces.tables[table]?.limits.index ?? "i32";
	}

	tableElement(table: number): ValueTypeSyntax {
		const element = this.#spaces.tables[table]?.element;
		if (element === undefined) throw new Error(`no table ${table}`);
		return element;
	}

	/** Exports an item, once, under a name of ours that is none of the guest's. */
	export(what: string, kind: ExportSyntax["kind"], index: number): string {
		const known = this.#exported.get(what);
		if (known !== undefined) return known;
		let name = `skerry:${what}`;
		while (this.#names.has(name)) name += "'";
		this.#names.add(name);
		this.#exported.set(what, name);
		this.exports.push({ name, kind, index });
		return name;
	}

	/** The global with the size of a memory in pages. */
	pagesOf(memory: number): number {
		return this.#global(`pages:${memory}`, this.memoryAddress(memory), (name) => this.pages.push({ memory, name }));
	}

	/** The global that is 1 once a segment was dropped. */
	droppedOf(kind: "data" | "elem", segment: number): number {
		return this.#global(`dropped:${kind}:${segment}`, "i32", (name) => this.dropped.push(name));
	}

	/** The global that code sets to 1 before it changes a table. */
	changedTables(): number {
		return this.#global("tables", "i32", (name) => (this.tablesChanged = name));
	}

	/** The global with the bytes that code may still take of V8's heap before it asks for more. */
	heapLeft(): number {
		return this.#global("heap", "i64", (name) => (this.heap = name));
	}

	/**
	 * The index of the function of this key.
	 * @param key tells apart what differs
	 * @param write its body, local declarations included; asked once
	 */
	function(
		key: string,
		name: string,
		params: readonly ValueTypeSyntax[],
		results: readonly ValueTypeSyntax[],
		write: () => Uint8Array,
	): number {
		let index = this.#functionOf.get(key);
		if (index === undefined) {
			const type = this.#type(params, results);
			index = this.#firstFunction + this.functions.length;
			this.#functionOf.set(key, index);
			this.functions.push({ name: `skerry.${name}`, type, body: write() });
		}
		return index;
	}

	/** The index of the function that stands for an instruction with these immediates. */
	standIn(
		op: number,
		first: number,
		second: number,
		params: readonly ValueTypeSyntax[],
		results: readonly ValueTypeSyntax[],
		write: () => Uint8Array,
	): number {
		return this.function(`${op} ${first} ${second}`, operatorOf(op)?.name ?? "", params, results, write);
	}

	#type(params: readonly ValueTypeSyntax[], results: readonly ValueTypeSyntax[]): number {
		const key = JSON.stringify([params, results]);
		let index = this.#typeOf.get(key);
		if (index === undefined) {
			index = this.#firstType + this.types.length;
			this.#typeOf.set(key, index);
			this.types.push([{ final: true, supertypes: [], composite: { kind: "func", params, results } }]);
		}
		return index;
	}

	#global(key: string, type: Address, added: (name: string) => void): number {
		let index = this.#globalOf.get(key);
		if (index === undefined) {
			index = this.#firstGlobal + this.globals.length;
			this.#globalOf.set(key, index);
			this.globals.push(zeroGlobal({ kind: "number", name: type }));
			added(this.export(key, "global", index));
		}
		return index;
	}
}

/** Types of parameters or results that are all numbers. */
export function numbers(...names: readonly string[]): ValueTypeSyntax[] {
	return names.map((name) => ({ kind: "number", name }));
}

const ZEROS: Readonly<Record<string, GlobalDefinition["init"][number]>> = {
	i32: { op: OP["i32.const"], immediates: [0] },
	i64: { op: OP["i64.const"], immediates: [0n] },
	f32: { op: OP["f32.const"], immediates: [new Uint8Array(4)] },
	f64: { op: OP["f64.const"], immediates: [new Uint8Array(8)] },
};

/** A mutable global that begins as 0. */
export function zeroGlobal(type: ValueTypeSyntax & { readonly kind: "number" }): GlobalDefinition {
	const zero = ZEROS[type.name];
	if (zero === undefined) throw new Error(`no zero of ${type.name}`);
	return { type: { kind: "global", type, mutable: true }, init: [zero] };
}
