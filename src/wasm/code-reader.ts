import { Reader } from "../bytes/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { decodeImmediate, type ImmediateValue } from "./immediates.ts";
import { MAX_BR_TABLE, MAX_LOCALS } from "./limits.ts";
import { OPERATOR_LIMIT, operatorOf, PREFIX_FIRST, PREFIX_SIZE, printOpcode } from "./operators.ts";
import type { Atom } from "./opcode-row.ts";
import type { Code } from "./section/code.ts";
import { ACCESS, BARE, type Skim, STOP } from "./skim.ts";
import { decodeCoreValueType, hex, type ValueTypeSyntax } from "./syntax.ts";

/** Locals that are declared together: `count` of one type. */
export interface LocalRun {
	readonly count: number;
	readonly type: ValueTypeSyntax;
}

/** How `CodeReader.next` gets past the immediates of an operator. */
const ILLEGAL = 0;
const NONE = 1;
const ONE_U32 = 2;
const TWO_U32 = 3;
const MEMARG = 4;
const MEMARG_LANE = 5;
const S32 = 6;
const S64 = 7;
const FIXED_4 = 8;
const FIXED_8 = 9;
const FIXED_16 = 10;
const LANE = 11;
const BLOCK = 12;
const LABELS = 13;
const GENERAL = 14;

const U32: ReadonlySet<Atom> = new Set<Atom>([
	"func",
	"type",
	"table",
	"memory",
	"global",
	"tag",
	"data",
	"elem",
	"local",
	"label",
	"field",
	"length",
]);

const FORMS_OF_ONE: Readonly<Partial<Record<Atom, number>>> = {
	memarg: MEMARG,
	s32: S32,
	s64: S64,
	f32: FIXED_4,
	f64: FIXED_8,
	v128: FIXED_16,
	lanes: FIXED_16,
	lane: LANE,
	block: BLOCK,
	labels: LABELS,
};

function formOf(atoms: readonly Atom[]): number {
	if (atoms.length === 0) return NONE;
	if (atoms.length <= 2 && atoms.every((atom) => U32.has(atom))) return atoms.length === 1 ? ONE_U32 : TWO_U32;
	const [first, second] = atoms;
	if (first === "memarg" && second === "lane") return MEMARG_LANE;
	return (atoms.length === 1 && first !== undefined ? FORMS_OF_ONE[first] : undefined) ?? GENERAL;
}

const FORMS = Uint8Array.from({ length: OPERATOR_LIMIT }, (_, op) => {
	const operator = operatorOf(op);
	return operator === undefined ? ILLEGAL : formOf(operator.atoms);
});

/** Bit of a memory argument's flags: a memory index follows. */
const HAS_MEMORY = 0x40;

/**
 * Walks the instructions of function bodies, one after the other, without allocating anything:
 * `reader.enter(i); while (reader.next()) { reader.op … }`. Every instruction is decoded as the format demands, so a body
 * that was walked to its end is well-formed but for its nesting (`checkCode` checks that).
 */
export class CodeReader {
	readonly code: Code;
	readonly #bytes: Uint8Array;
	readonly #general: Reader;
	/** Where the body ends in `code.bytes`. */
	#limit = 0;
	/** Where the current body begins in `code.bytes`: at its local declarations. Branch hints count from here. */
	bodyStart = 0;
	/** Where the first instruction of the body begins in `code.bytes`. */
	codeStart = 0;
	/** How many locals the body declares. */
	declared = 0;
	/** The operator of the current instruction. */
	op = 0;
	/** Where the current instruction begins and ends in `code.bytes`. */
	start = 0;
	end = 0;
	/**
	 * Immediates of the current instruction that are small numbers: an index, label, local or lane; the value of `i32.const`;
	 * the memory of an access; the type index of a block, or -1 where it has none; how many labels a table has beside the default. 0 for others.
	 */
	first = 0;
	/** The second index; the alignment of a memory access (log2). */
	second = 0;
	/** What the instructions cost together that `nextOf` passed over. */
	passed = 0;
	/** Where the offset of a memory access begins. */
	#offset = 0;

	constructor(code: Code) {
		this.code = code;
		this.#bytes = code.bytes;
		this.#general = new Reader(code.bytes, code.offset);
	}

