import type { ValueType } from "./types.ts";

/** Whether values of the type are of one of these kinds, or hold some that are. */
export function containsKind(type: ValueType, ...kinds: readonly ValueType["kind"][]): boolean {
	return kinds.includes(type.kind) || partsOf(type).some((part) => containsKind(part, ...kinds));
}

/** The types directly inside of `type`. */
function partsOf(type: ValueType): readonly ValueType[] {
	switch (type.kind) {
		case "list":
		case "option":
			return [type.element];
		case "map":
			return [type.key, type.value];
		case "tuple":
			return type.elements;
		case "record":
			return type.fields.map((field) => field.type);
		case "variant":
			return type.cases.map((c) => c.type).filter((payload) => payload !== null);
		case "result":
			return [type.ok, type.err].filter((payload) => payload !== null);
		default:
			return [];
	}
}
