import { CodeReader, decodeModule, type Module, namedFunctions, OP } from "../../wasm/mod.ts";

/** What a function of a core module calls. */
export interface Calls {
	/** Functions of the module, by index; imports too. */
	readonly functions: ReadonlySet<number>;
	/** What is called indirectly: types, as `CoreCalls.taken` has them. */
	readonly types: ReadonlySet<string>;
}

/** Which functions of a core module call which. Bodies are read when they are asked for. */
export class CoreCalls {
	readonly imports: readonly { readonly module: string; readonly name: string }[];
	/** Exported functions, by name. */
	readonly exports: ReadonlyMap<string, number>;
	/** By type the functions that can be called through a table or a reference. */
	readonly taken: ReadonlyMap<string, readonly number[]>;
	readonly #module: Module;
	readonly #reader: CodeReader;
	/** Of each type of the module. */
	readonly #types: readonly string[];
	/** The type of each function, imported ones first. */
	readonly #functions: readonly number[];

	/** `undefined` where it is malformed, which those who load it will tell. */
	static of(bytes: Uint8Array): CoreCalls | undefined {
		try {
			return new CoreCalls(decodeModule(bytes));
		} catch {
			return undefined;
		}
	}

	private constructor(module: Module) {
		this.#module = module;
		this.#reader = new CodeReader(module.code);
		this.imports = module.imports.filter(({ type }) => type.kind === "func");
		this.exports = new Map(module.exports.flatMap(({ kind, name, index }) => (kind === "func" ? [[name, index]] : [])));
		this.#functions = [
			...module.imports.flatMap(({ type }) => (type.kind === "func" ? [type.type] : [])),
			...module.functions,
		];
		this.#types = typeKeys(module);
		this.taken = Map.groupBy(addressTaken(module), (fn) => this.#types[this.#functions[fn] ?? -1] ?? ANY);
	}

	/** Bytes of a function's body; 0 where it has none. */
	sizeOf(fn: number): number {
		const body = fn - this.imports.length;
		const { starts, ends } = this.#module.code;
		return (ends[body] ?? 0) - (starts[body] ?? 0);
	}

	/** Of one that it defines. @throws SkerryError where the body is malformed */
	callsOf(fn: number): Calls {
		const functions = new Set<number>();
		const types = new Set<string>();
		const reader = this.#reader;
		reader.enter(fn - this.imports.length);
		while (reader.next()) {
			const { op, first } = reader;
			if (op === OP.call || op === OP.return_call) functions.add(first);
			else if (INDIRECT.has(op)) types.add(this.#types[first] ?? ANY);
		}
		return { functions, types };
	}
}

const INDIRECT: ReadonlySet<number> = new Set([
	OP.call_indirect,
	OP.return_call_indirect,
	OP.call_ref,
	OP.return_call_ref,
]);

/** The type of functions that are not told apart. */
export const ANY = "any";

/** Types by what they are: only functions of equal ones can be called through each other. */
function typeKeys({ types }: Module): string[] {
	const subtypes = types.some((group) => group.some(({ final, supertypes }) => !final || supertypes.length > 0));
	return types.flatMap((group) =>
		group.map(({ composite }) => {
			// Where types have subtypes or refer to each other, they are all taken for one: never wrong, and rare.
			if (subtypes || group.length > 1 || composite.kind !== "func") return ANY;
			const values = [...composite.params, ...composite.results];
			if (values.some((value) => value.kind === "ref" && typeof value.heap === "number")) return ANY;
			return JSON.stringify([composite.params, composite.results]);
		}),
	);
}

/** Code can name only such functions in `ref.func` that are named outside of it: in segments, initial values and exports. */
function addressTaken(module: Module): ReadonlySet<number> {
	const taken = namedFunctions(module);
	for (const { kind, index } of module.exports) if (kind === "func") taken.add(index);
	return taken;
}
