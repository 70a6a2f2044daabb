import type { InitialState } from "../../rewrite/mod.ts";
import { DELTA_PAGE, isEqual } from "./page-delta.ts";

type Data = InitialState["data"];

/** What an instance begins with: the state that was taken out of its module, or how it differs from that of another with the same code. */
export interface StartState extends InitialState {
	/** Data to be written before the rest. */
	readonly base?: Data;
}

/** The same state without the module that it was taken from: the bytes are its own. */
export function copyInitial({ data, globals }: InitialState): StartState {
	return { data: [...pagesOf(data)].flatMap(([memory, pages]) => toData(memory, pages)), globals };
}

/** The state as it differs from another, whose data is kept once for all. The bytes are its own. */
export function deriveInitial({ data: base }: StartState, { data, globals }: InitialState): StartState {
	const known = pagesOf(base);
	const own = pagesOf(data);
	const changed: Data[number][] = [];
	for (const memory of new Set([...known.keys(), ...own.keys()])) {
		const [before, after] = [known.get(memory) ?? NOTHING, own.get(memory) ?? NOTHING];
		const pages = new Map<number, Uint8Array>();
		for (const offset of new Set([...before.keys(), ...after.keys()])) {
			const page = after.get(offset) ?? ZERO;
			if (!isEqual(before.get(offset) ?? ZERO, page)) pages.set(offset, page);
		}
		changed.push(...toData(memory, pages));
	}
	return { base, data: changed, globals };
}

const ZERO = new Uint8Array(DELTA_PAGE);
const NOTHING: ReadonlyMap<number, Uint8Array> = new Map();

/** By memory and offset: the pages that segments write to. */
function pagesOf(data: Data): Map<number, Map<number, Uint8Array>> {
	const memories = new Map<number, Map<number, Uint8Array>>();
	for (const { memory, offset, bytes } of data) {
		let pages = memories.get(memory);
		if (pages === undefined) memories.set(memory, (pages = new Map()));
		for (let at = 0; at < bytes.length;) {
			const within = (offset + at) % DELTA_PAGE;
			const start = offset + at - within;
			const part = bytes.subarray(at, at + DELTA_PAGE - within);
			let page = pages.get(start);
			if (page === undefined) pages.set(start, (page = new Uint8Array(DELTA_PAGE)));
			page.set(part, within);
			at += part.length;
		}
	}
	return memories;
}

/** Neighbouring pages become one. */
function toData(memory: number, pages: ReadonlyMap<number, Uint8Array>): Data[number][] {
	const offsets = [...pages.keys()].sort((a, b) => a - b);
	const data: Data[number][] = [];
	for (let i = 0; i < offsets.length;) {
		const offset = offsets[i] as number;
		let count = 1;
		while (offsets[i + count] === offset + count * DELTA_PAGE) count++;
		const bytes = new Uint8Array(count * DELTA_PAGE);
		for (let k = 0; k < count; k++) bytes.set(pages.get(offsets[i + k] as number) as Uint8Array, k * DELTA_PAGE);
		data.push({ memory, offset, bytes });
		i += count;
	}
	return data;
}
