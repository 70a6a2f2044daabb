/**
 * A promise that V8 makes for a call into a guest tells of its end some microtasks later, even where the guest never waited. So the
 * guest is called through a Wasm function of our own, which tells the host at once:
 *
 *   call $guest
 *   call $done(result)
 *   ;; and returns the result, for the promise
 */
import { Writer } from "../../bytes/mod.ts";
import type { CoreValue } from "../../abi/mod.ts";
import type { CoreFunctionType } from "../../component/mod.ts";
import { leaveOut } from "../v8/frames.ts";
import { coreTypeCode } from "./trampolines.ts";
import { webAssembly, type WasmExtern, type WasmModule } from "../v8/v8.ts";

/** More parameters than any lifted function has. */
const MOST_PARAMETERS = 16;
/** Types come from guests, who must not fill the host's memory with them. */
const MOST_MODULES = 256;

const modules = new Map<string, WasmModule>();

/** Whether functions of this type can be announced. */
export function canAnnounce({ params, results }: CoreFunctionType): boolean {
	return (
		params.length <= MOST_PARAMETERS &&
		results.length <= 1 &&
		[...params, ...results].every((type) => coreTypeCode(type) !== undefined)
	);
}

type GuestFunction = (...args: CoreValue[]) => CoreValue | undefined;

/**
 * The function `guest` of this type, which calls `done` with its result before it returns. `undefined` where V8 has it for one of another
 * type, though parameters and results are the same: the guest's type has subtypes, or belongs to others.
 */
export function announce(
	guest: WasmExtern,
	type: CoreFunctionType,
	done: (result?: CoreValue) => void,
): GuestFunction | undefined {
	const key = `${type.params.join(" ")}->${type.results.join(" ")}`;
	let module = modules.get(key);
	if (module === undefined) {
		if (modules.size === MOST_MODULES) modules.clear();
		module = new (webAssembly().Module)(encodeAnnouncer(type));
		modules.set(key, module);
	}
	const { Instance, LinkError } = webAssembly();
	try {
		const instance = new Instance(module, { "": { guest, done } });
		leaveOut(instance);
		return instance.exports["call"] as GuestFunction;
	} catch (error) {
		if (error instanceof LinkError) return undefined;
		throw error;
	}
}

function encodeAnnouncer({ params, results }: CoreFunctionType): Uint8Array {
	const codes = (side: readonly string[]): number[] => side.map((type) => coreTypeCode(type) as number);
	const types = new Writer().u32(2);
	for (const [from, to] of [
		[params, results],
		[results, []],
	] as const) {
		types.u8(0x60);
		for (const side of [from, to]) {
			types.u32(side.length);
			for (const code of codes(side)) types.u8(code);
		}
	}
	const [guest, done, own] = [0, 1, 2];
	const imports = new Writer().u32(2);
	imports.name("").name("guest").u8(0x00).u32(0);
	imports.name("").name("done").u8(0x00).u32(1);
	const body = new Writer().u32(results.length);
	for (const code of codes(results)) body.u32(1).u8(code);
	const result = params.length;
	for (const i of params.keys()) body.u8(0x20).u32(i); // local.get
	body.u8(0x10).u32(guest); // call
	if (results.length > 0) body.u8(0x22).u32(result); // local.tee
	body.u8(0x10).u32(done);
	if (results.length > 0) body.u8(0x20).u32(result);
	body.u8(0x0b); // end
	return new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, types)
		.section(2, imports)
		.section(3, new Writer().u32(1).u32(0))
		.section(7, new Writer().u32(1).name("call").u8(0x00).u32(own))
		.section(10, new Writer().u32(1).sized(body.finish()))
		.finish();
}
