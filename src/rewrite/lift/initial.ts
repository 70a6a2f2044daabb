import { countImports, type DataSegment, type GlobalDefinition, type Module } from "../../wasm/mod.ts";
import type { InitialData, InitialState } from "../rewritten.ts";
import type { Survey } from "../survey.ts";
import { type Additions, zeroGlobal } from "./additions.ts";
import { type Constant, evaluate, isOfType, type KnownGlobals } from "./constant.ts";

const PAGE = 65_536n;

function knownGlobals(module: Module): KnownGlobals {
	return { imported: countImports(module).global, globals: module.globals };
}

/**
 * Takes the data segments of the guest's own memories out of the module. Those of one memory all or none: what the module keeps is
 * written before the rest. And none at all where one is out of bounds: V8 is to write those before it, and to say so.
 */
export function liftData(
	module: Module,
	survey: Pick<Survey, "namesData">,
): Pick<Module, "data" | "dataCount"> & { readonly lifted: readonly InitialData[] } {
	const { data, dataCount } = module;
	const imported = countImports(module).memory;
	const known = knownGlobals(module);
	const stuck = new Set<number>();
	const lifted = new Map<DataSegment, InitialData>();
	for (const segment of data) {
		if (segment.target === null) continue;
		const { memory } = segment.target;
		const limits = module.memories[memory - imported]?.limits;
		if (limits === undefined) continue;
		const offset =
			limits.shared || limits.pageSizeLog2 !== undefined ? undefined : evaluate(segment.target.offset, known);
		if (offset === undefined || offset.type !== limits.index) {
			stuck.add(memory);
			continue;
		}
		const start = BigInt.asUintN(limits.index === "i32" ? 32 : 64, BigInt(offset.value));
		if (start + BigInt(segment.bytes.length) > limits.minimum * PAGE)
			return { data, dataCount: dataCount && survey.namesData, lifted: [] };
		lifted.set(segment, { memory, offset: Number(start), bytes: segment.bytes });
	}
	const taken = (segment: DataSegment): boolean => {
		const at = lifted.get(segment);
		return at !== undefined && !stuck.has(at.memory);
	};
	const out = [...lifted].flatMap(([segment, item]) => (taken(segment) ? [item] : []));
	// Code that names segments does so by index. An active one is empty once it was written.
	const kept = survey.namesData
		? data.map((segment) => (taken(segment) ? { target: null, bytes: new Uint8Array() } : segment))
		: data.filter((segment) => !taken(segment));
	return {
		data: out.length > 0 ? kept : data,
		dataCount: dataCount && survey.namesData,
		lifted: out.filter(({ bytes }) => bytes.length > 0),
	};
}

/** Mutable ones that can be put back. Each costs 10 µs of the main thread where its module is loaded; real programs have a few dozen. */
export const MAX_GLOBALS = 10_000;

export function hasManyGlobals({ globals }: Module): boolean {
	return globals.length > MAX_GLOBALS && globals.filter(({ type }) => type.mutable).length > MAX_GLOBALS;
}

/** The globals of the module, the mutable numbers among them exported and beginning as 0; and what the others of these are to be. Where they are too many to be put back, they stay as they are. */
export function liftGlobals(
	module: Module,
	added: Additions,
): { readonly globals: readonly GlobalDefinition[]; readonly lifted: InitialState["globals"] } {
	if (hasManyGlobals(module)) return { globals: module.globals, lifted: [] };
	const known = knownGlobals(module);
	const lifted: { name: string; value: number | bigint }[] = [];
	let changed = false;
	const globals = module.globals.map((global, i) => {
		const { type } = global;
		if (!type.mutable || type.type.kind !== "number" || type.type.name === "v128") return global;
		const constant = evaluate(global.init, known);
		if (constant === undefined || !isOfType(constant, type.type) || Number.isNaN(constant.value)) return global;
		const name = exportGlobal(added, known.imported + i);
		if (!isZero(constant)) lifted.push({ name, value: constant.value });
		// A zero that is written in the shortest way, as ours are
		else if (global.init.length === 1) return global;
		changed = true;
		return zeroGlobal(type.type);
	});
	return { globals: changed ? globals : module.globals, lifted };
}

/** Exports a mutable global of the guest's. */
export function exportGlobal(added: Additions, index: number): string {
	return added.export(`global:${index}`, "global", index);
}

function isZero({ value }: Constant): boolean {
	return value === 0n || Object.is(value, 0);
}
