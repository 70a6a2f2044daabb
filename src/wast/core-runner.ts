import {
	type AttachedCore,
	CoreMemories,
	interruptFlag,
	type OwnedParts,
	takeCoreImage,
	toTrap,
	webAssembly,
	type PageMapper,
	type WasmInstance,
	type WasmModule,
} from "../engine/mod.ts";
import { SkerryError, Trap } from "../fault/mod.ts";
import { FUEL_CELL, type ModuleState, type RewriteOptions, rewriteModule } from "../rewrite/mod.ts";
import { decodeModule, encodeModule, type Module } from "../wasm/mod.ts";
import type { Action, Command, Unit } from "./script.ts";
import type { SExpr } from "./sexpr.ts";
import { Caller, exportType, type Results, SLOT } from "./core-call.ts";
import type { CoreScript } from "./core-script.ts";
import { type Argument, type Expected, isExpected, toArgument, toExpected } from "./core-values.ts";
import { type Outcome, outcomeOf, Skipped } from "./outcome.ts";
import { loadTextParser } from "./parser.ts";

/** What is done to each module before V8 sees it, and to its instance before the script does. */
export interface Mode {
	/** Whether the module is rewritten to export its state, and not only decoded and encoded. */
	readonly rewrite: boolean;
	/** How guests are stopped; `off` when left out. */
	readonly metering?: RewriteOptions["metering"];
	/** Whether instances whose state can be put back are used up and reset first, and by what. */
	readonly reset?: { readonly mapper: PageMapper | undefined };
}

/** What became of the modules of which the mode wants to reset instances. */
export interface ResetCounts {
	/** Used up, put back, and used again. */
	reset: number;
	/** Used up so that it cannot be put back exactly (its memory has grown): another instance takes its place. */
	discarded: number;
	/** Memories that were put back by pages, not as a whole. */
	mapped: number;
}

interface Compiled {
	readonly module: Module;
	readonly compiled: WasmModule;
	readonly state: ModuleState | string;
	/** `undefined` for a module that is not rewritten. */
	readonly owned: OwnedParts | undefined;
}

interface CoreInstance {
	readonly module: Module;
	readonly instance: WasmInstance;
}

/** More than any script uses: nothing asks for more. */
function giveFuel(): void {
	new DataView(interruptFlag().memory.buffer).setBigInt64(FUEL_CELL, 1n << 62n, true);
}

/** What spectest exports, as the suite's interpreter defines it: a module, so that its functions are typed. */
const SPECTEST = `(module
	(global (export "global_i32") i32 (i32.const 666)) (global (export "global_i64") i64 (i64.const 666))
	(global (export "global_f32") f32 (f32.const 666.6)) (global (export "global_f64") f64 (f64.const 666.6))
	(table (export "table") 10 20 funcref) (table (export "table64") i64 10 20 funcref)
	(memory (export "memory") 1 2) (memory (export "shared_memory") 1 2 shared)
	(func (export "print")) (func (export "print_i32") (param i32)) (func (export "print_i64") (param i64))
	(func (export "print_f32") (param f32)) (func (export "print_f64") (param f64))
	(func (export "print_i32_f32") (param i32 f32)) (func (export "print_f64_f64") (param f64 f64)))`;

interface Shared {
	readonly caller: Caller;
	readonly spectest: WasmModule;
}

let shared: Promise<Shared> | undefined;

/** What scripts share: it is compiled but once. */
function loadShared(): Promise<Shared> {
	shared ??= loadTextParser().then(async (parse) => {
		return { caller: new Caller(parse), spectest: await webAssembly().compile(await parse(SPECTEST)) };
	});
	return shared;
}

/** Runs a core script: its modules go through Skerry's codec and rewriter to V8. The outcomes are in the order of the commands. */
export async function runCoreScript(script: CoreScript, mode: Mode, counts: ResetCounts): Promise<Outcome[]> {
	const { caller, spectest } = await loadShared();
	const runner = new Runner(script, mode, counts, caller, new (webAssembly().Instance)(spectest, {}));
	const outcomes: Outcome[] = [];
	for (const command of script.commands) outcomes.push(await outcomeOf(command.line, () => runner.run(command)));
	return outcomes;
}

class Runner {
	readonly #script: CoreScript;
	readonly #mode: Mode;
	readonly #counts: ResetCounts;
	readonly #caller: Caller;
	readonly #definitions = new Map<string, Compiled>();
	readonly #instances = new Map<string, CoreInstance>();
	readonly #memories: CoreMemories;
	readonly #registered: Record<string, Record<string, unknown>> = Object.create(null);
	#latest: CoreInstance | undefined;
	#latestDefinition: Compiled | undefined;

