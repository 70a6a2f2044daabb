import type { ValueType } from "../component/mod.ts";
import type { Layout } from "./layout.ts";
import { trap } from "./traps.ts";
import type { Tagged } from "./values.ts";

/** The types that are variants when despecialised. */
export type VariantType = Extract<ValueType, { kind: "variant" | "enum" | "option" | "result" }>;

/** The payload of case `index`, which came from the guest. */
export function payloadType(layout: Layout, index: number): ValueType | null {
	if (index >= layout.payloads.length) trap("invalid variant discriminant");
	return layout.payloads[index] ?? null;
}

/** True where `undefined` could mean two things. */
export function isNestedOption(type: VariantType): boolean {
	return type.kind === "option" && type.element.kind === "option";
}

/** The value of case `index`; `val` only counts where the case has a payload. */
export function toCase(type: VariantType, index: number, payload: ValueType | null, val: unknown): unknown {
	switch (type.kind) {
		case "enum":
			return type.names[index];
		case "option":
			if (!isNestedOption(type)) return index === 0 ? undefined : val;
			return index === 0 ? { tag: "none" } : { tag: "some", val };
		case "result": {
			const tag = index === 0 ? "ok" : "err";
			return payload === null ? { tag } : { tag, val };
		}
		case "variant": {
			const tag = type.cases[index]?.name;
			return payload === null ? { tag } : { tag, val };
		}
	}
}

/** The index of the case that a checked value is of. */
export function caseIndex(type: VariantType, layout: Layout, value: unknown): number {
	if (type.kind === "option" && !isNestedOption(type)) return value === undefined ? 0 : 1;
	const index = layout.cases.get(type.kind === "enum" ? value : (value as Tagged).tag);
	// Only a value that changes while it is read gets here.
	if (index === undefined) trap("a host value changed while it was lowered");
	return index;
}

/** What the case of a checked value carries. */
export function casePayload(type: VariantType, value: unknown): unknown {
	return type.kind === "option" && !isNestedOption(type) ? value : (value as Tagged).val;
}
