import type { ValueType } from "../component/mod.ts";

/** How a type lies in linear memory: CanonicalABI.md, Alignment and Element Size. */
export interface Layout {
	/** Bytes, a multiple of the alignment. */
	readonly size: number;
	readonly alignment: number;
	/** Offset of each field or element of a record or tuple. */
	readonly offsets: readonly number[];
	/** What each case of a variant, enum, option or result carries. */
	readonly payloads: readonly (ValueType | null)[];
	/** Index of each case by name. */
	readonly cases: ReadonlyMap<unknown, number>;
	/** Bytes of the discriminant. */
	readonly discriminant: 1 | 2 | 4;
	readonly payloadOffset: number;
	/** For a map: the type of its entries. */
	readonly entry: ValueType | null;
}

const NO_CASES: ReadonlyMap<unknown, number> = new Map();
const cache = new WeakMap<ValueType, Layout>();

export function layoutOf(type: ValueType): Layout {
	let layout = cache.get(type);
	if (layout === undefined) cache.set(type, (layout = compute(type)));
	return layout;
}

function alignTo(offset: number, alignment: number): number {
	return Math.ceil(offset / alignment) * alignment;
}

function plain(size: number, alignment: number = size, more: Partial<Layout> = {}): Layout {
	return {
		size,
		alignment,
		offsets: [],
		payloads: [],
		cases: NO_CASES,
		discriminant: 1,
		payloadOffset: 0,
		entry: null,
		...more,
	};
}

function compute(type: ValueType): Layout {
	switch (type.kind) {
		case "bool":
		case "s8":
		case "u8":
			return plain(1);
		case "s16":
		case "u16":
			return plain(2);
		case "s64":
		case "u64":
		case "f64":
			return plain(8);
		case "string":
			return plain(8, 4);
		case "map":
			return plain(8, 4, { entry: { kind: "tuple", elements: [type.key, type.value] } });
		case "list": {
			if (type.length === undefined) return plain(8, 4);
			const element = layoutOf(type.element);
			return plain(element.size * type.length, element.alignment);
		}
		case "record":
			return sequence(type.fields.map((field) => field.type));
		case "tuple":
			return sequence(type.elements);
		case "flags":
			return plain(type.names.length <= 8 ? 1 : type.names.length <= 16 ? 2 : 4);
		case "enum":
			return variant(
				type.names,
				type.names.map(() => null),
			);
		case "variant":
			return variant(
				type.cases.map((c) => c.name),
				type.cases.map((c) => c.type),
			);
		case "option":
			return variant(["none", "some"], [null, type.element]);
		case "result":
			return variant(["ok", "err"], [type.ok, type.err]);
		default:
			// 32-bit integers, f32, char and all handles
			return plain(4);
	}
}

function sequence(types: readonly ValueType[]): Layout {
	const offsets: number[] = [];
	let size = 0;
	let alignment = 1;
	for (const type of types) {
		const layout = layoutOf(type);
		alignment = Math.max(alignment, layout.alignment);
		size = alignTo(size, layout.alignment);
		offsets.push(size);
		size += layout.size;
	}
	return plain(alignTo(size, alignment), alignment, { offsets });
}

function variant(names: readonly string[], payloads: readonly (ValueType | null)[]): Layout {
	const discriminant = names.length <= 2 ** 8 ? 1 : names.length <= 2 ** 16 ? 2 : 4;
	let size = 0;
	let payloadAlignment = 1;
	for (const payload of payloads) {
		if (payload === null) continue;
		const layout = layoutOf(payload);
		size = Math.max(size, layout.size);
		payloadAlignment = Math.max(payloadAlignment, layout.alignment);
	}
	const payloadOffset = alignTo(discriminant, payloadAlignment);
	const alignment = Math.max(discriminant, payloadAlignment);
	const cases = new Map(names.map((name, i) => [name as unknown, i]));
	return plain(alignTo(payloadOffset + size, alignment), alignment, { payloads, cases, discriminant, payloadOffset });
}