	constructor(script: CoreScript, mode: Mode, counts: ResetCounts, caller: Caller, spectest: WasmInstance) {
		this.#caller = caller;
		this.#script = script;
		this.#mode = mode;
		// What one module of a script imports of another is checked when it is instantiated, against the size that V8 knows. In components
		// that is checked beforehand.
		const mapper = script.registered.size === 0 ? mode.reset?.mapper : undefined;
		this.#memories = new CoreMemories({ mapper });
		this.#counts = counts;
		this.#registered["spectest"] = spectest.exports;
	}

	async run(command: Command): Promise<void> {
		switch (command.kind) {
			case "unit":
				return await this.#unit(command.unit);
			case "instance": {
				const { definition } = command;
				const compiled = definition === null ? this.#latestDefinition : this.#definitions.get(definition);
				if (compiled === undefined) throw new Error("no such definition");
				return this.#enter(this.#instantiate(compiled), command.id);
			}
			case "register":
				this.#registered[command.name] = this.#find(command.instance).instance.exports;
				return;
			case "action":
				await this.#act(command.action);
				return;
			case "assert_return":
				return this.#assertReturn(command.results, await this.#act(command.action));
			case "assert_trap":
			case "assert_exhaustion":
				return await assertTrap(command.message, () => this.#act(command.action));
			case "assert_exception":
				return await this.#assertException(command.action);
			case "assert_uninstantiable": {
				const compiled = this.#compile(command.unit);
				return await assertTrap(command.message, () => this.#instantiate(compiled));
			}
			case "assert_unlinkable":
				return this.#assertUnlinkable(command.unit);
			case "assert_invalid":
			case "assert_malformed":
				return this.#assertRejected(command.unit);
			case "assert_invalid_custom":
			case "assert_malformed_custom":
				if (this.#script.bytes.get(command.unit) instanceof Error) return;
				throw new Skipped("custom sections that are wrong are kept, as the specification allows");
			case "unknown":
				throw new Error(`the runner does not know ${command.name}`);
		}
	}

	async #unit(unit: Unit): Promise<void> {
		// What follows is not to act on the module before this one.
		if (!unit.definition) this.#latest = undefined;
		else this.#latestDefinition = undefined;
		const compiled = this.#compile(unit);
		if (unit.definition) {
			this.#latestDefinition = compiled;
			if (unit.id !== null) this.#definitions.set(unit.id, compiled);
			return;
		}
		if (unit.id !== null) this.#definitions.set(unit.id, compiled);
		this.#enter(await this.#reset(unit, compiled, this.#instantiate(compiled)), unit.id);
	}

	#enter(instance: CoreInstance, id: string | null): void {
		this.#latest = instance;
		if (id !== null) this.#instances.set(id, instance);
	}

	#find(id: string | null): CoreInstance {
		const found = id === null ? this.#latest : this.#instances.get(id);
		if (found === undefined) throw new Error(`no instance ${id ?? "before this"}`);
		return found;
	}

