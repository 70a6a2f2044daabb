import { type CoreHostFunction, viewOf } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { createDeadline } from "../io/deadline.ts";
import { attemptUntil, type Watch, watchOf } from "../io/watch.ts";
import { readClock } from "./clock.ts";
import { ABSTIME, CLOCK, EVENT, HANGUP } from "./constants.ts";
import { Errno, errnoOf } from "./errno.ts";
import { type P1, p1Function } from "./state.ts";

/** Bytes of a `subscription` and of an `event`. */
const SUBSCRIPTION_SIZE = 48;
const EVENT_SIZE = 32;

interface Subscription {
	readonly userdata: bigint;
	readonly type: number;
	/** What there is to wait for; without it, the event is there at once. */
	readonly watch: Watch | undefined;
	/** What the event says, when it is there. */
	readonly outcome: () => { readonly error: number; readonly bytes: bigint; readonly flags: number };
}

const OK = 0;

function readSubscription(p1: P1, at: number): Subscription {
	const { memory } = p1;
	const userdata = memory.getU64(at);
	const type = memory.getU8(at + 8);
	if (type === EVENT.clock) {
		const id = memory.getU32(at + 16);
		const timeout = memory.getU64(at + 24);
		const isTime = (memory.getU16(at + 40) & ABSTIME) !== 0;
		return { userdata, type, ...subscribeClock(p1, id, timeout, isTime) };
	}
	if (type !== EVENT.fdRead && type !== EVENT.fdWrite) throw new Errno("inval");
	return { userdata, type, ...subscribeDescriptor(p1, memory.getU32(at + 16), type) };
}

const failed = (name: string): Pick<Subscription, "watch" | "outcome"> => ({
	watch: undefined,
	outcome: () => ({ error: errnoOf(name), bytes: 0n, flags: 0 }),
});

function subscribeClock(
	{ context }: P1,
	id: number,
	timeout: bigint,
	isTime: boolean,
): Pick<Subscription, "watch" | "outcome"> {
	if (id !== CLOCK.realtime && id !== CLOCK.monotonic) return failed("inval");
	// Whatever the clock, the wait itself is measured by the one that never jumps.
	const left = isTime ? timeout - readClock(context, id) : timeout;
	const deadline = createDeadline(context, context.monotonicClock.now() + (left > 0n ? left : 0n));
	return {
		watch: left > 0n ? deadline.watch : undefined,
		outcome: () => ({ error: OK, bytes: 0n, flags: 0 }),
	};
}

function subscribeDescriptor({ descriptors }: P1, fd: number, type: number): Pick<Subscription, "watch" | "outcome"> {
	let found: ReturnType<typeof descriptors.get>;
	try {
		found = descriptors.get(fd);
	} catch {
		return failed("badf");
	}
	const ready = (bytes: bigint, flags = 0) => ({ error: OK, bytes, flags });
	if (found.kind === "file") {
		const { file, position } = found;
		return {
			watch: undefined,
			outcome: () => {
				const left = file.status().size - position;
				return ready(type === EVENT.fdRead && left > 0n ? left : 0n);
			},
		};
	}
	if (found.kind === "source" && type === EVENT.fdRead) {
		const { source } = found;
		return { watch: watchOf(source), outcome: () => ready(1n) };
	}
	if (found.kind === "sink" && type === EVENT.fdWrite) {
		const { sink } = found;
		return {
			watch: watchOf(sink),
			outcome: () => {
				const capacity = sink.capacity();
				return ready(BigInt(capacity ?? 0), capacity === null ? HANGUP : 0);
			},
		};
	}
	return failed("badf");
}

function writeEvent({ memory }: P1, at: number, { userdata, type, outcome }: Subscription): void {
	const { error, bytes, flags } = outcome();
	viewOf(memory, at, EVENT_SIZE).fill(0);
	memory.setU64(at, userdata);
	memory.setU16(at + 8, error);
	memory.setU8(at + 10, type);
	if (type === EVENT.clock) return;
	memory.setU64(at + 16, bytes);
	memory.setU16(at + 24, flags);
}

export const POLL: Readonly<Record<string, CoreHostFunction<WasiContext>>> = {
	poll_oneoff: p1Function("i32 i32 i32 i32", (p1, from: number, to: number, number: number, result: number) => {
		const count = number >>> 0;
		if (count === 0 || count > p1.context.limits.pollables) throw new Errno("inval");
		const into = to >>> 0;
		viewOf(p1.memory, from, count * SUBSCRIPTION_SIZE);
		viewOf(p1.memory, into, count * EVENT_SIZE);
		viewOf(p1.memory, result, 4);
		const all = Array.from({ length: count }, (_, i) => readSubscription(p1, (from >>> 0) + i * SUBSCRIPTION_SIZE));
		const done = attemptUntil(
			() => all.flatMap(({ watch }) => watch ?? []),
			() => {
				const there = all.filter(({ watch }) => watch === undefined || watch.ready());
				if (there.length === 0) return undefined;
				for (const [i, subscription] of there.entries()) writeEvent(p1, into + i * EVENT_SIZE, subscription);
				return there.length;
			},
		);
		const finish = (events: number): void => p1.memory.setU32(result, events);
		return done instanceof Promise ? done.then(finish) : finish(done);
	}),
};
