import { isDeepStrictEqual } from "node:util";

import type { Component, ValueType } from "../component/mod.ts";
import { CompileCache } from "../engine/mod.ts";
import { SkerryError, Trap } from "../fault/mod.ts";
import {
	type Instance,
	instantiate,
	linkComponent,
	type LinkOptions,
	loadComponent,
	type LoadedComponent,
} from "../link/mod.ts";
import { type Outcome, outcomeOf, Skipped } from "./outcome.ts";
import { loadTextParser, type TextParser } from "./parser.ts";
import { type Action, type Command, parseScript, type Unit } from "./script.ts";
import { normalize, toValue } from "./component-values.ts";

/** Runs the commands of a component `.wast` script through Skerry's own decoder, validator, linker and runtime. */
export async function runComponentScript(text: string, options: LinkOptions = {}): Promise<Outcome[]> {
	const runner = new Runner(await loadTextParser(), options);
	const outcomes: Outcome[] = [];
	for (const command of parseScript(text)) outcomes.push(await outcomeOf(command.line, () => runner.run(command)));
	return outcomes;
}

/** The suite has gated features among the others. */
const ALL_FEATURES = { stackful: true, threads: true, asyncCancel: true };

const REJECTIONS = new Set([
	"binary/not-wasm",
	"binary/core-module",

	"binary/truncated",
	"binary/malformed",
	"binary/limit",
	"component/invalid",
	"core/invalid",
]);

class Runner {
	readonly #parse: TextParser;
	readonly #options: LinkOptions;
	readonly #cache = new CompileCache();
	readonly #definitions = new Map<string, LoadedComponent>();
	readonly #instances = new Map<string, Instance>();
	#latest: Instance | Error = new Error("no component before this");
	#latestDefinition: LoadedComponent | Error = new Error("no definition before this");

	constructor(parse: TextParser, options: LinkOptions) {
		this.#parse = parse;
		this.#options = options;
	}

	async run(command: Command): Promise<void> {
		switch (command.kind) {
			case "unit":
				return await this.#unit(command.unit);
			case "instance": {
				const definition =
					command.definition === null ? this.#latestDefinition : this.#definitions.get(command.definition);
				await this.#instantiate(definition ?? new Error(`unknown definition ${command.definition}`), command.id);
				return;
			}
			case "action":
				await this.#invoke(command.action);
				return;
			case "assert_return":
				return await this.#assertReturn(command);
			case "assert_trap":
				return await assertTrap(command.message, () => this.#invoke(command.action));
			case "assert_uninstantiable": {
				const loaded = await this.#load(command.unit);
				return await assertTrap(command.message, () => this.#instantiate(loaded, null));
			}
			case "assert_invalid":
			case "assert_malformed":
				return await this.#assertRejected(command.unit);
			default:
				throw new Error(`the runner does not know ${command.kind === "unknown" ? command.name : command.kind}`);
		}
	}

	async #unit(unit: Unit): Promise<void> {
		try {
			const loaded = await this.#load(unit);
			await this.#compileAll(loaded.component);
			if (unit.id !== null) this.#definitions.set(unit.id, loaded);
			this.#latestDefinition = loaded;
			if (!unit.definition) await this.#instantiate(loaded, unit.id);
		} catch (error) {
			if (unit.definition) this.#latestDefinition = error as Error;
			else this.#latest = error as Error;
			throw error;
		}
	}

	async #load(unit: Unit): Promise<LoadedComponent> {
		if (unit.sort !== "component") throw new Error("a core module in a component script");
		const bytes = unit.source.kind === "binary" ? unit.source.bytes : await this.#parse(unit.source.text);
		return loadComponent(bytes);
	}

	/** V8 validates core modules when it compiles them. */
	async #compileAll(component: Component): Promise<void> {
		for (const definition of component.definitions) {
			if (definition.kind === "component") await this.#compileAll(definition.component);
			if (definition.kind === "core module") await this.#cache.compile(definition.bytes, definition.offset);
		}
	}

	async #instantiate(definition: LoadedComponent | Error, id: string | null): Promise<void> {
		try {
			if (definition instanceof Error) throw definition;
			const options = { features: ALL_FEATURES, ...this.#options };
			const linked = await linkComponent(definition, { interfaces: [] }, this.#cache, options);
			const instance = instantiate(linked, undefined);
			this.#latest = instance;
			if (id !== null) this.#instances.set(id, instance);
		} catch (error) {
			this.#latest = error as Error;
			throw unsupported(error);
		}
	}

	async #invoke(action: Action): Promise<{ value: unknown; type: ValueType | null }> {
		if (action.kind !== "invoke") throw new Error("components have no globals to get");
		const instance = action.instance === null ? this.#latest : this.#instances.get(action.instance);
		if (instance === undefined || instance instanceof Error) {
			throw unsupported(instance ?? new Error(`unknown instance ${action.instance}`));
		}
		const fn = instance.function([action.name]);
		if (fn === undefined || !("type" in fn)) throw new Error(`no exported function ${action.name}`);
		const args = fn.type.params.map((param, i) => toValue(param.type, action.args[i]));
		return { value: await fn.call(args), type: fn.type.result };
	}

	async #assertReturn(command: Extract<Command, { kind: "assert_return" }>): Promise<void> {
		const { value, type } = await this.#invoke(command.action);
		const expected = type === null ? undefined : toValue(type, command.results[0]);
		if (!isDeepStrictEqual(normalize(value), normalize(expected))) {
			throw new Error(`returned ${show(value)}, expected ${show(expected)}`);
		}
	}

	async #assertRejected(unit: Unit): Promise<void> {
		let loaded: LoadedComponent;
		try {
			loaded = await this.#load(unit);
			await this.#compileAll(loaded.component);
		} catch (error) {
			if (unit.source.kind === "quote" && !(error instanceof SkerryError)) return; // the text parser refused it
			if (error instanceof SkerryError && REJECTIONS.has(error.code)) return;
			throw unsupported(error);
		}
		throw new Error("accepted, though it is to be rejected");
	}
}

function unsupported(error: unknown): unknown {
	const isUnsupported =
		error instanceof SkerryError && (error.code === "link/unsupported" || error.code === "binary/unsupported");
	return isUnsupported ? new Skipped(error.message) : error;
}

async function assertTrap(message: string, act: () => Promise<unknown>): Promise<void> {
	try {
		await act();
	} catch (error) {
		if (!(error instanceof Trap)) throw error;
		if (!error.message.includes(ownWording(message))) {
			throw new Error(`trapped with "${error.message}", expected "${message}"`, { cause: error });
		}
		return;
	}
	throw new Error(`returned, expected the trap "${message}"`);
}

/** The suite has Wasmtime's wording of two things. */
function ownWording(message: string): string {
	return message.replace(/^wasm trap: /, "").replace(/^wasm `unreachable` instruction executed$/, "unreachable");
}

function show(value: unknown): string {
	return JSON.stringify(normalize(value), (_, v: unknown) => (typeof v === "bigint" ? `${v}n` : v)) ?? "nothing";
}
