import { type Cursor, refuse } from "./cursor.ts";

/** What may be declared behind the guest's own locals, all of one type, if anything is. */
interface Added {
	readonly type: number;
	readonly most: number;
}

export const NOTHING: Added = { type: 0, most: 0 };
/** How many loops that run in strips may stand within each other. */
export const MOST_STRIPS = 2;
/** One for the turns of each of those. */
export const LIMIT: Added = { type: 0x7f, most: MOST_STRIPS };
/** One for the fuel, and one for the lengths of instructions; the latter alone, where the fuel is a parameter. */
export const FUEL: Added = { type: 0x7e, most: 2 };
export const LENGTH: Added = { type: 0x7e, most: 1 };

/**
 * Both bodies declare the same locals, but for what is added. The cursors go behind.
 * @returns how many the original declares, and whether there are more
 */
export function compareLocals(
	from: Cursor,
	to: Cursor,
	added: Added,
	index: number,
): { readonly locals: number; readonly isLonger: boolean } {
	const refused = (): Error => refuse(`function ${index} has other locals`);
	const start = from.at;
	const begins = to.at;
	const runs = from.number();
	const more = to.number() - runs;
	let locals = 0;
	for (let i = 0; i < runs; i++) {
		const count = from.number();
		if (count !== to.number()) throw refused();
		locals += count;
		const type = from.at;
		from.skipType();
		for (let at = type; at < from.at; at++) if (to.byte() !== from.bytes[at]) throw refused();
	}
	if (more === 0) {
		// However the numbers are encoded: a body in which nothing is added is the same bytes
		if (from.at - start !== to.at - begins) throw refused();
		return { locals, isLonger: false };
	}
	if (more !== 1) throw refused();
	const count = to.number();
	if (count < 1 || count > added.most || to.byte() !== added.type) throw refused();
	return { locals, isLonger: true };
}
