import type { Module } from "../../wasm/mod.ts";
import type { Survey } from "../survey.ts";
import { type Additions, numbers } from "./additions.ts";
import { Assembler } from "./assembler.ts";
import { segmentBody } from "./bodies.ts";

export type SegmentKind = "data" | "elem";

/** What code needs of segments that it can drop: a global says whether one is gone, and what takes something out of it asks that. */
export class Segments {
	readonly #module: Module;
	readonly #survey: Survey;
	readonly #added: Additions;

	constructor(module: Module, survey: Survey, added: Additions) {
		this.#module = module;
		this.#survey = survey;
		this.#added = added;
	}

	isPassive(kind: SegmentKind, segment: number): boolean {
		const { data, elements } = this.#module;
		return kind === "data" ? data[segment]?.target === null : elements[segment]?.mode.kind === "passive";
	}

	/** Whether code drops it: then each use asks first. */
	isDropped(kind: SegmentKind, segment: number): boolean {
		const { droppedData, droppedElements } = this.#survey;
		return (kind === "data" ? droppedData : droppedElements).has(segment) && this.isPassive(kind, segment);
	}

	/** Bytes, or elements. */
	length(kind: SegmentKind, segment: number): number {
		if (kind === "data") return this.#module.data[segment]?.bytes.length ?? 0;
		const items = this.#module.elements[segment]?.items;
		return items?.kind === "functions" ? items.indices.length : (items?.expressions.length ?? 0);
	}

	/** What stands for the instruction that drops it; `undefined` for the instruction itself. */
	drop(kind: SegmentKind, segment: number): Assembler | undefined {
		if (!this.isPassive(kind, segment)) return undefined;
		return new Assembler().const("i32", 1).op("global.set", this.#added.droppedOf(kind, segment));
	}

	/** Before an instruction whose last two operands say where in the segment, and how much: nothing where it is never dropped. */
	gate(at: Assembler, kind: SegmentKind, segment: number): Assembler {
		if (!this.isDropped(kind, segment)) return at;
		const added = this.#added;
		const gate = added.function(`${kind} ${segment}`, "segment", numbers("i32", "i32"), numbers("i32", "i32"), () =>
			segmentBody(added.droppedOf(kind, segment)),
		);
		return at.op("call", gate);
	}
}
