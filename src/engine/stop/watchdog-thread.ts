import type { SafepointPage } from "./safepoint.ts";

/** What a thread shares with the watchdog. */
export interface Watched {
	/** Its flag's memory. */
	readonly buffer: SharedArrayBuffer;
	/** In that, what is protected to stop guests; `undefined` where none of them reads from it. */
	readonly page: SafepointPage | undefined;
	/** What the process's clock shows when the thread's own shows 0, in milliseconds. */
	readonly origin: number;
	/** `clockid_t` of its processor time; 0 where that cannot be told. */
	readonly clockId: number;
}

/** How to reach the watchdog; threads that are started later find it in their environment. */
export interface Watchdog {
	/** Two words: one that is changed to wake it, and what became of its start: 0 as long as that is not known, 1: it has begun, 2: it has not. */
	readonly bell: SharedArrayBuffer;
	/** Threads name themselves on this channel. */
	readonly channel: string;
}

/** Of `node:ffi`, for the calls of Linux by which a thread says how urgent it is, and learns how long another has run. */
interface Ffi {
	dlopen(
		path: null,
		functions: object,
	): {
		readonly functions: {
			prctl(option: number, ...values: [bigint, bigint, bigint, bigint]): number;
			/** @param thread 0: the calling one */
			sched_setscheduler(thread: number, policy: number, priority: bigint): number;
			clock_gettime(clock: number, time: bigint): number;
			mprotect(at: bigint, size: bigint, protection: number): number;
			syscall(number: bigint, ...values: [bigint, bigint, bigint]): bigint;
		};
	};
	getRawPointer(of: ArrayBufferView): bigint;
}

/**
 * The watchdog's thread. Its text alone goes there: it uses nothing of this module, and the numbers of the words are those of `flag.ts`.
 */
