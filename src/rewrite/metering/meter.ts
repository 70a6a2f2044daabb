import {
	BRANCH_HINTS,
	type BranchHints,
	CodeReader,
	countImports,
	decodeBranchHints,
	decodeNameSection,
	encodeBranchHints,
	encodeNameSection,
	type ImportSyntax,
	type MemoryTypeSyntax,
	type Module,
	type ModuleCustom,
	type NameSection,
} from "../../wasm/mod.ts";
import type { HostTable } from "../host-table.ts";
import type { EngineImports } from "../rewritten.ts";
import type { Survey } from "../survey.ts";
import type { CheckKind } from "./check.ts";
import { CodeEditor, type EditedCode } from "./code-editor.ts";
import { insertFlagChecks } from "./flag.ts";
import { insertFuel } from "./fuel.ts";
import type { FuelLedger } from "./prepaid.ts";
import { encodeSlowPath, planSlowPath } from "./slow-path.ts";
import { addThreadedTypes } from "./threaded.ts";
import { type Contracts, planChecks } from "./work.ts";

/**
 * How guests are stopped that hold the thread:
 * - `trap`: the flag, or a page that is protected, ends them at the next loop or call.
 * - `yield`: the flag makes them ask the engine there (`poll`), which lets them go on, ends them, or gives the thread to others.
 * - `fuel`: the same when the fuel is used up that they were given; every instruction is counted (`insertFuel` says how).
 */
export type Metering = "trap" | "yield" | "fuel";

export interface MeteredModule {
	readonly module: Module;
	readonly imports: EngineImports & { readonly flag: string };
	/** The table of the engine's functions that it calls; `trap` has none but the one that was there. */
	readonly host: HostTable | undefined;
	/** What functions leave to their callers, with fuel: without, the proof cannot be made. */
	readonly ledger: FuelLedger | undefined;
	/** What is promised of functions, which the proof needs. */
	readonly contracts: Contracts;
}

/** It may have a second page, of which guests are not told: with `SAFEPOINT` in it. */
const FLAG_TYPE: MemoryTypeSyntax = {
	kind: "memory",
	limits: { minimum: 1n, maximum: 2n, shared: true, index: "i32" },
};

/**
 * Puts checks into each loop, and where else they are needed so that what runs between two is bounded (`planChecks`). The flag's memory is
 * the last of the imported ones; for that the guest's own memories become imports before it, and keep their indices.
 * @param existing the table of the engine's functions, where another pass has added it
 * @param owned what it already imports of the engine
 * @param check of `trap`
 * @returns `undefined` for a module of which nothing is to be stopped or counted
 */
export function meterModule(
	original: Module,
	survey: Survey,
	metering: Metering,
	existing: HostTable | undefined,
	owned: EngineImports | undefined,
	check: CheckKind = "flag",
): MeteredModule | undefined {
	const plan = planChecks(original, survey, new CodeReader(original.code), metering);
	const { sites, contracts } = plan;
	const endless = survey.loops.length > 0 || sites.some((places) => places !== undefined);
	if (!endless && (metering !== "fuel" || original.functions.length === 0)) return undefined;
	const imported = countImports(original);
	const imports = engineImports(original, owned);
	const memory = imported.memory + original.memories.length;
	const { hints, section } = hintsOf(original);
	const names = namesOf(original);
	const labels = names.parsed?.labels ?? new Map<number, never>();
	const added: ImportSyntax[] = [
		...imports.memories
			.slice(imports.memories.length - original.memories.length)
			.map(({ name, type }) => ({ module: imports.module, name, type })),
		{ module: imports.module, name: imports.flag, type: FLAG_TYPE },
	];
	const finish = (module: Module, edited: EditedCode, types: readonly number[]): Module => ({
		...module,
		imports: [...module.imports, ...added],
		functions: addFunctions(module.functions, types, edited.fillers, original.functions[0]),
		memories: [],
		code: edited.code,
		customs: rewriteCustoms(module, edited, section, names),
	});
	if (metering === "trap") {
		const editor = new CodeEditor(original.code, imported.func, hints, labels);
		insertFlagChecks(original, survey, plan, editor, { memory, slow: -1, check });
		return { module: finish(original, editor.finish(), []), imports, host: existing, ledger: undefined, contracts };
	}
	const { module, host, index: slow, type } = planSlowPath(original, metering, existing);
	const editor = new CodeEditor(module.code, imported.func, hints, labels);
	const { exceptions } = survey;
	let ledger: FuelLedger | undefined;
	if (metering === "yield") insertFlagChecks(module, survey, plan, editor, { memory, slow, check: "flag" });
	else ledger = insertFuel(module, survey, sites, editor, { memory, slow, throws: exceptions.any });
	editor.writer.begin(0);
	encodeSlowPath(editor.writer.out, metering, memory, host, exceptions.legacy);
	editor.writer.finishBody(0);
	const typed = ledger === undefined ? module : addThreadedTypes(module, ledger.threaded);
	return { module: finish(typed, editor.finish(), [type]), imports, host, ledger, contracts };
}

