import { Writer } from "../../bytes/mod.ts";
import { type CheckKind, FLAG_CELL, HIT_CELL } from "../../rewrite/mod.ts";
import { createSafepoint, type Safepoint } from "./safepoint.ts";
import { webAssembly, type WasmMemory } from "../v8/v8.ts";
import { watchThread } from "./watchdog.ts";

/**
 * Words of 32 bits of the flag's memory, which guests, the thread they run on and the watchdog share.
 * - entry: the flag's byte, the hit byte, and in the upper half the number of the stretch of guest code that holds the thread. One
 *   word, so that the watchdog raises the flag for the stretch it looked at or not at all.
 * - until: when that stretch is to be interrupted, in tenths of a millisecond of the thread's clock, modulo 2^32; 0: no guest holds it.
 * - planned: when the watchdog will look next, likewise; 0: it sleeps until it is woken.
 * - call: a call that nobody clocks has the thread, by its number; negative: it had it. Such calls take no other word but `entry` and
 *   `budget`, as an account has it, which counts from when the watchdog first sees the call. Plain stores are
 *   enough: it comes by in a millisecond.
 * - seen, seenAt: which of them the watchdog has seen at its last look, and when it first did, as `until`.
 * - latest: until when the watchdog may leave a stretch the thread for which `until` has come, as long as others were given the
 *   processor in the meantime; as `until`, 0: without end.
 * - sampled: the last 16 bits of the number of the stretch that the watchdog last found running, and `SAMPLED` set; then, as
 *   64-bit floating point, when that was, on the thread's clock, and what the thread's processor time was then, in milliseconds.
 * - attentive: not 0 while it looks every millisecond, which is what such calls need, and another number each time that it begins to
 *   or has protected the page; wanted: 1 to ask it to.
 * - guard: of the page that checks of kind `page` read from: `DOWN` while they may, `PENDING` while the watchdog is about to protect it,
 *   `UP` as long as it is protected.
 * - paged: 1 where the stretch is of a guest with such checks, or may be.
 *
 * A page that is protected for one stretch must not meet the guest of another, which costs nothing but where a stretch is clocked: the
 * watchdog writes `guard` and another number into `attentive`, has every thread of the process pass a barrier (`membarrier`), and only then
 * looks whether the stretch still lasts, by `entry`, `until` and `call`. A thread that ends one writes `until` or `call`; before it lets
 * in the next, it reads `guard`, or for calls that nobody clocks `attentive`. Where its writing came before the barrier, the
 * watchdog has seen it, and leaves the page as it is; where it came after it, so does its reading, and the thread sees that it has to wait,
 * and to make the page readable again.
 */
export const ENTRY_WORD = 0;
export const UNTIL_WORD = 1;
export const PLANNED_WORD = 2;
export const CALL_WORD = 6;
export const BUDGET_WORD = 7;
export const SEEN_WORD = 8;
const SEEN_AT_WORD = 9;
export const ATTENTIVE_WORD = 10;
export const WANTED_WORD = 11;
const LATEST_WORD = 12;
const SAMPLED_WORD = 13;
export const GUARD_WORD = 18;
export const PAGED_WORD = 19;
const SAMPLED = 0x1_0000;
export const DOWN = 0;
export const PENDING = 1;
export const UP = 2;
/** In floating-point numbers, not words. */
const SAMPLED_AT = 7;
const SAMPLED_TIME = 8;
/** What is left of a guest's fuel until it asks again, a signed integer of 64 bits: at byte 16, see `FUEL_CELL` of the rewriter. */
const FUEL_WORD = 4;

/**
 * What the watchdog takes from the fuel of a guest that is to be interrupted: more than any has, so that it asks for more at once. No
 * instruction is miscounted for that: it is given back when the fuel is read. Of the low word it takes nothing, and when it comes
 * between the guest's own reading and writing it is without effect, and is done again.
 */
export const FUEL_TAKEN: number = 2 ** 50;

/** Of `entry`: its upper half has the last 16 bits of the number. */
export const NUMBER_SHIFT = 16;
/** The number of a call is not 0. */
export const NUMBER_MASK = 0x1fff_ffff;
const TWO_32 = 0x1_0000_0000;

/** Milliseconds after which it is worth a system call to ask how much of them the thread has run: who is kept from it is so for longer. */
const WORTH_ASKING = 1;
/** Milliseconds that the watchdog's view of a thread's clock may be off. */
const OFF = 0.2;

/** Tenths of a millisecond modulo 2^32, as the words hold them: the one that is not before `time`; 0 for Infinity alone. */
function toTenths(time: number): number {
	return time === Infinity ? 0 : Math.ceil(time * 10) | 0 || 1;
}

/**
 * How a guest is interrupted that holds the thread. Every guest's loops and cycles of calls look at a byte of this memory; the
 * watchdog raises it when the time has come that the host has left in `until`.
 */
