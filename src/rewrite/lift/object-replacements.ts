import { type CompositeTypeSyntax, type Module, OP, type SubTypeSyntax, type ValueTypeSyntax } from "../../wasm/mod.ts";
import { type Additions, numbers } from "./additions.ts";
import { arrayChunk, arrayCopyBody, arrayFillBody, arrayInitBody } from "./array-bodies.ts";
import { Assembler } from "./assembler.ts";
import {
	allocateBody,
	arrayBytes,
	copiedLengthBody,
	elementBytes,
	exceptionBytes,
	lengthBody,
	structureBytes,
	tagType,
} from "./heap-bodies.ts";
import type { SegmentKind, Segments } from "./segments.ts";

const {
	throw: THROW,
	"struct.new": STRUCT_NEW,
	"struct.new_default": STRUCT_NEW_DEFAULT,
	"array.new": ARRAY_NEW,
	"array.new_default": ARRAY_NEW_DEFAULT,
	"array.new_fixed": ARRAY_NEW_FIXED,
	"array.fill": ARRAY_FILL,
	"array.copy": ARRAY_COPY,
	"array.new_data": ARRAY_NEW_DATA,
	"array.init_data": ARRAY_INIT_DATA,
	"array.new_elem": ARRAY_NEW_ELEM,
	"array.init_elem": ARRAY_INIT_ELEM,
} = OP;

const I32: ValueTypeSyntax = { kind: "number", name: "i32" };

/** A reference to an array of this type, or null. */
const nullable = (type: number): ValueTypeSyntax => ({ kind: "ref", nullable: true, heap: type });

/** What stands in the place of instructions that make something in V8's heap, and of those on many elements of an array. */
export class ObjectReplacements {
	readonly #module: Module;
	readonly #added: Additions;
	readonly #segments: Segments;
	#types: readonly SubTypeSyntax[] | undefined;

	constructor(module: Module, added: Additions, segments: Segments) {
		this.#module = module;
		this.#added = added;
		this.#segments = segments;
	}

	/** `undefined` for the instruction itself. */
	replacement(op: number, first: number, second: number): Assembler | undefined {
		switch (op) {
			case THROW:
				return this.#make(exceptionBytes(tagType(this.#module, first))).op("throw", first);
			case STRUCT_NEW:
				return this.#make(structureBytes(this.#type(first))).op("struct.new", first);
			case STRUCT_NEW_DEFAULT:
				return this.#make(structureBytes(this.#type(first))).op("struct.new_default", first);
			case ARRAY_NEW_FIXED:
				return this.#make(arrayBytes(this.#type(first), second)).op("array.new_fixed", first, second);
			case ARRAY_NEW:
				return this.#arrayNew(first).op("array.new", first);
			case ARRAY_NEW_DEFAULT:
				return this.#arrayNew(first).op("array.new_default", first);
			case ARRAY_NEW_ELEM:
				return this.#arrayOf("elem", first, second).op("array.new_elem", first, second);
			case ARRAY_NEW_DATA:
				return this.#arrayOf("data", first, second).op("array.new_data", first, second);
			case ARRAY_FILL:
				return this.#arrayFill(first);
			case ARRAY_COPY:
				return this.#arrayCopy(first, second);
			case ARRAY_INIT_ELEM:
				return this.#arrayInit("elem", op, first, second);
			case ARRAY_INIT_DATA:
				return this.#arrayInit("data", op, first, second);
			default:
				return undefined;
		}
	}

	#type(index: number): CompositeTypeSyntax | undefined {
		this.#types ??= this.#module.types.flat();
		return this.#types[index]?.composite;
	}

	/** The function that takes bytes of what the guest was given. */
	#allocate(): number {
		const added = this.#added;
		return added.function("allocate", "allocate", numbers("i64"), [], () => allocateBody(added));
	}

	/** Before so many bytes are made. */
	#make(bytes: number): Assembler {
		return new Assembler().const("i64", bytes).op("call", this.#allocate());
	}

	/** The length of a new array lies on the stack, whatever else there is. */
	#arrayNew(type: number): Assembler {
		const allocate = this.#allocate();
		const width = elementBytes(this.#type(type));
		const bound = this.#added.function(`array ${width}`, "array.new", numbers("i32"), numbers("i32"), () =>
			lengthBody(width, allocate),
		);
		return new Assembler().op("call", bound);
	}

	/** The same for an array that is taken out of a segment. */
	#arrayOf(kind: SegmentKind, type: number, segment: number): Assembler {
		const allocate = this.#allocate();
		const at = this.#segments.gate(new Assembler(), kind, segment);
		const width = elementBytes(this.#type(type));
		const length = this.#segments.length(kind, segment);
		const most = kind === "data" ? Math.floor(length / width) : length;
		const bound = this.#added.function(`${kind} ${width} ${most}`, "array.new", numbers("i32"), numbers("i32"), () =>
			copiedLengthBody(width, most, allocate),
		);
		return at.op("call", bound);
	}

	/** Of what is no array, V8 says so. */
	#isArray(type: number): boolean {
		return this.#type(type)?.kind === "array";
	}

	#arrayFill(type: number): Assembler | undefined {
		const array = this.#type(type);
		if (array?.kind !== "array") return undefined;
		const { storage } = array.element;
		const isPacked = storage.kind === "number" && (storage.name === "i8" || storage.name === "i16");
		const params = [nullable(type), I32, isPacked ? I32 : storage, I32];
		const body = (): Uint8Array => arrayFillBody(type, elementBytes(array));
		return new Assembler().op("call", this.#added.standIn(ARRAY_FILL, type, 0, params, [], body));
	}

	#arrayCopy(to: number, from: number): Assembler | undefined {
		if (!this.#isArray(to) || !this.#isArray(from)) return undefined;
		const params = [nullable(to), I32, nullable(from), I32, I32];
		const body = (): Uint8Array => arrayCopyBody(to, from, elementBytes(this.#type(to)));
		return new Assembler().op("call", this.#added.standIn(ARRAY_COPY, to, from, params, [], body));
	}

	#arrayInit(kind: SegmentKind, op: number, type: number, segment: number): Assembler | undefined {
		const segments = this.#segments;
		if (!segments.isPassive(kind, segment) || !this.#isArray(type)) return undefined;
		const width = elementBytes(this.#type(type));
		const unit = kind === "data" ? width : 1;
		const length = segments.length(kind, segment);
		const isPiece = length <= arrayChunk(width) * unit;
		if (isPiece && !segments.isDropped(kind, segment)) return undefined;
		const at = segments.gate(new Assembler(), kind, segment);
		// A small one is a piece itself: more cannot be taken out of it
		if (isPiece) return at.op(`array.init_${kind}`, type, segment);
		const params = [nullable(type), I32, I32, I32];
		const body = (): Uint8Array => arrayInitBody(kind, type, segment, { width, unit, length });
		return at.op("call", this.#added.standIn(op, type, segment, params, [], body));
	}
}