/** Types of all functions: the guest's, those that were added, and the fillers, whose type is any. */
function addFunctions(
	functions: readonly number[],
	types: readonly number[],
	fillers: number,
	any = 0,
): readonly number[] {
	if (types.length + fillers === 0) return functions;
	return [...functions, ...types, ...Array.from({ length: fillers }, () => any)];
}

function engineImports(module: Module, owned: EngineImports | undefined): EngineImports & { readonly flag: string } {
	if (owned !== undefined) return { ...owned, flag: "flag" };
	const taken = new Set(module.imports.map((item) => item.module));
	let name = "skerry";
	while (taken.has(name)) name += "'";
	return {
		module: name,
		memories: module.memories.map((type, i) => ({ name: `memory:${i}`, type })),
		flag: "flag",
	};
}

interface Hinted {
	/** `null`: what the guest has cannot be read, or is there twice, and stays as it is. */
	readonly hints: BranchHints | null;
	readonly section: ModuleCustom | undefined;
}

function hintsOf(module: Module): Hinted {
	const [section, second] = module.customs.filter(({ name }) => name === BRANCH_HINTS);
	if (section === undefined) return { hints: new Map(), section };
	return { hints: second === undefined ? decodeBranchHints(section.bytes) : null, section };
}

interface Named {
	/** `undefined` where there are no names of labels, or what would not come back as it was: for that they are not worth it. */
	readonly parsed: NameSection | undefined;
	readonly section: ModuleCustom | undefined;
}

function namesOf({ customs }: Module): Named {
	const [section, second] = customs.filter(({ name }) => name === "name");
	if (section === undefined || second !== undefined) return { parsed: undefined, section };
	const parsed = decodeNameSection(section.bytes);
	if (parsed.labels.size === 0) return { parsed: undefined, section };
	const again = encodeNameSection(parsed);
	const same = again.length === section.bytes.length && again.every((byte, i) => byte === section.bytes[i]);
	return { parsed: same ? parsed : undefined, section };
}

function rewriteCustoms(
	module: Module,
	{ hints, labels }: EditedCode,
	old: ModuleCustom | undefined,
	names: Named,
): readonly ModuleCustom[] {
	const bytes = hints === null ? undefined : encodeBranchHints(hints);
	const customs = module.customs.map((custom) => {
		if (custom === old && bytes !== undefined) return { ...custom, bytes };
		if (custom !== names.section || names.parsed === undefined) return custom;
		// Labels are named by their number in the function, and each check has some. All other names stand as they are.
		return { ...custom, bytes: encodeNameSection({ ...names.parsed, labels }) };
	});
	if (bytes !== undefined && old === undefined) customs.unshift({ name: BRANCH_HINTS, bytes, after: "data count" });
	return customs;
}
