import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";

export const clocksWallClock: HostInterface<WasiContext> = defineInterface("clocks/wall-clock", {
	now: ({ wallClock }) => wallClock.now(),
	resolution: ({ wallClock }) => wallClock.resolution(),
});
