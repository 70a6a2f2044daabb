import { type CoreHostFunction, viewOf } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { randomLength } from "../limits.ts";
import { p1Function } from "./state.ts";

export const RANDOM: Readonly<Record<string, CoreHostFunction<WasiContext>>> = {
	random_get: p1Function("i32 i32", ({ context, memory }, buffer: number, length: number) => {
		const into = viewOf(memory, buffer, length);
		into.set(context.random.bytes(randomLength(BigInt(into.length), context.limits)));
	}),
};
