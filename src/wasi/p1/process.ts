import type { CoreHostFunction } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { GuestExit } from "../exit.ts";
import { p1Function } from "./state.ts";

export const PROCESS: Readonly<Record<string, CoreHostFunction<WasiContext>>> = {
	proc_exit: {
		type: { params: ["i32"], results: [] },
		call(_guest, status) {
			throw new GuestExit(Number(status) & 0xff);
		},
	},
	// Whoever else wants the thread gets it by metering.
	sched_yield: p1Function("", () => {}),
};