export function watch(): void {
	interface Seen extends Watched {
		readonly words: Int32Array;
		readonly fuel: BigInt64Array;
		entry: number;
		/** The unclocked call that had the thread, and when that was first seen. */
		call: number;
		callSeen: number;
		/** Looks in a row without a new one; Infinity: none are made. */
		quiet: number;
		readonly samples: Float64Array;
		/** The stretch that was found running, as the word says; when, and what its thread's processor time was then. */
		sampled: number;
		sampledAt: number;
		sampledTime: number;
	}
	const { workerData, BroadcastChannel, receiveMessageOnPort } = process.getBuiltinModule("node:worker_threads");
	const [ENTRY, UNTIL, PLANNED, CALL, BUDGET, SEEN, SEEN_AT, ATTENTIVE, WANTED, LATEST, SAMPLED_WORD, GUARD, PAGED] = [
		0, 1, 2, 6, 7, 8, 9, 10, 11, 12, 13, 18, 19,
	] as const;
	const [DOWN, PENDING, UP] = [0, 1, 2] as const;
	const [SAMPLED, SAMPLED_AT, SAMPLED_TIME] = [0x1_0000, 7, 8] as const;
	const [FLAG, FLAG_AND_HIT] = [1, 0xffff] as const;
	const FUEL_BYTE = 16;
	/** `FUEL_TAKEN` of `flag.ts` */
	const TAKEN = 2n ** 50n;
	/**
	 * Milliseconds between two looks while guests come and go; a raised flag is looked after as soon. Not more than a slice of
	 * `schedule.ts`: each would have to ring.
	 */
	const TICK = 3;
	/**
	 * The same where guests have much time, of which that is so small a share that it makes no difference from when on it is known what
	 * others are given of it; and at most. A look leaves less of the processor's caches to the guests.
	 */
	const SHARE = 256;
	const LONG_TICK = 20;
	/** The same while calls come that nobody clocks. */
	const CALL_TICK = 1;
	/** Looks in a row without such a call before they have to ask for it again. */
	const CALL_PATIENCE = 25;
	/** Looks in a row without a guest before it sleeps. A look costs some 50 µs of a processor, what it takes to be woken no more than that. */
	const PATIENCE = 4;
	/** Milliseconds that a guest has left, or less, for which it is not worth coming again; and after which to come again at the soonest. */
	const OVER = 0.05;
	const AGAIN = 0.25;
	/** To take from a guest's fuel: some microseconds. */
	const ATTEMPTS = 50;
	const LINUX = {
		MOST_NICE: -20,
		PR_SET_TIMERSLACK: 29,
		SCHED_FIFO: 1,
		LOWEST_REAL_TIME: 1,
		PROT_NONE: 0,
		PRIVATE_EXPEDITED: 8n,
		REGISTER_PRIVATE_EXPEDITED: 16n,
	} as const;
	/** Milliseconds that the thread of that clock was on a processor; NaN where that cannot be told. */
	let processorTime: (clockId: number) => number = () => Number.NaN;
	/** Whether it has what these two need: to make a page unreadable; a command of `membarrier`. */
	let equipped = false;
	let protect = (_page: SafepointPage): boolean => false;
	let barrier = (_page: SafepointPage, _command: bigint): boolean => false;
	/** Whether the process has told the system that it wants barriers. */
	let registered = false;
	// Where the system lets it, it comes before those whom it is to stop when they keep all processors busy.
	hurry();
	const { bell: shared, channel, first } = workerData as Watchdog & { first: Watched };
	const bell = new Int32Array(shared);
	// Its types lack that it takes both
	const port = new BroadcastChannel(channel) as unknown as Parameters<typeof receiveMessageOnPort>[0];
	const threads: Seen[] = [];
	const add = (watched: Watched): void => {
		// Its guests look at nothing else.
		if (watched.page !== undefined && !equipped) throw new Error("it cannot protect pages");
		threads.push({
			...watched,
			words: new Int32Array(watched.buffer),
			fuel: new BigInt64Array(watched.buffer, FUEL_BYTE, 1),
			entry: -1,
			call: 0,
			callSeen: 0,
			quiet: Infinity,
			samples: new Float64Array(watched.buffer),
			sampled: 0,
			sampledAt: 0,
			sampledTime: 0,
		});
	};
	add(first);
	Atomics.store(bell, 1, 1);
	Atomics.notify(bell, 1);
	/** Takes some 15 ms of waiting for all processors, which nobody who waits for the watchdog's beginning need wait for. */
	function register(): void {
		const page = threads.find((thread) => thread.page !== undefined)?.page;
		if (page === undefined) return;
		if (!barrier(page, LINUX.REGISTER_PRIVATE_EXPEDITED)) throw new Error("membarrier is refused");
		registered = true;
	}
	/** Milliseconds until the guest of a thread is to be interrupted, who is when that is over; Infinity where there is none. */
	const look = (thread: Seen, now: number): number => {
		const { words } = thread;
		const entry = Atomics.load(words, ENTRY);
		const until = Atomics.load(words, UNTIL);
		if (entry !== thread.entry) idle = 0;
		thread.entry = entry;
		const unclocked = lookAtCalls(thread, now);
		if (unclocked > 0) {
			if (until === 0) return unclocked;
			idle = 0;
			// To the microsecond: `until` is rounded up, which is enough.
			const tenths = (now - thread.origin) * 10;
			const whole = Math.floor(tenths);
			const left = (((until - whole) | 0) - (tenths - whole)) / 10;
			if (left > 0) {
				sample(thread, entry >>> 16);
				if (thread.sampled === 0) return Math.min(left, unclocked);
				// Who comes after it may be kept from the processor too, and does not ring when it has half as much time.
				pace = Math.min(Math.max(left / SHARE, TICK), LONG_TICK);
				half = left / 2;
				return Math.min(left, unclocked, pace);
			}
			const latest = Atomics.load(words, LATEST);
			const room = latest === 0 ? Infinity : ((latest - until) | 0) / 10;
			const again = postponed(thread, entry >>> 16, left, room);
			if (again > 0) return Math.min(again, unclocked);
		}
		// In the word of the guest that was looked at, or in none
		if ((entry & FLAG_AND_HIT) === 0) Atomics.compareExchange(words, ENTRY, entry, entry | FLAG);
		if (unclocked <= 0) close(thread, entry, 0, thread.call);
		else if (Atomics.load(words, PAGED) !== 0) close(thread, entry, until, 0);
		// A guest that counts its fuel does not look at the flag. Most of its time may lie between its reading and its writing.
		const { fuel } = thread;
		for (let i = 0; i < ATTEMPTS; i++) if (Atomics.load(fuel, 0) > -TAKEN / 2n) Atomics.sub(fuel, 0, TAKEN);
		return thread.quiet === Infinity ? Infinity : CALL_TICK;
	};
	/**
	 * Protects the page for the stretch of this entry if it still has the thread: `flag.ts` says why no other guest can meet it.
	 * @param until as it was found; 0 for an unclocked call
	 * @param call its number
	 */
	function close({ words, page }: Seen, entry: number, until: number, call: number): void {
		if (page === undefined || Atomics.compareExchange(words, GUARD, DOWN, PENDING) !== DOWN) return;
		let state: number = DOWN;
		try {
			if (Atomics.load(words, ATTENTIVE) !== 0) Atomics.store(words, ATTENTIVE, ++times);
			// Every thread of the process has passed one when it returns
			if (!barrier(page, LINUX.PRIVATE_EXPEDITED)) throw new Error("membarrier is refused");
			const isThere = Atomics.load(words, ENTRY) >>> 16 === entry >>> 16;
			const lasts = call === 0 ? Atomics.load(words, UNTIL) === until : Atomics.load(words, CALL) === call;
			if (!isThere || !lasts) return;
			if (!protect(page)) throw new Error("mprotect is refused");
			state = UP;
		} finally {
			Atomics.store(words, GUARD, state);
			Atomics.notify(words, GUARD);
		}
	}
	/** Milliseconds until the unclocked call of a thread is to be interrupted, or until one can come. */
	function lookAtCalls(thread: Seen, now: number): number {
		const { words, quiet } = thread;
		if (Atomics.exchange(words, WANTED, 0) === 1) {
			if (Atomics.load(words, ATTENTIVE) === 0) Atomics.store(words, ATTENTIVE, ++times);
			thread.quiet = 0;
			return CALL_TICK;
		}
		if (quiet === Infinity) return Infinity;
		const call = Atomics.load(words, CALL);
		if (call === thread.call && call <= 0) {
			// Who has not seen that yet is seen at the next look.
			if (quiet === CALL_PATIENCE) Atomics.store(words, ATTENTIVE, 0);
			thread.quiet = quiet > CALL_PATIENCE ? Infinity : quiet + 1;
			return CALL_TICK;
		}
		if (quiet <= CALL_PATIENCE) thread.quiet = 0;
		if (call > 0 && call !== thread.call) {
			thread.callSeen = now;
			Atomics.store(words, SEEN_AT, Math.floor((now - thread.origin) * 10) | 0);
			Atomics.store(words, SEEN, call);
			thread.sampled = 0;
			sample(thread, call & 0xffff);
		}
		thread.call = call;
		if (call <= 0) return CALL_TICK;
		const budget = Atomics.load(words, BUDGET);
		if (budget === 0) return CALL_TICK;
		const most = (budget >>> 2) / 10;
		const left = thread.callSeen + most - now;
		if (left > 0) return Math.min(CALL_TICK, left);
		return Math.min(CALL_TICK, postponed(thread, call & 0xffff, left, most * (2 ** (budget & 3) - 1)));
	}
	/** Takes down when a stretch was first found running. */
	function sample(thread: Seen, number: number): void {
		const { samples, words } = thread;
		const sampled = number | SAMPLED;
		if (thread.clockId === 0 || thread.sampled === sampled) return;
		const time = processorTime(thread.clockId);
		if (Number.isNaN(time)) return;
		thread.sampled = sampled;
		thread.sampledAt = clock();
		thread.sampledTime = time;
		// Not to be mixed with the one before
		Atomics.store(words, SAMPLED_WORD, 0);
		samples[SAMPLED_AT] = thread.sampledAt - thread.origin;
		samples[SAMPLED_TIME] = time;
		Atomics.store(words, SAMPLED_WORD, sampled);
	}
	/**
	 * Milliseconds until a stretch is to be interrupted whose time has come, since its thread was kept from the processor; 0: it was not.
	 * @param left until its time comes: negative
	 * @param room that it may have at most from its time on
	 */
	function postponed(thread: Seen, number: number, left: number, room: number): number {
		if (thread.sampled !== (number | SAMPLED)) return 0;
		const ran = processorTime(thread.clockId) - thread.sampledTime;
		const stolen = clock() - thread.sampledAt - ran;
		const more = left + Math.min(stolen, room);
		return more > OVER ? Math.min(Math.max(more, AGAIN), TICK) : 0;
	}
	/**
	 * A real-time thread comes at once when it is due; it runs for microseconds. Without that right, or `node:ffi`: as nice as can be.
	 * The system may put off what a timer is to wake by some 50 µs, unless one asks for less.
	 */
	function hurry(): void {
		const emitWarning = process.emitWarning.bind(process);
		// That `node:ffi` is experimental is nothing to tell every user.
		process.emitWarning = () => {};
		try {
			const ffi = process.getBuiltinModule("node:ffi" as never) as unknown as Ffi;
			const { functions } = ffi.dlopen(null, {
				prctl: { arguments: ["i32", "u64", "u64", "u64", "u64"], return: "i32" },
				sched_setscheduler: { arguments: ["i32", "i32", "pointer"], return: "i32" },
				clock_gettime: { arguments: ["i32", "pointer"], return: "i32" },
				mprotect: { arguments: ["pointer", "u64", "i32"], return: "i32" },
				syscall: { arguments: ["i64", "i64", "i64", "i64"], return: "i64" },
			});
			const time = new BigInt64Array(2);
			const at = ffi.getRawPointer(time);
			processorTime = (clockId) =>
				functions.clock_gettime(clockId, at) === 0 ? Number(time[0]) * 1e3 + Number(time[1]) / 1e6 : Number.NaN;
			protect = ({ at, size }) => functions.mprotect(at, size, LINUX.PROT_NONE) === 0;
			barrier = ({ membarrier }, command) => functions.syscall(membarrier, command, 0n, 0n) === 0n;
			equipped = true;
			functions.prctl(LINUX.PR_SET_TIMERSLACK, 1n, 0n, 0n, 0n);
			const priority = ffi.getRawPointer(Int32Array.of(LINUX.LOWEST_REAL_TIME));
			if (functions.sched_setscheduler(0, LINUX.SCHED_FIFO, priority) === 0) return;
		} catch {
			// There is no `node:ffi`, or this is not Linux.
		} finally {
			process.emitWarning = emitWarning;
		}
		try {
			const thread = process.getBuiltinModule("node:fs").readlinkSync("/proc/thread-self").split("/").at(-1);
			process.getBuiltinModule("node:os").setPriority(Number(thread), LINUX.MOST_NICE);
		} catch {
			// It has no such right, or this is not Linux.
		}
	}
	function clock(): number {
		return Number(process.hrtime.bigint()) / 1e6;
	}
	let idle = 0;
	/** As the guest that was found last needs it: milliseconds until it is worth to look again, and half of what it had left. */
	let pace: number = TICK;
	let half = 0;
	/** How often a thread was attended to. */
	let times = 0;
	for (;;) {
		const rung = Atomics.load(bell, 0);
		for (let met = receiveMessageOnPort(port); met !== undefined; met = receiveMessageOnPort(port)) {
			add(met.message as Watched);
		}
		if (!registered) register();
		idle++;
		const now = clock();
		let sleep = Infinity;
		for (const thread of threads) sleep = Math.min(sleep, look(thread, now));
		if (sleep === Infinity && idle <= PATIENCE) sleep = pace;
		// Who has less time than the pace is meant for has to ring.
		const within = sleep === pace ? Math.max(sleep, half) : sleep;
		let missed = false;
		for (const thread of threads) {
			const { words, origin } = thread;
			// The number of a stretch is unique for so long as somebody looks.
			if (sleep === Infinity) thread.sampled = 0;
			// Not rounded up: a plan that lies behind the deadline that it was made for would look like one that was missed.
			const planned = sleep === Infinity ? 0 : Math.floor((now + within - origin) * 10) | 0 || 1;
			Atomics.store(words, PLANNED, planned);
			// Whoever came in between did not see that, and rang no bell.
			const until = Atomics.load(words, UNTIL);
			const entry = Atomics.load(words, ENTRY);
			const came = entry !== thread.entry && until !== 0 && (entry & FLAG_AND_HIT) === 0;
			if (came && (planned === 0 || ((until - planned) | 0) < 0)) missed = true;
		}
		if (!missed) Atomics.wait(bell, 0, rung, sleep);
	}
}