export class InterruptFlag {
	readonly #memory: WasmMemory;
	readonly #safepoint: Safepoint | undefined = createSafepoint();
	readonly #bytes: Uint8Array;
	/** For who has no time to call: the schedule, in calls that nobody clocks. */
	readonly words: Int32Array;
	/** Of the stretch that has the thread, or had it last; never 0. */
	number = 0;
	readonly #unsigned: Uint32Array;
	readonly #samples: Float64Array;
	readonly #enter: (until: number, entry: number) => number;
	/** Whether there is a point from which on it is known what the thread was given, for who holds it now; and that point. */
	#sampled = false;
	#sampledAt: number = Number.NaN;
	#sampledTime: number = Number.NaN;
	/** Wakes the watchdog; there is none until a guest is there that looks at the flag. */
	#watching: ReturnType<typeof watchThread> | undefined;

	constructor() {
		const { Memory, Module, Instance } = webAssembly();
		// Without the page, whoever reads from it traps at once: code for another machine does no harm.
		this.#memory = this.#safepoint?.memory ?? new Memory({ initial: 1, maximum: 1, shared: true });
		const { buffer } = this.#memory;
		this.#bytes = new Uint8Array(buffer);
		this.words = new Int32Array(buffer);
		this.#unsigned = new Uint32Array(buffer);
		this.#samples = new Float64Array(buffer);
		const { exports } = new Instance(new Module(encodeEnter()), { "": { flag: this.#memory } });
		this.#enter = exports["enter"] as (until: number, entry: number) => number;
	}

	/** What the checks of metering `trap` have to be like: `page` where it can be protected, on this machine and in this process. */
	get check(): CheckKind {
		return this.#safepoint === undefined ? "flag" : "page";
	}

	/** What guests import. From the first time on, a watchdog looks after the thread. */
	get memory(): WasmMemory {
		this.watch();
		return this.#memory;
	}

	/** Starts the watchdog, which takes some milliseconds: the sooner, the better. */
	watch(): void {
		// Guests whose time counts are not called before it has begun: they wait for that themselves.
		this.watched().catch(() => {});
	}

	/**
	 * Settles when it has begun.
	 * @throws SkerryError `engine/stop/watchdog`; whoever asks after that has it tried again
	 */
	async watched(): Promise<void> {
		const buffer = this.#memory.buffer as SharedArrayBuffer;
		const watching = (this.#watching ??= watchThread(buffer, this.#safepoint?.page));
		try {
			await watching.begun;
		} catch (error) {
			if (this.#watching === watching) this.#watching = undefined;
			throw error;
		}
	}

	/**
	 * A guest gets the thread, until then: whoever held it before, the flag is not raised for him any more. A day off at most, or Infinity.
	 * @param latest until when he may have it if others are given the processor; likewise
	 * @param paged whether its checks may read from the page
	 */
	enter(until: number, latest: number, paged: boolean): void {
		const { words } = this;
		this.number = (this.number & NUMBER_MASK) + 1;
		words[LATEST_WORD] = toTenths(latest);
		words[PAGED_WORD] = paged ? 1 : 0;
		const at = toTenths(until);
		const planned = this.#enter(at, this.number << NUMBER_SHIFT);
		if (words[GUARD_WORD] !== DOWN) this.#lower();
		if (at !== 0 && (planned === 0 || ((at - planned) | 0) < 0)) this.#watching?.wake();
	}

	/** No guest holds the thread. */
	leave(): void {
		const { words } = this;
		words[UNTIL_WORD] = 0;
		if (words[GUARD_WORD] !== DOWN) this.#lower();
	}

	/** The page may be read again. */
	#lower(): void {
		const { words } = this;
		while (Atomics.load(words, GUARD_WORD) === PENDING) Atomics.wait(words, GUARD_WORD, PENDING, 1);
		if (Atomics.load(words, GUARD_WORD) === DOWN) return;
		this.#safepoint?.unprotect();
		Atomics.store(words, GUARD_WORD, DOWN);
	}

	/** Whether the page is protected for who holds the thread, or about to be. */
	get isProtected(): boolean {
		return this.words[GUARD_WORD] !== DOWN;
	}

	/** Somebody else, or nobody, holds the thread from now on. */
	change(): void {
		this.#sampled = false;
	}

	/**
	 * Milliseconds up to now, not told yet, that whoever holds the thread was kept from the processor, as far as that is known: from when
	 * the watchdog has first found it holding the thread.
	 * @param since when it got the thread
	 */
	stolen(since: number, now: number): number {
		if (!this.#sampled) {
			const { number, words } = this;
			if (words[SAMPLED_WORD] !== ((number & 0xffff) | SAMPLED)) return 0;
			const at = this.#samples[SAMPLED_AT] as number;
			// A number of 16 bits may have been another's.
			if (words[CALL_WORD] === number ? words[SEEN_WORD] !== number : at < since - OFF) return 0;
			this.#sampledAt = at;
			this.#sampledTime = this.#samples[SAMPLED_TIME] as number;
			this.#sampled = true;
		}
		const passed = now - this.#sampledAt;
		if (passed < WORTH_ASKING) return 0;
		const before = this.#sampledTime;
		this.sample(now);
		return this.#sampled ? Math.min(Math.max(passed - this.#sampledTime + before, 0), passed) : 0;
	}

	/** From now on it is known what the thread is given, where it can be known. */
	sample(now: number): void {
		this.#sampledAt = now;
		this.#sampledTime = this.#watching?.processorTime?.now() ?? Number.NaN;
		this.#sampled = !Number.isNaN(this.#sampledTime);
	}

	get sampled(): boolean {
		return this.#sampled;
	}

	/** When the watchdog first saw the unclocked call that it saw last, on the thread's clock. */
	seenAt(now: number): number {
		const ago = (Math.floor(now * 10) - (this.words[SEEN_AT_WORD] as number)) | 0;
		return Math.min(now - ago / 10, now);
	}

	/** From now on, or soon, `enterBriefly` is to work. */
	attend(): void {
		if (this.words[WANTED_WORD] !== 0) return;
		this.watch();
		this.words[WANTED_WORD] = 1;
		this.#watching?.wake();
	}

	/** As the watchdog would: whoever holds the thread stops at its next check. Who counts fuel does so when it asks for more. */
	raise(): void {
		const { words } = this;
		this.#bytes[FLAG_CELL] = 1;
		if (this.#safepoint === undefined || words[PAGED_WORD] === 0) return;
		// The watchdog may be about to do the same, or find that it need not
		while (Atomics.compareExchange(words, GUARD_WORD, DOWN, PENDING) === PENDING)
			Atomics.wait(words, GUARD_WORD, PENDING, 1);
		if (Atomics.load(words, GUARD_WORD) === UP) return;
		this.#safepoint.protect();
		Atomics.store(words, GUARD_WORD, UP);
	}

	get raised(): boolean {
		return this.#bytes[FLAG_CELL] !== 0;
	}

	/** Whether a guest has trapped because it found the flag raised; asked once. */
	takeHit(): boolean {
		if (this.#bytes[HIT_CELL] === 0) return false;
		this.#bytes[HIT_CELL] = 0;
		return true;
	}

	get fuel(): number {
		const left = (this.words[FUEL_WORD + 1] as number) * TWO_32 + (this.#unsigned[FUEL_WORD] as number);
		return left < -FUEL_TAKEN / 2 ? left + FUEL_TAKEN : left;
	}

	set fuel(left: number) {
		this.#unsigned[FUEL_WORD] = left;
		this.words[FUEL_WORD + 1] = Math.floor(left / TWO_32);
	}
}

/**
 *   (func (export "enter") (param $until i32) (param $entry i32) (result i32)
 *     (i32.atomic.store $until-word (local.get $until))
 *     (i32.atomic.store $entry-word (local.get $entry))
 *     (i32.atomic.load $planned-word))
 *
 * In this order: whoever sees the new entry sees the new `until`, and of this thread and the watchdog at least one sees what the other
 * has planned. V8 compiles this to a few instructions, and calls a function of its own for JavaScript's `Atomics`.
 */
function encodeEnter(): Uint8Array {
	const store = (to: Writer, word: number, local: number): void => {
		to.u8(0x41)
			.s32(4 * word)
			.u8(0x20)
			.u32(local);
		to.u8(0xfe).u32(0x17).u32(2).u32(0);
	};
	const body = new Writer().u32(0);
	store(body, UNTIL_WORD, 0);
	store(body, ENTRY_WORD, 1);
	body
		.u8(0x41)
		.s32(4 * PLANNED_WORD)
		.u8(0xfe)
		.u32(0x10)
		.u32(2)
		.u32(0)
		.u8(0x0b);
	return new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, new Writer().u32(1).u8(0x60).u32(2).u8(0x7f).u8(0x7f).u32(1).u8(0x7f))
		.section(2, new Writer().u32(1).name("").name("flag").u8(0x02).u8(0x03).u32(1).u32(2))
		.section(3, new Writer().u32(1).u32(0))
		.section(7, new Writer().u32(1).name("enter").u8(0x00).u32(0))
		.section(10, new Writer().u32(1).sized(body.finish()))
		.finish();
}

let flag: InterruptFlag | undefined;

/** The flag of this thread. */
export function interruptFlag(): InterruptFlag {
	return (flag ??= new InterruptFlag());
}

/**
 * Settles when guests on this thread can be interrupted in time; starts what does that.
 * @throws SkerryError `engine/stop/watchdog`
 */
export async function watchdogReady(): Promise<void> {
	// The watchdog keeps no process alive, and nothing else may be there yet that does
	const alive = setInterval(() => {}, 1_000);
	try {
		await interruptFlag().watched();
	} finally {
		clearInterval(alive);
	}
}
