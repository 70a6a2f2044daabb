import { Reader } from "../bytes/mod.ts";
import { countImports, decodeSection, encodeSites, isPutIn, type Module, originOf } from "../wasm/mod.ts";

/** Where the code of a rewritten module was in the original. Plain data, to be kept with the module. */
export interface Sites {
	/** Functions of the original, imported ones included: what has a higher index was added. */
	readonly functions: number;
	/** Where the content of the code section begins, in both modules. */
	readonly rewritten: number;
	readonly original: number;
	/** From there, as `code-sites.ts` has it. Modules with equal code have equal ones; `undefined` for code that is as it was. */
	readonly edits: Uint32Array | undefined;
}

/** Id of the code section. */
const CODE = 10;

/**
 * @param bytes what `rewritten` was encoded to
 * @returns `undefined` when a pass did not say where its code comes from
 */
export function findSites(original: Module, offset: number, rewritten: Module, bytes: Uint8Array): Sites | undefined {
	const { code } = rewritten;
	const same = code === original.code;
	if (!same && code.sites === undefined) return undefined;
	return {
		functions: countImports(original).func + original.functions.length,
		rewritten: findCodeSection(bytes),
		original: original.code.offset - offset,
		edits: same || code.sites === undefined ? undefined : encodeSites(code.sites, code),
	};
}

function findCodeSection(bytes: Uint8Array): number {
	const reader = new Reader(bytes);
	reader.take(8, "the preamble");
	while (!reader.done) {
		const { id, content } = decodeSection(reader, () => "core");
		if (id === CODE) return content.offset;
	}
	return 0;
}

/** Whether an instruction at `position` of the rewritten module was put in there: it is none of the guest's. */
export function isAdded({ edits, rewritten }: Sites, position: number): boolean {
	return edits !== undefined && isPutIn(edits, position - rewritten);
}

/** Where an instruction at `position` of the rewritten module stands in the original: bytes from its start. */
export function findOrigin(sites: Sites, position: number): number {
	const within = position - sites.rewritten;
	return sites.original + (sites.edits === undefined ? within : originOf(sites.edits, within));
}
