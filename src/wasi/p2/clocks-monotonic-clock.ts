import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { createDeadline } from "../io/deadline.ts";
import { defineInterface } from "./interface.ts";

const LATEST = 2n ** 64n - 1n;

export const clocksMonotonicClock: HostInterface<WasiContext> = defineInterface("clocks/monotonic-clock", {
	now: ({ monotonicClock }) => monotonicClock.now(),
	resolution: ({ monotonicClock }) => monotonicClock.resolution(),
	"subscribe-instant": (context, when: bigint) => createDeadline(context, when),
	"subscribe-duration": (context, duration: bigint) => {
		const when = context.monotonicClock.now() + duration;
		return createDeadline(context, when > LATEST ? LATEST : when);
	},
});
