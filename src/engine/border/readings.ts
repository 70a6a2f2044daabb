/**
 * Host functions that give a 64-bit number and do nothing else, such as a look at a clock: guests that ask often, and JavaScript engines
 * do before and behind whatever they begin, are told without an object of V8's for each number, and without what calls need that could wait
 * or fail.
 *
 *   (func (export "read") (result i64) (local $value f64)
 *     (local.tee $value (call $read))             ;; JavaScript; negative, or NaN: not this time
 *     (if (f64.ge (f64.const 0))
 *       (then (return (i64.trunc_sat_f64_u (local.get $value)))))
 *     (call $function))                           ;; as if there were nothing of this
 */
import { Writer } from "../../bytes/mod.ts";
import { leaveOut } from "../v8/frames.ts";
import { webAssembly, type WasmExtern, type WasmInstance, type WasmModule } from "../v8/v8.ts";

/** What a host function would return, if it is a whole number from 0 that a double holds; negative where it has to be called itself. */
export type Reading = () => number;

const I64 = 0x7e;
const F64 = 0x7c;

function encodeReader(): Uint8Array {
	const [readType, functionType] = [0, 1];
	const [read, fn, own] = [0, 1, 2];
	const types = new Writer().u32(2);
	for (const result of [F64, I64]) types.u8(0x60).u32(0).u32(1).u8(result);
	const body = new Writer().u32(1).u32(1).u8(F64);
	body.u8(0x10).u32(read).u8(0x22).u32(0); // call, local.tee
	body.u8(0x44); // f64.const 0
	for (let i = 0; i < 8; i++) body.u8(0);
	body.u8(0x66).u8(0x04).u8(0x40); // f64.ge, if
	body.u8(0x20).u32(0).u8(0xfc).u32(7).u8(0x0f).u8(0x0b); // local.get, i64.trunc_sat_f64_u, return, end
	body.u8(0x10).u32(fn).u8(0x0b); // call, end
	return new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, types)
		.section(
			2,
			new Writer()
				.u32(2)
				.name("")
				.name("read")
				.u8(0x00)
				.u32(readType)
				.name("")
				.name("function")
				.u8(0x00)
				.u32(functionType),
		)
		.section(3, new Writer().u32(1).u32(functionType))
		.section(7, new Writer().u32(1).name("read").u8(0x00).u32(own))
		.section(10, new Writer().u32(1).sized(body.finish()))
		.finish();
}

let reader: WasmModule | undefined;

/**
 * A function of a guest's that asks `read` first.
 * @param fn a function of WebAssembly, without parameters, whose result is an i64
 */
export function readFirst(read: Reading, fn: WasmExtern): WasmExtern {
	const { Instance, Module } = webAssembly();
	reader ??= new Module(encodeReader());
	const instance: WasmInstance = new Instance(reader, { "": { read, function: fn } });
	leaveOut(instance);
	return instance.exports["read"];
}
