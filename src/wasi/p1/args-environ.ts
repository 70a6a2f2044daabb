import type { CoreHostFunction } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { type P1, p1Function } from "./state.ts";

const encoder = new TextEncoder();

const argumentsOf = ({ context }: P1): Uint8Array[] => context.args.map((text) => encoder.encode(`${text}\0`));
const variablesOf = ({ context }: P1): Uint8Array[] =>
	Object.entries(context.env).map(([name, value]) => encoder.encode(`${name}=${value}\0`));

function sizes(list: (p1: P1) => Uint8Array[]): CoreHostFunction<WasiContext> {
	return p1Function("i32 i32", (p1, count: number, bytes: number) => {
		const texts = list(p1);
		p1.memory.setU32(count, texts.length);
		p1.memory.setU32(
			bytes,
			texts.reduce((sum, text) => sum + text.length, 0),
		);
	});
}

function texts(list: (p1: P1) => Uint8Array[]): CoreHostFunction<WasiContext> {
	return p1Function("i32 i32", (p1, pointers: number, buffer: number) => {
		let pointer = pointers >>> 0;
		let at = buffer >>> 0;
		for (const text of list(p1)) {
			p1.memory.setU32(pointer, at);
			p1.memory.write(at, text);
			pointer += 4;
			at += text.length;
		}
	});
}

/** Arguments and environment: NUL-terminated texts, and a list of pointers to them. */
export const ARGS_ENVIRON: Readonly<Record<string, CoreHostFunction<WasiContext>>> = {
	args_sizes_get: sizes(argumentsOf),
	args_get: texts(argumentsOf),
	environ_sizes_get: sizes(variablesOf),
	environ_get: texts(variablesOf),
};
