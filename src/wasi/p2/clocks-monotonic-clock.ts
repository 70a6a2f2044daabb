import type { HostFunction, HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { createDeadline } from "../io/deadline.ts";
import { defineInterface } from "./interface.ts";

const LATEST = 2n ** 64n - 1n;

// JavaScript engines ask up to twenty times in a request.
const now: HostFunction<WasiContext> = Object.assign(({ monotonicClock }: WasiContext) => monotonicClock.now(), {
	reading: ({ monotonicClock }: WasiContext) => monotonicClock.reading?.() ?? -1,
});

export const clocksMonotonicClock: HostInterface<WasiContext> = defineInterface("clocks/monotonic-clock", {
	now,
	resolution: ({ monotonicClock }) => monotonicClock.resolution(),
	"subscribe-instant": (context, when: bigint) => createDeadline(context, when),
	"subscribe-duration": (context, duration: bigint) => {
		const when = context.monotonicClock.now() + duration;
		return createDeadline(context, when > LATEST ? LATEST : when);
	},
});
