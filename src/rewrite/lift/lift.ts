import { SkerryError } from "../../fault/mod.ts";
import { countImports, type ImportSyntax, type Module, OP } from "../../wasm/mod.ts";
import { addHostTable, type HostTable } from "../host-table.ts";
import type { EngineExports, EngineImports, InitialState, ModuleState } from "../rewritten.ts";
import { findState } from "./state.ts";
import type { Survey } from "../survey.ts";
import { Additions } from "./additions.ts";
import { hintsOf, liftCustoms } from "./customs.ts";
import { constantsOf, sizeOfConstants } from "./heap-bodies.ts";
import { liftData, liftGlobals } from "./initial.ts";
import { replaceSites } from "./replace-sites.ts";

/** A module whose memories, sizes, start and initial state are the engine's. */
export interface LiftedModule {
	/** The very same object when there was nothing to lift. */
	readonly module: Module;
	readonly state: ModuleState | string;
	readonly imports: EngineImports | undefined;
	readonly exports: EngineExports;
	readonly initial: InitialState;
	/** The table of the host's functions, where code calls one. */
	readonly host: HostTable | undefined;
}

/**
 * Gives to the engine what a reset and a limit need: memories are imported, their sizes are the engine's, bulk and atomic operations are
 * checked against these, growth asks, objects in V8's heap are counted, dropped segments are remembered in globals, the start function is exported, and what is only
 * initial state is taken out.
 * @param offset where the module starts in the outermost binary, for errors
 * @throws SkerryError `core/invalid`, `binary/limit`
 */
export function liftModule(original: Module, survey: Survey, offset: number): LiftedModule {
	if (survey.namesData && !original.dataCount) {
		throw new SkerryError("core/invalid", "Cannot compile a core module: data count section required", {
			place: { offset },
		});
	}
	const { module: hosted, host } =
		survey.grows || survey.allocates ? addHostTable(original) : { module: original, host: undefined };
	const added = new Additions(hosted, host);
	const imported = countImports(original);
	const old = hintsOf(original);
	const { code, hints } = replaceSites(original, survey, added, old);
	const data = liftData(original, survey);
	const globals = liftGlobals(original, added);
	const state = findState(original, survey, added);
	const start = liftStart(original, survey, added, offset);
	const imports = liftMemories(original);
	const heapBytes = sizeOfConstants(original, offset);
	const exports: EngineExports = {
		...(host === undefined ? {} : { host: host.name }),
		...(start === undefined ? {} : { start }),
		pages: added.pages,
		writesData: data.data.some(({ target }) => target !== null),
		tableElements: original.tables.reduce((sum, { type }) => sum + Number(type.limits.minimum), 0),
		...(added.heap === undefined ? {} : { heap: added.heap }),
		...(heapBytes === 0 ? {} : { heapBytes }),
	};
	const append = <T>(items: readonly T[], more: readonly T[]): readonly T[] =>
		more.length === 0 ? items : [...items, ...more];
	const names = added.functions.map(({ name }) => name);
	const module: Module = {
		...hosted,
		types: append(hosted.types, added.types),
		imports: append(hosted.imports, importsOf(imports)),
		functions: append(
			hosted.functions,
			added.functions.map(({ type }) => type),
		),
		memories: imports === undefined ? hosted.memories : [],
		globals: append(globals.globals, added.globals),
		exports: append(hosted.exports, added.exports),
		start: null,
		code,
		data: data.data,
		dataCount: data.dataCount,
		customs: liftCustoms(
			original.customs,
			imported.func + original.functions.length,
			names,
			hints === old ? null : hints,
		),
	};
	return {
		module: isSame(original, module) ? original : module,
		state,
		imports,
		exports,
		initial: { data: data.lifted, globals: globals.lifted },
		host,
	};
}

/** Whether all parts are the very same objects. */
function isSame(original: Module, module: Module): boolean {
	return (Object.keys(original) as (keyof Module)[]).every((key) => original[key] === module[key]);
}

function liftMemories({ imports, memories }: Module): EngineImports | undefined {
	if (memories.length === 0) return undefined;
	const taken = new Set(imports.map((item) => item.module));
	let module = "skerry";
	while (taken.has(module)) module += "'";
	return { module, memories: memories.map((type, i) => ({ name: `memory:${i}`, type })) };
}

function importsOf(imports: EngineImports | undefined): readonly ImportSyntax[] {
	if (imports === undefined) return [];
	return imports.memories.map(({ name, type }) => ({ module: imports.module, name, type }));
}

/** The name under which the start function is exported. What V8 would check of it is checked here. */
function liftStart(module: Module, survey: Survey, added: Additions, offset: number): string | undefined {
	const { start, exports, elements } = module;
	if (start === null) return undefined;
	const invalid = (what: string): SkerryError =>
		new SkerryError("core/invalid", `Cannot compile a core module: ${what}`, { place: { offset } });
	const imports = module.imports.flatMap(({ type }) => (type.kind === "func" ? [type.type] : []));
	const composite = module.types.flat()[[...imports, ...module.functions][start] ?? -1]?.composite;
	if (composite?.kind !== "func" || composite.params.length > 0 || composite.results.length > 0)
		throw invalid("invalid start function: non-zero parameter or return count");
	// An export declares a function for ref.func; the start section does not.
	const declared =
		exports.some(({ kind, index }) => kind === "func" && index === start) ||
		elements.some(({ items }) => items.kind === "functions" && items.indices.includes(start)) ||
		constantsOf(module).some((expression) =>
			expression.some(({ op, immediates: [index] }) => op === OP["ref.func"] && index === start),
		);
	if (survey.referenced.has(start) && !declared) throw invalid(`undeclared reference to function ${start}`);
	return added.export("start", "func", start);
}
