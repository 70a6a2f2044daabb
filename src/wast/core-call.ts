/**
 * Calls of core functions that lose no bit: JavaScript has no `v128` and may change the payload of a NaN, so such values
 * are passed through a memory (and exceptions, which it must not see, only as whether they are null) by a small module for each signature.
 */
import { webAssembly, type WasmModule } from "../engine/mod.ts";
import { countImports, type Module, type ValueTypeSyntax } from "../wasm/mod.ts";
import { type Argument, writeLanes } from "./core-values.ts";
import type { TextParser } from "./parser.ts";

/** The types of an exported function, or of a global as one without parameters. */
export interface Signature {
	readonly params: readonly ValueTypeSyntax[];
	readonly results: readonly ValueTypeSyntax[];
	/** Whether a type of this shape alone is the function's own type: an import of it takes the function. */
	readonly plain: boolean;
}

/** Results: their bits stand in `view`, one in each slot; where they are references, in `references`. */
export interface Results {
	readonly view: DataView;
	readonly references: readonly unknown[];
}

/** Bytes. */
export const SLOT = 16;

export class Caller {
	readonly #parse: TextParser;
	readonly #memory = new (webAssembly().Memory)({ initial: 1 });
	readonly #view = new DataView(this.#memory.buffer);
	readonly #wrappers = new Map<string, Promise<WasmModule>>();
	readonly #wrapped = new WeakMap<object, () => void>();

	constructor(parse: TextParser) {
		this.#parse = parse;
	}

