import { SkerryError } from "../../fault/mod.ts";
import {
	type BranchHint,
	type BranchHints,
	CodeReader,
	CodeWriter,
	type CompositeTypeSyntax,
	countImports,
	defineSkim,
	type MemArg,
	type Module,
	OP,
	operatorOf,
	type SubTypeSyntax,
	type ValueTypeSyntax,
} from "../../wasm/mod.ts";
import type { Survey } from "../survey.ts";
import type { Additions } from "./additions.ts";
import { type Address, accessSize, Assembler } from "./assembler.ts";
import { arrayChunk, arrayCopyBody, arrayFillBody, arrayInitBody } from "./array-bodies.ts";
import { atomicBody, atomicTypes, copyBody, fillBody, growBody, initBody, segmentBody } from "./bodies.ts";
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
import { TABLE_CHUNK, tableCopyBody, tableFillBody, tableGrowBody, tableInitBody } from "./table-bodies.ts";

const {
	"memory.size": MEMORY_SIZE,
	"memory.grow": MEMORY_GROW,
	"memory.fill": MEMORY_FILL,
	"memory.copy": MEMORY_COPY,
	"memory.init": MEMORY_INIT,
	"data.drop": DATA_DROP,
	"elem.drop": ELEM_DROP,
	"table.set": TABLE_SET,
	"table.init": TABLE_INIT,
	"table.grow": TABLE_GROW,
	"table.fill": TABLE_FILL,
	"table.copy": TABLE_COPY,
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
	"memory.atomic.notify": FIRST_ATOMIC,
	"atomic.fence": FENCE,
} = OP;

const number = (name: string): ValueTypeSyntax => ({ kind: "number", name });
const numbers = (...names: readonly string[]): ValueTypeSyntax[] => names.map(number);

/** A reference to an array of this type, or null. */
const nullable = (type: number): ValueTypeSyntax => ({ kind: "ref", nullable: true, heap: type });

/** Code with the instructions replaced that depend on what the engine owns, and hints where they have moved to. */
export interface ReplacedCode {
	/** The very same object when there was nothing to replace. */
	readonly code: Module["code"];
	readonly hints: BranchHints | null;
}

/** Those that may be replaced, as far as they have no prefix. */
const WANTED: ReadonlySet<number> = new Set([MEMORY_SIZE, MEMORY_GROW, TABLE_SET, THROW]);
const SKIM = defineSkim((op) => WANTED.has(op));

/** Replaces instructions; what they need is added. `hints` of the guest's code, by function; `null` for none that can be read. */
export function replaceSites(
	module: Module,
	survey: Survey,
	added: Additions,
	hints: BranchHints | null,
): ReplacedCode {
	const { code } = module;
	const firstFunction = countImports(module).func;
	const sites = new Sites(module, survey, added);
	const moved = new Map<number, readonly BranchHint[]>(hints ?? []);
	const reader = new CodeReader(code);
	let writer: CodeWriter | undefined;
	/** Bodies up to here are written. */
	let written = 0;
	const copyUpTo = (out: CodeWriter, body: number): void => {
		for (; written < body; written++) out.begin(code.starts[written] ?? 0).finishBody(code.ends[written] ?? 0);
	};
	for (let body = 0; body < code.starts.length; body++) {
		if (survey.siteBodies[body] !== 1) continue;
		const old = hints?.get(firstFunction + body);
		const offsets = new Map(old?.map(({ offset, likely }) => [offset, likely]));
		const kept: BranchHint[] = [];
		let begun = false;
		reader.enter(body);
		const walk = (): void => {
			// Where hints may have to be moved, each instruction is looked at
			while (offsets.size > 0 ? reader.next() : reader.nextOf(SKIM)) {
				const replacement = sites.replacement(reader);
				if (replacement !== undefined) {
					writer ??= new CodeWriter(code);
					if (!begun) {
						copyUpTo(writer, body);
						writer.begin(reader.bodyStart);
						begun = true;
					}
					writer.replace(reader.start, reader.end).out.raw(replacement);
				} else if (offsets.size > 0) {
					const at = reader.start - reader.bodyStart;
					const likely = offsets.get(at);
					if (likely === undefined) continue;
					kept.push({ offset: begun && writer !== undefined ? writer.offsetOf(reader.start) : at, likely });
				}
			}
		};
		walk();
		if (!begun || writer === undefined) continue;
		writer.finishBody(reader.end);
		written = body + 1;
		if (old !== undefined) moved.set(firstFunction + body, kept);
	}
	if (added.functions.length > 0) writer ??= new CodeWriter(code);
	if (writer === undefined) return { code, hints };
	copyUpTo(writer, code.starts.length);
	for (const { body } of added.functions) {
		writer.begin(0).out.raw(body);
		writer.finishBody(0);
	}
	return { code: writer.finish(), hints: hints === null ? null : moved };
}

