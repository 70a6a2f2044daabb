import type { CoreHostFunction } from "../../link/mod.ts";
import type { WallTime } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import { CLOCK } from "./constants.ts";
import { Errno } from "./errno.ts";
import { p1Function } from "./state.ts";

const toNanoseconds = ({ seconds, nanoseconds }: WallTime): bigint => seconds * 1_000_000_000n + BigInt(nanoseconds);

/**
 * What a clock shows. Those of CPU time show the time since the sandbox began: how fast this machine computes is nothing that a
 * guest is to measure more finely than by that.
 */
export function readClock(context: WasiContext, id: number): bigint {
	switch (id) {
		case CLOCK.realtime:
			return toNanoseconds(context.wallClock.now());
		case CLOCK.monotonic:
		case CLOCK.processCpu:
		case CLOCK.threadCpu:
			return context.monotonicClock.now();
		default:
			throw new Errno("inval");
	}
}

export const CLOCKS: Readonly<Record<string, CoreHostFunction<WasiContext>>> = {
	clock_res_get: p1Function("i32 i32", ({ context, memory }, id: number, result: number) => {
		// An unknown clock is refused.
		readClock(context, id);
		const resolution =
			id === CLOCK.realtime ? toNanoseconds(context.wallClock.resolution()) : context.monotonicClock.resolution();
		memory.setU64(result, resolution);
	}),
	clock_time_get: p1Function("i32 i64 i32", ({ context, memory }, id: number, _precision: bigint, result: number) => {
		memory.setU64(result, readClock(context, id));
	}),
};