	/** Goes to the body at this place of the code section, past its local declarations. */
	enter(body: number): void {
		const { starts, ends } = this.code;
		this.bodyStart = starts[body] ?? 0;
		this.#limit = ends[body] ?? 0;
		const reader = this.#general;
		reader.position = this.bodyStart;
		let total = 0;
		for (let runs = reader.u32("the count of locals"); runs > 0; runs--) {
			if (reader.position >= this.#limit) throw this.#truncated();
			const start = reader.offset;
			total += reader.u32("a count of locals");
			if (total > MAX_LOCALS) {
				throw new SkerryError("binary/limit", `too many locals: more than ${MAX_LOCALS}`, { place: { offset: start } });
			}
			decodeCoreValueType(reader);
		}
		if (reader.position > this.#limit) throw this.#truncated();
		this.declared = total;
		this.codeStart = reader.position;
		this.start = reader.position;
		this.end = reader.position;
	}

	/** The local declarations of the body, parameters not among them. */
	locals(): readonly LocalRun[] {
		const reader = this.#general;
		reader.position = this.bodyStart;
		const runs: LocalRun[] = [];
		for (let n = reader.u32(); n > 0; n--) runs.push({ count: reader.u32(), type: decodeCoreValueType(reader) });
		return runs;
	}

	/** Moves to the next instruction; `false` at the end of the body. */
	next(): boolean {
		const bytes = this.#bytes;
		let at = this.end;
		if (at >= this.#limit) return false;
		this.start = at;
		let op = bytes[at++] as number;
		if (op >= 0xfb && PREFIX_FIRST[op] !== 0) {
			this.end = at;
			op = this.#prefixed(op);
			at = this.end;
		}
		this.op = op;
		const form = FORMS[op];
		// What most code consists of comes first, with the short forms of LEB128 in place: this loop is what a pass costs
		if (form === NONE) {
			this.first = 0;
		} else if (form === ONE_U32) {
			const byte = bytes[at++] as number;
			if (byte < 0x80) {
				this.first = byte;
			} else {
				this.end = at - 1;
				this.first = this.#u32();
				at = this.end;
			}
		} else if (form === S32) {
			const byte = bytes[at++] as number;
			if (byte < 0x80) {
				this.first = (byte << 25) >> 25;
			} else {
				this.end = at - 1;
				this.first = this.#s32();
				at = this.end;
			}
		} else if (form === MEMARG) {
			const flags = bytes[at] as number;
			const offset = bytes[at + 1] as number;
			if (flags < HAS_MEMORY && offset < 0x80) {
				this.first = 0;
				this.second = flags;
				this.#offset = at + 1;
				at += 2;
			} else {
				this.end = at;
				this.#memarg();
				at = this.end;
			}
		} else {
			this.end = at;
			this.#other(form as number);
			at = this.end;
		}
		if (at > this.#limit) throw this.#truncated();
		this.end = at;
		return true;
	}

	/**
	 * Moves to the next instruction that is not to be passed over; `false` at the end of the body. What is passed over is decoded as strictly:
	 * whatever is longer than most is left to `next`.
	 */
	nextOf({ ways, costs }: Skim): boolean {
		const bytes = this.#bytes;
		const limit = this.#limit;
		let at = this.end;
		let passed = 0;
		while (at < limit) {
			const op = bytes[at] as number;
			const way = ways[op] as number;
			if (way === STOP) break;
			let end = at + 1;
			if (way !== BARE) {
				if (way === ACCESS && (bytes[end++] as number) >= HAS_MEMORY) break;
				if ((bytes[end] as number) >= 0x80) {
					// Of four bytes none can be wrong
					if ((bytes[end + 1] as number) < 0x80) end++;
					else if ((bytes[end + 2] as number) < 0x80) end += 2;
					else if ((bytes[end + 3] as number) < 0x80) end += 3;
					else break;
				}
				end++;
			}
			at = end;
			passed += costs[op] as number;
		}
		if (at > limit) throw this.#truncated();
		this.end = at;
		this.passed = passed;
		return this.next();
	}

	/** Goes back to an instruction of the body, to be read again by `next`. */
	rewind(position: number): void {
		this.end = position;
	}

	/** All immediates of the current instruction, as objects. For the few instructions that a pass looks into. */
	immediates(): readonly ImmediateValue[] {
		const reader = this.#general;
		reader.position = this.start + 1;
		if (this.op >= 0x100) reader.u32();
		return (operatorOf(this.op)?.atoms ?? []).map((atom) => decodeImmediate(reader, atom));
	}

	/** The offset of the current instruction, a memory access. */
	memoryOffset(): bigint {
		this.#general.position = this.#offset;
		return this.#general.u64();
	}

	/** Whether the current instruction is the last of the body. */
	get last(): boolean {
		return this.end >= this.#limit;
	}

	/** An error at the current instruction. */
	malformed(message: string): SkerryError {
		return this.#malformed(message, this.start);
	}

	#malformed(message: string, position: number): SkerryError {
		return new SkerryError("binary/malformed", message, { place: { offset: this.code.offset + position } });
	}

	#truncated(): SkerryError {
		return new SkerryError("binary/truncated", "unexpected end: the function body ends in the middle of an item", {
			place: { offset: this.code.offset + this.#limit },
		});
	}

	#prefixed(prefix: number): number {
		const rest = this.#u32();
		if (rest < (PREFIX_SIZE[prefix] ?? 0)) return (PREFIX_FIRST[prefix] ?? 0) + rest;
		if (this.end > this.#limit) throw this.#truncated();
		throw this.malformed(`illegal opcode ${hex(prefix)} ${hex(rest)}`);
	}

	#u32(): number {
		const bytes = this.#bytes;
		let at = this.end;
		let result = 0;
		for (let shift = 0; shift < 35; shift += 7) {
			const byte = bytes[at++] as number;
			// Past the end of the buffer `byte` is undefined: that ends the number, and the caller sees the limit passed
			if (shift === 28 && byte > 0x0f) throw this.#badInteger(byte, at);
			result |= (byte & 0x7f) << shift;
			if (!(byte >= 0x80)) break;
		}
		this.end = at;
		return result >>> 0;
	}

	#badInteger(byte: number, end: number): SkerryError {
		if (end > this.#limit) return this.#truncated();
		return this.#malformed(byte >= 0x80 ? "integer representation too long" : "integer too large", end - 1);
	}

	#s32(): number {
		const bytes = this.#bytes;
		let at = this.end;
		let result = 0;
		for (let shift = 0; ; shift += 7) {
			const byte = bytes[at++] as number;
			if (shift === 28 && !(byte <= 0x07 || (byte >= 0x78 && byte < 0x80))) throw this.#badInteger(byte, at);
			result |= (byte & 0x7f) << shift;
			if (byte >= 0x80) continue;
			this.end = at;
			return shift < 28 && (byte & 0x40) !== 0 ? result | (-1 << (shift + 7)) : result;
		}
	}

	/** Past a LEB128 of 64 bits: of its tenth byte only the lowest bit counts, and a signed one must extend it. */
	#skip64(signed: boolean): void {
		const bytes = this.#bytes;
		let at = this.end;
		for (let i = 0; ; i++) {
			const byte = bytes[at++] as number;
			if (i === 9 && !(byte <= 0x01 ? !signed || byte === 0 : signed && byte === 0x7f))
				throw this.#badInteger(byte, at);
			if (!(byte >= 0x80)) break;
		}
		this.end = at;
	}

