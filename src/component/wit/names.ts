/** WIT.md, Keywords: an identifier that is one is written with a `%`. */
const KEYWORDS: ReadonlySet<string> = new Set(
	(
		"as async bool borrow char constructor enum error-context export f32 f64 flags from func future import include " +
		"interface list map option own package record resource result s16 s32 s64 s8 static stream string tuple type " +
		"u16 u32 u64 u8 use variant with world"
	).split(" "),
);

export function printName(name: string): string {
	return KEYWORDS.has(name) ? `%${name}` : name;
}

/** Where a type was first given a name: an interface (by the name it is imported or exported under) or the world (`null`). */
export interface TypeHome {
	readonly owner: string | null;
	readonly name: string;
}

/** All types that have a name somewhere in the world, by definition. */
export type TypeHomes = Map<object, TypeHome>;