	async call(
		callee: (...args: unknown[]) => unknown,
		signature: Signature,
		args: readonly Argument[],
	): Promise<Results> {
		const { params, results } = signature;
		args.forEach((argument, i) => {
			if (argument.kind === "lanes") writeLanes(this.#view, i * SLOT, argument.lanes);
		});
		if (needsMemory(signature)) {
			(await this.#wrap(callee, "func", signature))();
			return this.#stored(results);
		}
		const values = args.map((argument, i) =>
			argument.kind === "reference" ? argument.value : this.#load(params[i], i * SLOT),
		);
		const returned = callee(...values);
		return this.#store(results, results.length === 1 ? [returned] : [...((returned ?? []) as unknown[])]);
	}

	async get(global: { readonly value: unknown }, type: ValueTypeSyntax, mutable: boolean): Promise<Results> {
		const signature = { params: [], results: [type], plain: true };
		if (!needsMemory(signature)) return this.#store([type], [global.value]);
		(await this.#wrap(global, mutable ? "mut" : "const", signature))();
		return this.#stored([type]);
	}

	/** What a wrapper has left in the memory. */
	#stored(types: readonly ValueTypeSyntax[]): Results {
		const references = types.map((type, i) => {
			if (type.kind === "number") return undefined;
			return this.#view.getInt32(i * SLOT, true) === 1 ? null : EXCEPTION;
		});
		return { view: this.#view, references };
	}

	#store(types: readonly ValueTypeSyntax[], values: readonly unknown[]): Results {
		if (values.length !== types.length) throw new Error(`${values.length} results of ${types.length}`);
		const references = values.map((value, i) => {
			const type = types[i];
			if (type?.kind !== "number") return value;
			const at = i * SLOT;
			if (type.name === "i64") this.#view.setBigInt64(at, value as bigint, true);
			else if (type.name === "i32") this.#view.setInt32(at, value as number, true);
			else if (type.name === "f32") this.#view.setFloat32(at, value as number, true);
			else this.#view.setFloat64(at, value as number, true);
			return undefined;
		});
		return { view: this.#view, references };
	}

	#load(type: ValueTypeSyntax | undefined, at: number): unknown {
		const name = type?.kind === "number" ? type.name : "i32";
		if (name === "i64") return this.#view.getBigInt64(at, true);
		if (name === "f32") return this.#view.getFloat32(at, true);
		return name === "f64" ? this.#view.getFloat64(at, true) : this.#view.getInt32(at, true);
	}

	async #wrap(target: object, kind: "func" | "mut" | "const", signature: Signature): Promise<() => void> {
		const known = this.#wrapped.get(target);
		if (known !== undefined) return known;
		const text = wrapperOf(kind, signature.params.map(nameOf), signature.results.map(nameOf));
		let compiling = this.#wrappers.get(text);
		if (compiling === undefined) {
			compiling = this.#parse(text).then((bytes) => webAssembly().compile(bytes));
			this.#wrappers.set(text, compiling);
		}
		const { exports } = new (webAssembly().Instance)(await compiling, { "": { memory: this.#memory, target } });
		const wrapped = exports["run"] as () => void;
		this.#wrapped.set(target, wrapped);
		return wrapped;
	}
}

/** Stands for any exception. */
const EXCEPTION = Symbol("exnref");

const isException = (type: ValueTypeSyntax): boolean =>
	type.kind === "ref" && type.nullable && (type.heap === "exn" || type.heap === "noexn");

const nameOf = (type: ValueTypeSyntax): string => (type.kind === "number" ? type.name : `(ref null ${type.heap})`);

/** With references among the values, JavaScript passes them all: no test of references looks at the payload of a NaN. */
function needsMemory({ params, results, plain }: Signature): boolean {
	const canPass = params.every(({ kind }) => kind === "number");
	const canReturn = results.every((type) => type.kind === "number" || isException(type));
	const isHard = [...params, ...results].some((type) => isException(type) || /^[fv]/.test(nameOf(type)));
	return plain && canPass && canReturn && isHard;
}

function wrapperOf(kind: "func" | "mut" | "const", params: readonly string[], results: readonly string[]): string {
	const target = {
		func: `func $target (param ${params.join(" ")}) (result ${results.join(" ")})`,
		mut: `global $target (mut ${results[0]})`,
		const: `global $target ${results[0]}`,
	}[kind];
	const loads = params.map((type, i) => `(${type}.load (i32.const ${i * SLOT}))`);
	const stores = results.map((type, i) =>
		type.startsWith("(")
			? `(i32.store (i32.const ${i * SLOT}) (ref.is_null (local.get ${i})))`
			: `(${type}.store (i32.const ${i * SLOT}) (local.get ${i}))`,
	);
	return `(module
		(import "" "memory" (memory 1)) (import "" "target" (${target}))
		(func (export "run") (local ${results.join(" ")})
			${kind === "func" ? `${loads.join(" ")} call $target` : "global.get $target"}
			${results.map((_, i) => `local.set ${results.length - 1 - i}`).join(" ")}
			${stores.join(" ")}))`;
}

/** The type of what a module exports under a name, if it is a function or global. */
export type ExportType =
	| { readonly kind: "func"; readonly signature: Signature }
	| { readonly kind: "global"; readonly type: ValueTypeSyntax; readonly mutable: boolean };

export function exportType(module: Module, name: string): ExportType | undefined {
	const found = module.exports.find((e) => e.name === name);
	if (found === undefined) return undefined;
	const imported = module.imports.map(({ type }) => type).filter(({ kind }) => kind === found.kind)[found.index];
	const own = found.index - countImports(module)[found.kind];
	if (found.kind === "global") {
		const type = imported?.kind === "global" ? imported : module.globals[own]?.type;
		return type && { kind: "global", type: type.type, mutable: type.mutable };
	}
	if (found.kind !== "func") return undefined;
	const index = imported?.kind === "func" ? imported.type : module.functions[own];
	const group = module.types.flatMap((rec) => rec.map((sub) => ({ rec, sub })))[index ?? -1];
	if (group === undefined || group.sub.composite.kind !== "func") return undefined;
	const { params, results } = group.sub.composite;
	return {
		kind: "func",
		signature: {
			params,
			results,
			plain: group.rec.length === 1 && group.sub.final && group.sub.supertypes.length === 0,
		},
	};
}