	#memarg(): void {
		const start = this.end;
		const flags = this.#u32();
		if (flags >= HAS_MEMORY * 2) throw this.#malformed("malformed memop flags", start);
		this.second = flags & (HAS_MEMORY - 1);
		this.first = flags >= HAS_MEMORY ? this.#u32() : 0;
		this.#offset = this.end;
		this.#skip64(false);
	}

	#other(form: number): void {
		this.first = 0;
		switch (form) {
			case TWO_U32:
				this.first = this.#u32();
				this.second = this.#u32();
				break;
			case BLOCK:
				this.#block();
				break;
			case S64:
				this.#skip64(true);
				break;
			case FIXED_4:
				this.end += 4;
				break;
			case FIXED_8:
				this.end += 8;
				break;
			case FIXED_16:
				this.end += 16;
				break;
			case LANE:
				this.first = this.#bytes[this.end++] ?? 0;
				break;
			case MEMARG_LANE:
				this.#memarg();
				this.end++;
				break;
			case LABELS:
				this.#labels();
				break;
			case ILLEGAL:
				throw this.malformed(`illegal opcode ${printOpcode(this.op)}`);
			default:
				this.#skipGeneral();
		}
	}

	#block(): void {
		const byte = this.#bytes[this.end] ?? 0;
		this.first = -1;
		if (byte === 0x40) {
			this.end++;
		} else if (byte < 0x40) {
			this.first = byte;
			this.end++;
		} else {
			const reader = this.#general;
			reader.position = this.end;
			const type = decodeImmediate(reader, "block");
			if (typeof type === "number") this.first = type;
			this.end = reader.position;
		}
	}

	#labels(): void {
		const start = this.end;
		const count = this.#u32();
		if (count > MAX_BR_TABLE) {
			throw new SkerryError("binary/limit", `br_table of ${count} labels exceeds the limit of ${MAX_BR_TABLE}`, {
				place: { offset: this.code.offset + start },
			});
		}
		this.first = count;
		for (let i = 0; i <= count; i++) {
			// Not left to the caller: the count may promise more than there is
			if (this.end >= this.#limit) throw this.#truncated();
			this.#u32();
		}
	}

	#skipGeneral(): void {
		const reader = this.#general;
		reader.position = this.end;
		for (const atom of operatorOf(this.op)?.atoms ?? []) decodeImmediate(reader, atom);
		this.end = reader.position;
	}
}
