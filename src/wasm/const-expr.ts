import type { Reader } from "../bytes/mod.ts";
import { decodeHeapType, hex } from "./syntax.ts";

type Immediate = (reader: Reader) => void;

const none: Immediate = () => {};
const index: Immediate = (reader) => void reader.u32("an index");
const heap: Immediate = (reader) => void decodeHeapType(reader);

/** Instructions of WebAssembly 3.0 that a constant expression can hold, by opcode; the GC ones (prefix 0xfb) follow below. */
const CONSTANT = new Map<number, Immediate>([
	[0x23, index], // global.get
	[0x41, (reader) => skipSigned(reader, 5)], // i32.const
	[0x42, (reader) => skipSigned(reader, 10)], // i64.const
	[0x43, (reader) => void reader.take(4, "an f32")], // f32.const
	[0x44, (reader) => void reader.take(8, "an f64")], // f64.const
	[0x6a, none], // i32.add
	[0x6b, none], // i32.sub
	[0x6c, none], // i32.mul
	[0x7c, none], // i64.add
	[0x7d, none], // i64.sub
	[0x7e, none], // i64.mul
	[0xd0, heap], // ref.null
	[0xd2, index], // ref.func
]);

const CONSTANT_GC = new Map<number, Immediate>([
	[0, index], // struct.new
	[1, index], // struct.new_default
	[6, index], // array.new
	[7, index], // array.new_default
	[8, (reader) => (index(reader), index(reader))], // array.new_fixed
	[26, none], // any.convert_extern
	[27, none], // extern.convert_any
	[28, none], // ref.i31
]);

const END = 0x0b;
const PREFIX_GC = 0xfb;
const PREFIX_VECTOR = 0xfd;
/** v128.const, within prefix 0xfd. */
const V128_CONST = 12;

function skipSigned(reader: Reader, most: number): void {
	const start = reader.offset;
	for (let i = 0; i < most; i++) {
		if ((reader.u8("a constant") & 0x80) === 0) return;
	}
	throw reader.malformed("integer representation too long", start);
}

/** Moves past a constant expression and its `end`. Its types are not checked. */
export function skipConstantExpression(reader: Reader): void {
	for (;;) {
		const start = reader.offset;
		const opcode = reader.u8("an instruction");
		if (opcode === END) return;
		let immediate = CONSTANT.get(opcode);
		if (opcode === PREFIX_GC) {
			immediate = CONSTANT_GC.get(reader.u32("an opcode"));
		} else if (opcode === PREFIX_VECTOR && reader.u32("an opcode") === V128_CONST) {
			immediate = (r) => void r.take(16, "a v128");
		}
		if (immediate === undefined) {
			throw reader.malformed(`opcode ${hex(opcode)} is not allowed in a constant expression`, start);
		}
		immediate(reader);
	}
}