	/** Once for all runs of the script that have it rewritten in the same way. */
	#compile(unit: Unit): Compiled {
		const { rewrite, metering = "off" } = this.#mode;
		const key = rewrite ? metering : "plain";
		let known = compiledUnits.get(unit);
		if (known === undefined) compiledUnits.set(unit, (known = new Map()));
		let compile = known.get(key);
		if (compile === undefined) known.set(key, (compile = settled(() => this.#compileAnew(unit))));
		return compile();
	}

	#compileAnew(unit: Unit): Compiled {
		const bytes = this.#script.bytes.get(unit);
		if (bytes === undefined || bytes instanceof Error) throw new Error(`text: ${bytes?.message}`);
		const decoded = decodeModule(bytes);
		const encoded = encodeModule({ ...decoded, source: new Map() });
		const { Module } = webAssembly();
		if (!this.#mode.rewrite) {
			return { module: decoded, compiled: new Module(encoded), state: "it was not asked for", owned: undefined };
		}
		const { metering = "off" } = this.#mode;
		const rewritten = rewriteModule(encoded, 0, { metering, check: interruptFlag().check, verify: true });
		return { module: decoded, compiled: new Module(rewritten.bytes), state: rewritten.state, owned: rewritten };
	}

	#instantiate({ module, compiled, owned }: Compiled): CoreInstance {
		if (this.#mode.metering === "fuel") giveFuel();
		const imports = { ...this.#registered };
		const complete = owned === undefined ? undefined : this.#memories.prepare(compiled, owned, imports);
		const instance = new (webAssembly().Instance)(compiled, imports);
		complete?.(instance);
		return { module, instance };
	}

	/** Does all that the script will do, and takes it back: what follows must not notice. */
	async #reset(unit: Unit, compiled: Compiled, instance: CoreInstance): Promise<CoreInstance> {
		const { reset } = this.#mode;
		const actions = this.#script.actions.get(unit) ?? [];
		if (reset === undefined || actions.length === 0 || typeof compiled.state === "string") return instance;
		if (this.#script.registered.has(unit) || !isSelfContained(compiled.module)) return instance;
		// The suite's memories are small: by default none of them would be mapped.
		const image = takeCoreImage(instance.instance, compiled.state, this.#memories, reset.mapper, 0);
		if (typeof image === "string") return instance;
		let attached: AttachedCore;
		try {
			attached = image.attach(instance.instance, this.#memories);
			for (const action of actions) await this.#act(action, instance).catch(() => {});
			if (attached.restore() !== undefined) {
				this.#counts.reset++;
				this.#counts.mapped += image.memories.filter(({ strategy }) => strategy === "cow").length;
				return instance;
			}
		} finally {
			image[Symbol.dispose]();
		}
		this.#counts.discarded++;
		return this.#instantiate(compiled);
	}

	async #act(action: Action, on?: CoreInstance): Promise<Results> {
		const { module, instance } = on ?? this.#find(action.instance);
		const type = exportType(module, action.name);
		const target = instance.exports[action.name];
		if (action.kind === "get") {
			if (type?.kind !== "global") throw new Error(`no exported global ${action.name}`);
			return await this.#caller.get(target as { readonly value: unknown }, type.type, type.mutable);
		}
		if (type?.kind !== "func") throw new Error(`no exported function ${action.name}`);
		return await this.#caller.call(target as () => unknown, type.signature, action.args.map(argumentOf));
	}

	#assertReturn(results: readonly SExpr[], { view, references }: Results): void {
		if (results.length !== references.length) {
			throw new Error(`returned ${references.length} values, expected ${results.length}`);
		}
		results.forEach((result, i) => {
			if (isExpected(expectedOf(result), view, i * SLOT, references[i])) return;
			const bits = new Uint8Array(view.buffer as ArrayBuffer, i * SLOT, SLOT).toHex();
			throw new Error(`result ${i} is another: ${references[i] === undefined ? bits : typeof references[i]}`);
		});
	}

	async #assertException(action: Action): Promise<void> {
		try {
			await this.#act(action);
		} catch (error) {
			if (error instanceof webAssembly().Exception) return;
			throw error;
		}
		throw new Error("returned, expected an exception");
	}

	#assertUnlinkable(unit: Unit): void {
		const compiled = this.#compile(unit);
		try {
			this.#instantiate(compiled);
		} catch (error) {
			// The JavaScript API has a TypeError where the very module of an import is missing.
			if (error instanceof webAssembly().LinkError || error instanceof TypeError) return;
			throw error;
		}
		throw new Error("linked, though it is not to");
	}

	#assertRejected(unit: Unit): void {
		// Refused by the parser of the text
		if (this.#script.bytes.get(unit) instanceof Error && unit.source.kind !== "binary") return;
		try {
			this.#compile(unit);
		} catch (error) {
			if (error instanceof SkerryError && error.code !== "binary/unsupported") return;
			if (error instanceof webAssembly().CompileError) return;
			throw error;
		}
		throw new Error("accepted, though it is to be rejected");
	}
}

const compiledUnits = new WeakMap<Unit, Map<string, () => Compiled>>();

/** What comes of `act`, its error too, as often as one likes. */
function settled<T>(act: () => T): () => T {
	try {
		const value = act();
		return () => value;
	} catch (error) {
		return () => {
			throw error;
		};
	}
}

/** Pages of the largest memory of which the runner takes an image: 64 MiB. */
const IMAGE_PAGES = 1024n;

/** Whether no other module can see or change the state of its instance, which is small enough to be copied. */
function isSelfContained({ imports, memories }: Module): boolean {
	return (
		imports.every(
			({ module, type }) =>
				module === "spectest" && (type.kind === "func" || (type.kind === "global" && !type.mutable)),
		) && memories.every(({ limits }) => limits.minimum <= IMAGE_PAGES)
	);
}

/** Scripts are run in several modes: each expression is read once. */
function memoize<T>(read: (expr: SExpr) => T): (expr: SExpr) => T {
	const known = new WeakMap<SExpr, T>();
	return (expr) => {
		let value = known.get(expr);
		if (value === undefined) known.set(expr, (value = read(expr)));
		return value;
	};
}

const argumentOf = memoize<Argument & object>(toArgument);
const expectedOf = memoize<Expected & object>(toExpected);

async function assertTrap(message: string, act: () => unknown): Promise<void> {
	try {
		await act();
	} catch (error) {
		const trap = toTrap(error);
		if (!(trap instanceof Trap)) throw error;
		if (!isSameTrap(trap.message, message)) {
			throw new Error(`trapped with "${trap.message}", expected "${message}"`, { cause: error });
		}
		return;
	}
	throw new Error(`returned, expected the trap "${message}"`);
}

/** Our wording names both traps where V8 has one message for two. The suite's adds what was null, or which element. */
function isSameTrap(ours: string, expected: string): boolean {
	const plain = expected.replace(/^null \w+ reference$/, "null reference");
	return ours.split(", or ").some((one) => plain.includes(one) || one.includes(plain));
}
