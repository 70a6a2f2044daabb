import { SkerryError } from "../../fault/mod.ts";
import { type CodeReader, type MemArg, type Module, OP, operatorOf, type ValueTypeSyntax } from "../../wasm/mod.ts";
import type { Survey } from "../survey.ts";
import { type Additions, numbers } from "./additions.ts";
import { type Address, accessSize, Assembler } from "./assembler.ts";
import { atomicBody, atomicTypes, copyBody, fillBody, growBody, initBody } from "./bodies.ts";
import { ObjectReplacements } from "./object-replacements.ts";
import { Segments } from "./segments.ts";
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
	"memory.atomic.notify": FIRST_ATOMIC,
	"atomic.fence": FENCE,
} = OP;

/** What stands in the place of instructions that depend on what the engine owns. */
export class Replacements {
	readonly #module: Module;
	readonly #added: Additions;
	readonly #segments: Segments;
	readonly #objects: ObjectReplacements;
	/** Of most sites there are many alike. */
	readonly #known = new Map<string, Uint8Array>();

	constructor(module: Module, survey: Survey, added: Additions) {
		this.#module = module;
		this.#added = added;
		this.#segments = new Segments(module, survey, added);
		this.#objects = new ObjectReplacements(module, added, this.#segments);
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
				return this.#segments.drop("data", first);
			case ELEM_DROP:
				return this.#segments.drop("elem", first);
			case TABLE_SET:
				return this.#touch().op("table.set", first);
			case TABLE_INIT:
				return this.#tableInit(first, second);
			case TABLE_GROW: {
				const type = added.tableAddress(first);
				const params = [added.tableElement(first), ...numbers(type)];
				return this.#call(op, first, 0, params, numbers(type), () => tableGrowBody(added, first), this.#touch());
			}
			case TABLE_FILL: {
				const [type] = numbers(added.tableAddress(first)) as [ValueTypeSyntax];
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
				return this.#objects.replacement(op, first, second);
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
		return at.op("call", this.#added.standIn(op, first, second, params, results, write));
	}

	/** What comes before all that changes a table: a reset looks at tables only where there was some of it. */
	#touch(): Assembler {
		return new Assembler().const("i32", 1).op("global.set", this.#added.changedTables());
	}

	#tableInit(segment: number, table: number): Assembler {
		const added = this.#added;
		const at = this.#segments.gate(this.#touch(), "elem", segment);
		const length = this.#segments.length("elem", segment);
		// A small one is a piece itself: more cannot be taken out of it
		if (!this.#segments.isPassive("elem", segment) || length <= TABLE_CHUNK) return at.op("table.init", segment, table);
		const params = numbers(added.tableAddress(table), "i32", "i32");
		return this.#call(TABLE_INIT, segment, table, params, [], () => tableInitBody(added, segment, table, length), at);
	}

	#memoryInit(segment: number, memory: number): Assembler | undefined {
		const added = this.#added;
		const segments = this.#segments;
		const isDropped = segments.isDropped("data", segment);
		if (!added.isManaged(memory))
			return isDropped ? segments.gate(new Assembler(), "data", segment).op("memory.init", segment, memory) : undefined;
		const length = segments.isPassive("data", segment) ? segments.length("data", segment) : 0;
		const dropped = isDropped ? added.droppedOf("data", segment) : undefined;
		const params = numbers(added.memoryAddress(memory), "i32", "i32");
		return this.#call(MEMORY_INIT, segment, memory, params, [], () =>
			initBody(added, segment, memory, length, dropped),
		);
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
