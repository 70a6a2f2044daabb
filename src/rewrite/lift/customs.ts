import { Reader, Writer } from "../../bytes/mod.ts";
import { SkerryError } from "../../fault/mod.ts";
import {
	BRANCH_HINTS,
	type BranchHints,
	decodeBranchHints,
	encodeBranchHints,
	type Module,
	type ModuleCustom,
} from "../../wasm/mod.ts";

/** Subsection of the name section. */
const FUNCTIONS = 1;

/** The guest's branch hints; `null` for none, or for what cannot be read or is there twice, which stays as it is. */
export function hintsOf(module: Module): BranchHints | null {
	const [section, second] = module.customs.filter(({ name }) => name === BRANCH_HINTS);
	return section === undefined || second !== undefined ? null : decodeBranchHints(section.bytes);
}

/** The custom sections after functions were added and hints have moved. `names` of the added ones, from index `first` on; `hints` are `null` where they stay. */
export function liftCustoms(
	customs: readonly ModuleCustom[],
	first: number,
	names: readonly string[],
	hints: BranchHints | null,
): readonly ModuleCustom[] {
	if (names.length === 0 && hints === null) return customs;
	return customs.map((custom) => {
		if (custom.name === "name" && names.length > 0) return { ...custom, bytes: addNames(custom.bytes, first, names) };
		if (custom.name === BRANCH_HINTS && hints !== null) return { ...custom, bytes: encodeBranchHints(hints) };
		return custom;
	});
}

/** A name section with functions named behind the others. It is not decoded: it can be megabytes. What cannot be read stays as it is. */
function addNames(bytes: Uint8Array, first: number, names: readonly string[]): Uint8Array {
	const out = new Writer(bytes.length + 1024);
	const reader = new Reader(bytes);
	let done = false;
	let last = -1;
	const add = (count: number, before: Uint8Array): void => {
		const content = new Writer(before.length + 1024).u32(count + names.length).raw(before);
		names.forEach((name, i) => content.u32(first + i).name(name));
		out.section(FUNCTIONS, content);
		done = true;
	};
	try {
		while (!reader.done) {
			const id = reader.u8();
			// Out of order, or there twice
			if (id <= last) return bytes;
			last = id;
			const content = reader.sub(reader.u32());
			if (id > FUNCTIONS && !done) add(0, new Uint8Array());
			if (id === FUNCTIONS && !done) {
				const count = content.u32();
				add(count, content.take(content.remaining));
			} else out.u8(id).sized(content.take(content.remaining));
		}
	} catch (error) {
		if (!(error instanceof SkerryError)) throw error;
		return bytes;
	}
	if (!done) add(0, new Uint8Array());
	return out.detach();
}