class Sites {
	readonly #module: Module;
	readonly #survey: Survey;
	readonly #added: Additions;
	/** Of most sites there are many alike. */
	readonly #known = new Map<string, Uint8Array>();
	#types: readonly SubTypeSyntax[] | undefined;

	constructor(module: Module, survey: Survey, added: Additions) {
		this.#module = module;
		this.#survey = survey;
		this.#added = added;
	}

	/** What stands in the place of the current instruction; `undefined` where that is the instruction itself. */
	replacement(reader: CodeReader): Uint8Array | undefined {
		const { op, first, second } = reader;
		if (op >= FIRST_ATOMIC && op !== FENCE) {
			return this.#added.isManaged(first) ? this.#atomic(reader) : undefined;
		}
		if (op !== MEMORY_SIZE && op !== MEMORY_GROW && op !== TABLE_SET && op !== THROW && op < STRUCT_NEW)
			return undefined;
		const key = `${op} ${first} ${second}`;
		const known = this.#known.get(key);
		if (known !== undefined) return known;
		const at = this.#plain(op, first, second);
		if (at === undefined) return undefined;
		const bytes = at.out.finish();
		this.#known.set(key, bytes);
		return bytes;
	}

	#plain(op: number, first: number, second: number): Assembler | undefined {
		const added = this.#added;
		switch (op) {
			case MEMORY_SIZE:
				return added.isManaged(first) ? new Assembler().op("global.get", added.pagesOf(first)) : undefined;
			case MEMORY_GROW: {
				if (!added.isManaged(first)) return undefined;
				const type = added.memoryAddress(first);
				// Nothing here reads it, but the engine is to know that this memory can change its size
				added.pagesOf(first);
				return this.#call(op, first, 0, numbers(type), numbers(type), () => growBody(added, first));
			}
			case MEMORY_FILL: {
				if (!added.isManaged(first)) return undefined;
				const type = added.memoryAddress(first);
				return this.#call(op, first, 0, numbers(type, "i32", type), [], () => fillBody(added, first));
			}
			case MEMORY_COPY: {
				if (!added.isManaged(first) && !added.isManaged(second)) return undefined;
				const target = added.memoryAddress(first);
				const source = added.memoryAddress(second);
				const params = numbers(target, source, target === "i64" ? source : "i32");
				return this.#call(op, first, second, params, [], () => copyBody(added, first, second));
			}
			case MEMORY_INIT:
				return this.#memoryInit(first, second);
			case DATA_DROP:
				return this.#isPassiveData(first) ? this.#drop("data", first) : undefined;
			case ELEM_DROP:
				return this.#isPassiveElement(first) ? this.#drop("elem", first) : undefined;
			case TABLE_SET:
				return this.#touch().op("table.set", first);
			case TABLE_INIT:
				return this.#tableInit(first, second);
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
			case TABLE_GROW: {
				const type = added.tableAddress(first);
				const params = [added.tableElement(first), number(type)];
				return this.#call(op, first, 0, params, numbers(type), () => tableGrowBody(added, first), this.#touch());
			}
			case TABLE_FILL: {
				const type = number(added.tableAddress(first));
				const params = [type, added.tableElement(first), type];
				return this.#call(op, first, 0, params, [], () => tableFillBody(added, first), this.#touch());
			}
			case TABLE_COPY: {
				const target = added.tableAddress(first);
				const source = added.tableAddress(second);
				const params = numbers(target, source, target === "i64" ? source : "i32");
				return this.#call(op, first, second, params, [], () => tableCopyBody(added, first, second), this.#touch());
			}
			default:
				return undefined;
		}
	}

	#call(
		op: number,
		first: number,
		second: number,
		params: readonly ValueTypeSyntax[],
		results: readonly ValueTypeSyntax[],
		write: () => Uint8Array,
		at: Assembler = new Assembler(),
	): Assembler {
		const name = operatorOf(op)?.name ?? "";
		const index = this.#added.function(`${op} ${first} ${second}`, name, params, results, write);
		return at.op("call", index);
	}

	/** What comes before all that changes a table: a reset looks at tables only where there was some of it. */
	#touch(): Assembler {
		return new Assembler().const("i32", 1).op("global.set", this.#added.changedTables());
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
	#arrayOf(kind: "data" | "elem", type: number, segment: number): Assembler {
		const allocate = this.#allocate();
		const { droppedData, droppedElements } = this.#survey;
		const at = new Assembler();
		const isDropped = (kind === "data" ? droppedData : droppedElements).has(segment);
		if (isDropped && (kind === "data" ? this.#isPassiveData(segment) : this.#isPassiveElement(segment)))
			this.#gate(at, kind, segment);
		const width = elementBytes(this.#type(type));
		const most =
			kind === "data"
				? Math.floor((this.#module.data[segment]?.bytes.length ?? 0) / width)
				: this.#segmentLength(segment);
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
		const [i32] = numbers("i32") as [ValueTypeSyntax];
		const params = [nullable(type), i32, isPacked ? i32 : storage, i32];
		return this.#call(ARRAY_FILL, type, 0, params, [], () => arrayFillBody(type, elementBytes(array)));
	}

	#arrayCopy(to: number, from: number): Assembler | undefined {
		if (!this.#isArray(to) || !this.#isArray(from)) return undefined;
		const [i32] = numbers("i32") as [ValueTypeSyntax];
		const params = [nullable(to), i32, nullable(from), i32, i32];
		return this.#call(ARRAY_COPY, to, from, params, [], () => arrayCopyBody(to, from, elementBytes(this.#type(to))));
	}

	#arrayInit(kind: "data" | "elem", op: number, type: number, segment: number): Assembler | undefined {
		const isPassive = kind === "data" ? this.#isPassiveData(segment) : this.#isPassiveElement(segment);
		if (!isPassive || !this.#isArray(type)) return undefined;
		const { droppedData, droppedElements } = this.#survey;
		const isDropped = (kind === "data" ? droppedData : droppedElements).has(segment);
		const width = elementBytes(this.#type(type));
		const unit = kind === "data" ? width : 1;
		const length = kind === "data" ? (this.#module.data[segment]?.bytes.length ?? 0) : this.#segmentLength(segment);
		// A small one is a piece itself: more cannot be taken out of it
		if (length <= arrayChunk(width) * unit) return isDropped ? this.#use(kind, segment, op, type, segment) : undefined;
		const at = new Assembler();
		if (isDropped) this.#gate(at, kind, segment);
		const [i32] = numbers("i32") as [ValueTypeSyntax];
		const body = (): Uint8Array => arrayInitBody(kind, type, segment, { width, unit, length });
		return this.#call(op, type, segment, [nullable(type), i32, i32, i32], [], body, at);
	}

	/** Elements of a segment. */
	#segmentLength(segment: number): number {
		const items = this.#module.elements[segment]?.items;
		return items?.kind === "functions" ? items.indices.length : (items?.expressions.length ?? 0);
	}

	#tableInit(segment: number, table: number): Assembler {
		const added = this.#added;
		const at = this.#touch();
		const isPassive = this.#isPassiveElement(segment);
		if (isPassive && this.#survey.droppedElements.has(segment)) this.#gate(at, "elem", segment);
		const length = this.#segmentLength(segment);
		// A small one is a piece itself: more cannot be taken out of it
		if (!isPassive || length <= TABLE_CHUNK) return at.op("table.init", segment, table);
		const params = numbers(added.tableAddress(table), "i32", "i32");
		return this.#call(TABLE_INIT, segment, table, params, [], () => tableInitBody(added, segment, table, length), at);
	}

	#memoryInit(segment: number, memory: number): Assembler | undefined {
		const added = this.#added;
		if (!added.isManaged(memory)) {
			const isDropped = this.#survey.droppedData.has(segment);
			return isDropped ? this.#use("data", segment, MEMORY_INIT, segment, memory) : undefined;
		}
		const isPassive = this.#isPassiveData(segment);
		const length = isPassive ? (this.#module.data[segment]?.bytes.length ?? 0) : 0;
		const dropped = isPassive && this.#survey.droppedData.has(segment) ? added.droppedOf("data", segment) : undefined;
		const params = numbers(added.memoryAddress(memory), "i32", "i32");
		return this.#call(MEMORY_INIT, segment, memory, params, [], () =>
			initBody(added, segment, memory, length, dropped),
		);
	}

	#isPassiveData(segment: number): boolean {
		return this.#module.data[segment]?.target === null;
	}

	#isPassiveElement(segment: number): boolean {
		return this.#module.elements[segment]?.mode.kind === "passive";
	}

	#drop(kind: "data" | "elem", segment: number): Assembler {
		return new Assembler().const("i32", 1).op("global.set", this.#added.droppedOf(kind, segment));
	}

	/** The instruction, of a segment that may be gone: its last two operands say where in the segment, and how much. */
	#use(kind: "data" | "elem", segment: number, op: number, first: number, second: number): Assembler | undefined {
		const isPassive = kind === "data" ? this.#isPassiveData(segment) : this.#isPassiveElement(segment);
		if (!isPassive) return undefined;
		const name = operatorOf(op)?.name;
		return name === undefined ? undefined : this.#gate(new Assembler(), kind, segment).op(name, first, second);
	}

	#gate(at: Assembler, kind: "data" | "elem", segment: number): Assembler {
		const added = this.#added;
		const gate = added.function(`${kind} ${segment}`, "segment", numbers("i32", "i32"), numbers("i32", "i32"), () =>
			segmentBody(added.droppedOf(kind, segment)),
		);
		return at.op("call", gate);
	}

	#atomic(reader: CodeReader): Uint8Array {
		const added = this.#added;
		const { op, first: memory } = reader;
		const { align, offset } = reader.immediates()[0] as MemArg;
		const type: Address = added.memoryAddress(memory);
		const name = operatorOf(op)?.name ?? "";
		// What V8 would see in the instruction itself
		if (align !== Math.log2(accessSize(op))) throw this.#invalid(reader, `invalid alignment for ${name}`);
		if (type === "i32" && offset > 0xffff_ffffn) throw this.#invalid(reader, "offset out of range");
		const { params, results } = atomicTypes(added, op, memory);
		const index = added.function(`${op} ${memory}`, name, numbers(...params), numbers(...results), () =>
			atomicBody(added, op, memory),
		);
		const at = new Assembler();
		if (type === "i32") at.op("i32.const").out.s32(Number(BigInt.asIntN(32, offset)));
		else at.op("i64.const").out.s64(offset);
		return at.op("call", index).out.finish();
	}

	#invalid(reader: CodeReader, what: string): SkerryError {
		const place = { offset: this.#module.code.offset + reader.start };
		return new SkerryError("core/invalid", `Cannot compile a core module: ${what}`, { place });
	}
}
