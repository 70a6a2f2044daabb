import type { WasiContext } from "../context.ts";
import { Pollable } from "./pollable.ts";

/** A pollable that is ready from `when` on. It holds a timer only while somebody waits for it. */
export function createDeadline(context: WasiContext, when: bigint): Pollable {
	const clock = context.monotonicClock;
	const stops = new Set<() => void>();
	return new Pollable(
		{
			ready: () => clock.now() >= when,
			watch(wake) {
				// After the end nothing wakes anybody: there is no guest left to go on.
				if (context.ended) return () => {};
				const cancel = clock.at(when, () => {
					stop();
					wake();
				});
				const stop = (): void => {
					stops.delete(stop);
					forget();
					cancel();
				};
				const forget = context.onEnd(stop);
				stops.add(stop);
				return stop;
			},
		},
		() => {
			for (const stop of stops) stop();
		},
	);
}
