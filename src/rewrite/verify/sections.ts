import { Cursor, refuse, sameBytes, sameContent } from "./cursor.ts";
import { type SectionRange, sectionOf } from "./outline.ts";

const HINTS = "metadata.code.branch_hint";
const NAMES = "name";
/** Subsections of names: of functions, and of labels. */
const FUNCTIONS = 1;
const LABELS = 3;

/**
 * All sections but those that are compared item by item are the same bytes. Hints bind nobody; names may be those of labels, which
 * checks move, and of functions that were added.
 * @param functions how many the original has
 */
export function compareOthers(
	from: readonly SectionRange[],
	to: readonly SectionRange[],
	byItem: ReadonlySet<number>,
	functions: number,
): void {
	const others = (sections: readonly SectionRange[]): readonly SectionRange[] =>
		sections.filter(({ id, name }) => !byItem.has(id) && name !== HINTS);
	const wanted = others(from);
	const found = others(to);
	if (wanted.length !== found.length) throw refuse("it has other sections than the original");
	wanted.forEach((section, i) => {
		const other = found[i];
		const same =
			other?.id === section.id &&
			other.name === section.name &&
			(sameContent(section.content(), other.content()) ||
				(section.name === NAMES && sameNames(section, other, functions)));
		if (!same) throw refuse(`section ${section.name ?? section.id} is not what it was`);
	});
}

/** Whether two name sections differ in nothing but the names of labels, and of functions behind the original's. */
function sameNames(a: SectionRange, b: SectionRange, functions: number): boolean {
	const before = subsectionsOf(a);
	const after = subsectionsOf(b);
	const ids = [...before.keys(), ...(before.has(FUNCTIONS) ? [] : [FUNCTIONS])];
	if ([...after.keys()].some((id) => !ids.includes(id))) return false;
	for (const id of ids) {
		const first = before.get(id) ?? new Cursor(Uint8Array.of(0));
		const second = after.get(id) ?? new Cursor(Uint8Array.of(0));
		if (id === LABELS || sameContent(first, second)) continue;
		if (id !== FUNCTIONS || !isNamedBehind(first, second, functions)) return false;
	}
	return true;
}

function subsectionsOf(section: SectionRange): Map<number, Cursor> {
	const content = section.content();
	const found = new Map<number, Cursor>();
	while (!content.done) {
		const id = content.byte();
		if (found.has(id)) throw refuse("names are there twice");
		found.set(id, content.take(content.number()));
	}
	return found;
}

/** Whether the second map is the first with names of functions from `functions` on. */
function isNamedBehind(first: Cursor, second: Cursor, functions: number): boolean {
	const more = -first.number() + second.number();
	const size = first.end - first.at;
	if (more < 0 || !sameBytes(first.bytes, first.at, first.end, second.bytes, second.at)) return false;
	second.skip(size);
	for (let i = 0; i < more; i++) {
		if (second.number() < functions) return false;
		second.name();
	}
	return second.done;
}

/** The items of the original, however they are encoded; those that follow them are returned. */
export function addedItems<T>(
	id: number,
	from: readonly SectionRange[],
	to: readonly SectionRange[],
	read: (cursor: Cursor) => T,
): T[] {
	const before = sectionOf(from, id);
	const after = sectionOf(to, id);
	const count = before.number();
	const added = after.number() - count;
	const size = before.end - before.at;
	if (added < 0) throw refuse(`section ${id} does not begin as it did`);
	if (after.at + size <= after.end && sameBytes(before.bytes, before.at, before.end, after.bytes, after.at)) {
		after.skip(size);
	} else {
		for (let i = 0; i < count; i++) {
			if (JSON.stringify(read(before)) !== JSON.stringify(read(after)))
				throw refuse(`section ${id} does not begin as it did`);
		}
	}
	const items = Array.from({ length: added }, () => read(after));
	if (!after.done) throw refuse(`section ${id} has more than its items`);
	return items;
}
