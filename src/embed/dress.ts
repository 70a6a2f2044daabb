import { containsKind, type ResourceType, type ValueType } from "../component/mod.ts";

/** What becomes of the parts of a value that JavaScript has objects of its own for. */
export interface Wardrobe {
	own(value: unknown, resource: ResourceType): unknown;
	stream(value: unknown, element: ValueType | null): unknown;
	future(value: unknown, element: ValueType | null): unknown;
}

/** The value, which belongs to the host, with those parts dressed; lists, records and the like stay the objects that they are. */
export function dress(type: ValueType, value: any, wardrobe: Wardrobe): any {
	if (!needsDress(type)) return value;
	const put = (holder: any, key: PropertyKey, inner: ValueType | null): void => {
		if (inner !== null && holder[key] !== undefined) holder[key] = dress(inner, holder[key], wardrobe);
	};
	switch (type.kind) {
		case "own":
			return wardrobe.own(value, type.resource);
		case "stream":
			return wardrobe.stream(value, type.element);
		case "future":
			return wardrobe.future(value, type.element);
		case "record":
			for (const { key, type: field } of type.fields) put(value, key, field);
			return value;
		case "tuple":
			for (const [i, element] of type.elements.entries()) put(value, i, element);
			return value;
		case "list":
			for (let i = 0; i < value.length; i++) put(value, i, type.element);
			return value;
		case "map":
			for (const [key, item] of value) value.set(key, dress(type.value, item, wardrobe));
			return value;
		case "option":
			if (type.element.kind !== "option") return value === undefined ? value : dress(type.element, value, wardrobe);
			put(value, "val", type.element);
			return value;
		case "result":
			put(value, "val", value.tag === "ok" ? type.ok : type.err);
			return value;
		case "variant":
			put(value, "val", type.cases.find(({ name }) => name === value.tag)?.type ?? null);
			return value;
		default:
			return value;
	}
}

const known = new WeakMap<ValueType, boolean>();

/** Whether values of the type can hold resources that the one who gets them owns, streams or futures. */
export function needsDress(type: ValueType): boolean {
	let needs = known.get(type);
	if (needs === undefined) known.set(type, (needs = containsKind(type, "own", "stream", "future")));
	return needs;
}
