import {
	BRANCH_HINTS,
	type BranchHint,
	type BranchHints,
	CodeWriter,
	countImports,
	decodeBranchHints,
	decodeNameSection,
	encodeBranchHints,
	encodeNameSection,
	type ImportSyntax,
	type MemoryTypeSyntax,
	type Module,
	type ModuleCustom,
} from "../../wasm/mod.ts";
import type { EngineImports } from "../rewritten.ts";
import type { Survey } from "../survey.ts";
import { findEntries } from "./call-graph.ts";
import { type Check, encodeCheck } from "./check.ts";
import { moveLabels } from "./labels.ts";

const FLAG_TYPE: MemoryTypeSyntax = {
	kind: "memory",
	limits: { minimum: 1n, maximum: 1n, shared: true, index: "i32" },
};

/**
 * Puts a check at the head of each loop, and at the entry of functions so that every cycle of calls passes one. The flag's memory is
 * the last of the imported ones: the module defines none, for `lift` has made imports of them.
 * @param owned what it already imports of the engine
 * @returns `undefined` for a module that cannot run for ever by itself
 */
export function meterTrap(
	module: Module,
	survey: Survey,
	owned?: EngineImports,
): { readonly module: Module; readonly imports: EngineImports & { readonly flag: string } } | undefined {
	const entries = findEntries(module, survey);
	if (survey.loops.length === 0 && !entries.includes(1)) return undefined;
	const imported = countImports(module);
	const imports = engineImports(module, owned);
	const check = encodeCheck(imported.memory + module.memories.length);
	const old = hintsOf(module);
	const inserted = insertChecks(module, survey, entries, check, imported.func, old.hints);
	const added: ImportSyntax[] = [{ module: imports.module, name: imports.flag, type: FLAG_TYPE }];
	return {
		module: {
			...module,
			imports: [...module.imports, ...added],
			code: inserted.code,
			customs: rewriteCustoms(module, survey, entries, inserted.hints, old.section),
		},
		imports,
	};
}

function engineImports(module: Module, owned: EngineImports | undefined): EngineImports & { readonly flag: string } {
	if (owned !== undefined) return { ...owned, flag: "flag" };
	const taken = new Set(module.imports.map((item) => item.module));
	let name = "skerry";
	while (taken.has(name)) name += "'";
	return { module: name, memories: [], flag: "flag" };
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

function insertChecks(
	module: Module,
	survey: Survey,
	entries: Uint8Array,
	check: Check,
	firstFunction: number,
	old: BranchHints | null,
): { readonly code: Module["code"]; readonly hints: BranchHints | null } {
	const { code } = module;
	const { bytes } = check;
	const writer = new CodeWriter(code);
	const hints = new Map<number, readonly BranchHint[]>();
	for (let body = 0; body < code.starts.length; body++) {
		const start = code.starts[body] ?? 0;
		const added: BranchHint[] = [];
		const insert = (position: number): void => {
			writer.insert(position);
			added.push({ offset: writer.offsetOf(position) + check.branch, likely: false });
			writer.out.range(bytes, 0, bytes.length);
		};
		writer.begin(start);
		if (entries[body] === 1) insert(survey.codeStarts[body] ?? 0);
		for (let i = survey.loopStarts[body] ?? 0; i < (survey.loopStarts[body + 1] ?? 0); i++)
			insert(survey.loops[i] ?? 0);
		writer.finishBody(code.ends[body] ?? 0);
		const kept = old?.get(firstFunction + body) ?? [];
		if (kept.length === 0) {
			if (added.length > 0) hints.set(firstFunction + body, added);
			continue;
		}
		const moved = kept.map(({ offset, likely }) => {
			// Each check that lies before it, counted by where that came to lie
			let at = offset;
			for (const site of added) if (site.offset - check.branch <= at) at += bytes.length;
			return { offset: at, likely };
		});
		hints.set(
			firstFunction + body,
			[...moved, ...added].sort((a, b) => a.offset - b.offset),
		);
	}
	return { code: writer.finish(), hints: old === null ? null : hints };
}

function rewriteCustoms(
	module: Module,
	survey: Survey,
	entries: Uint8Array,
	hints: BranchHints | null,
	old: ModuleCustom | undefined,
): readonly ModuleCustom[] {
	const bytes = hints === null ? undefined : encodeBranchHints(hints);
	const customs = module.customs.map((custom) => {
		if (custom === old && bytes !== undefined) return { ...custom, bytes };
		return custom.name === "name" ? renameLabels(module, survey, entries, custom) : custom;
	});
	if (bytes !== undefined && old === undefined) customs.unshift({ name: BRANCH_HINTS, bytes, after: "data count" });
	return customs;
}

/** Labels are named by their number in the function, and each check has one. All other names stand as they are. */
function renameLabels(module: Module, survey: Survey, entries: Uint8Array, custom: ModuleCustom): ModuleCustom {
	const names = decodeNameSection(custom.bytes);
	if (names.labels.size === 0) return custom;
	// What would not come back as it was, a name for one label is not worth.
	const again = encodeNameSection(names);
	if (again.length !== custom.bytes.length || again.some((byte, i) => byte !== custom.bytes[i])) return custom;
	return {
		...custom,
		bytes: encodeNameSection({ ...names, labels: moveLabels(module, survey, entries, names.labels) }),
	};
}
