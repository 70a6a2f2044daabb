import type { ValueType } from "../../component/mod.ts";
import type { Store } from "../store.ts";

/** Whether two value types are the same: by structure, resources by what stands behind them in this store. */
export function sameType(store: Store, a: ValueType | null, b: ValueType | null): boolean {
	if (a === b) return true;
	if (a === null || b === null || a.kind !== b.kind) return false;
	switch (a.kind) {
		case "list": {
			const other = b as typeof a;
			return a.length === other.length && sameType(store, a.element, other.element);
		}
		case "option":
		case "stream":
		case "future":
			return sameType(store, a.element, (b as typeof a).element);
		case "map": {
			const other = b as typeof a;
			return sameType(store, a.key, other.key) && sameType(store, a.value, other.value);
		}
		case "tuple":
			return sameAll(store, a.elements, (b as typeof a).elements);
		case "record": {
			const other = b as typeof a;
			return sameNames(a.fields, other.fields) && sameAll(store, typesOf(a.fields), typesOf(other.fields));
		}
		case "variant": {
			const other = b as typeof a;
			return sameNames(a.cases, other.cases) && sameAll(store, typesOf(a.cases), typesOf(other.cases));
		}
		case "flags":
		case "enum":
			return a.names.join() === (b as typeof a).names.join();
		case "result": {
			const other = b as typeof a;
			return sameType(store, a.ok, other.ok) && sameType(store, a.err, other.err);
		}
		case "own":
		case "borrow":
			return store.sameResource(a.resource, (b as typeof a).resource);
		default:
			return true;
	}
}

type Named = readonly { readonly name: string; readonly type: ValueType | null }[];

function typesOf(items: Named): (ValueType | null)[] {
	return items.map((item) => item.type);
}

function sameNames(a: Named, b: Named): boolean {
	return a.length === b.length && a.every((item, i) => item.name === b[i]?.name);
}

function sameAll(store: Store, a: readonly (ValueType | null)[], b: readonly (ValueType | null)[]): boolean {
	return a.length === b.length && a.every((type, i) => sameType(store, type, b[i] ?? null));
}
