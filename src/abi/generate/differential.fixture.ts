/** For the test that drives the interpreter and the generated code side by side: random values, and guests that lie in the same way twice. */
import type { ResourceType, ValueType } from "../../component/mod.ts";
import { Trap } from "../../fault/mod.ts";
import { ResourceHandle } from "../handles.ts";
import { SharedBuffer } from "../shared-buffer.ts";
import { type CanonicalOptions, ComponentInstance, type CoreValue, type LinearMemory, Store } from "../store.ts";
import { GuestResource } from "../values.ts";

/** Numbers from a seed: mulberry32. */
export class Dice {
	#state: number;

	constructor(seed: number) {
		this.#state = seed | 0;
	}

	/** From 0 to `sides` - 1. */
	roll(sides: number): number {
		this.#state = (this.#state + 0x6d2b79f5) | 0;
		let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) % sides;
	}

	/** True once in `times`. */
	once(times: number): boolean {
		return this.roll(times) === 0;
	}

	pick<T>(of: readonly T[]): T {
		return of[this.roll(of.length)]!;
	}
}

/** The host's; defined by the instance under test; defined by another instance. */
export const RESOURCES: readonly ResourceType[] = [{ name: "hosts" }, { name: "own" }, { name: "foreign" }];

const PAGE = 4096;
const LARGEST = 16 * PAGE;
const CANARY = 0xee;
const UNTOUCHED = new Uint8Array(LARGEST + PAGE).fill(CANARY);

/** First pages, as most of the time would go into making one for each memory: small numbers make likely pointers, lengths, tags and handles. */
const PAGES: readonly Uint8Array[] = Array.from({ length: 256 }, (_, seed) => {
	const dice = new Dice(seed);
	return Uint8Array.from({ length: PAGE }, (__, i) => (i % 4 === 0 ? dice.roll(24) : 0));
});

/** Buffers of memories that grow in place: a new one for each would be most of what there is to collect. */
const free: ArrayBuffer[] = [];

/** A memory that grows: into a new buffer, or within one of which it has only a part. */
export class Memory implements LinearMemory {
	buffer: ArrayBuffer;
	readonly byteLength?: number;
	/** Where the next allocation is. */
	next: number = PAGE / 2;
	readonly #inPlace: boolean;

	constructor(dice: Dice) {
		this.#inPlace = dice.once(2);
		if (this.#inPlace) {
			this.buffer = free.pop() ?? new ArrayBuffer(LARGEST + PAGE);
			this.byteLength = PAGE;
			new Uint8Array(this.buffer).set(UNTOUCHED.subarray(PAGE), PAGE);
		} else this.buffer = new ArrayBuffer(PAGE);
		new Uint8Array(this.buffer).set(dice.pick(PAGES));
	}

	/** Nobody looks at it any more. */
	[Symbol.dispose](): void {
		if (this.#inPlace) free.push(this.buffer);
	}

	get size(): number {
		return this.byteLength ?? this.buffer.byteLength;
	}

	grow(size: number): void {
		const rounded = Math.ceil(size / PAGE) * PAGE;
		if (!this.#inPlace) {
			this.buffer = this.buffer.transfer(rounded);
			return;
		}
		new Uint8Array(this.buffer, this.size, rounded - this.size).fill(0);
		(this as { byteLength: number }).byteLength = rounded;
	}

	/** All that a guest or its host could have written. */
	contents(): Uint8Array {
		return new Uint8Array(this.buffer);
	}

	get overrun(): boolean {
		if (!this.#inPlace) return false;
		const beyond = new Uint8Array(this.buffer, this.size);
		return Buffer.compare(beyond, UNTOUCHED.subarray(0, beyond.length)) !== 0;
	}
}

/** One of two equal sandboxes. */
export class World {
	/** The thread, which nobody else wants. */
	/** In `words`: `entry`, `call`, `seen` and `attentive`. The 500th call had the thread last. */
	readonly brief = {
		words: Int32Array.of(0, -500, 0, 3) as Int32Array,
		lease: { last: -501, attended: 3 },
		entry: 0,
		call: 1,
		seen: 2,
		attentive: 3,
		shift: 16,
		most: 100,
	};
	readonly turn = {
		held: false,
		/** Calls that were told of. */
		told: 0,
		stuck: false,
		hold: (): boolean => {
			this.turn.told++;
			return !this.turn.held && (this.turn.held = true);
		},
		release: (): void => {
			this.turn.held = false;
			this.brief.words[1] = Math.min(this.brief.words[1]!, -this.brief.words[1]!);
		},
		lease(): void {},
		reason: (error: unknown): unknown => error,
	};
	readonly store: Store = new Store("context");
	readonly instance: ComponentInstance = new ComponentInstance(this.store, null);
	readonly other: ComponentInstance = new ComponentInstance(this.store, null);
	/** Of `instance`, and of `other`. */
	readonly memory: Memory;
	readonly otherMemory: Memory;
	/** Each call of realloc, and what core code and the host were given. */
	readonly log: unknown[] = [];
	readonly #dice: Dice;
	/** Whether realloc tells the truth. */
	readonly honest: boolean;

	/** @param memories a scribe's, who writes into those of another: it has none of its own */
	constructor(seed: number, honest: boolean, memories?: readonly [Memory, Memory]) {
		this.#dice = new Dice(seed);
		this.honest = honest;
		[this.memory, this.otherMemory] = memories ?? [new Memory(this.#dice), new Memory(this.#dice)];
		const [hosts, own, foreign] = RESOURCES;
		const destructor = null;
		this.store.resources.set(hosts!, { instance: null, destructor });
		this.store.resources.set(own!, { instance: this.instance, destructor });
		this.store.resources.set(foreign!, { instance: this.other, destructor });
		for (const instance of [this.instance, this.other]) {
			for (let i = 0; i < 12; i++) instance.handles.add(new ResourceHandle(RESOURCES[i % 3]!, 100 + i, null));
		}
		this.store.maxValues = this.#dice.pick([Infinity, Infinity, Infinity, 100, 1000, 5000]);
		if (this.#dice.once(2)) this.store.shared = new SharedBuffer();
	}

	[Symbol.dispose](): void {
		this.memory[Symbol.dispose]();
		this.otherMemory[Symbol.dispose]();
	}

	options(encoding: CanonicalOptions["encoding"], postReturn: boolean, memory: Memory = this.memory): CanonicalOptions {
		return {
			encoding,
			memory,
			realloc: (...call) => this.#realloc(memory, ...call),
			postReturn: postReturn ? (...flat: CoreValue[]) => this.#postReturn(memory, flat) : null,
		};
	}

	/** Nothing that was returned is there any more. */
	#postReturn(memory: Memory, flat: readonly CoreValue[]): undefined {
		this.log.push(["post-return", flat, this.instance.mayLeave, this.other.mayLeave]);
		const words = new Uint32Array(memory.buffer, 0, memory.size / 4);
		for (let i = 0; i < words.length; i++) words[i]! ^= 0x5a5a_5a5a;
	}

	#realloc(memory: Memory, old: number, oldSize: number, alignment: number, size: number): number {
		this.log.push([old, oldSize, alignment, size, this.instance.mayLeave, this.other.mayLeave]);
		if (!this.honest && this.#dice.once(6)) {
			switch (this.#dice.roll(6)) {
				case 0:
					throw new Trap("the guest's realloc traps");
				case 1:
					return -1;
				case 2:
					return memory.size - this.#dice.roll(24);
				case 3:
					return memory.next | 1;
				case 4:
					return memory.size;
				default:
					return 0;
			}
		}
		if (old !== 0 && size <= oldSize && this.#dice.once(2)) return old;
		const pointer = Math.ceil(memory.next / alignment) * alignment;
		const end = pointer + size;
		if (end > LARGEST) return pointer;
		if (end > memory.size) memory.grow(end + this.#dice.roll(2) * PAGE);
		memory.next = end;
		if (old !== 0) memory.contents().copyWithin(pointer, old, old + Math.min(oldSize, size));
		return pointer | 0;
	}

	/** All that a call can have changed, but for what `ended` with an error leaves undefined. */
	state(ended: boolean): unknown {
		const handles = [this.instance, this.other].map((instance) =>
			instance.handles
				.drain()
				.map(({ type, rep, owned, lends }) => ({ type: type.name, rep, owned, lends: ended ? 0 : lends })),
		);
		return {
			log: this.log,
			handles,
			entered: [this.instance.entered, this.other.entered],
			mayLeave: ended || [this.instance.mayLeave, this.other.mayLeave],
			poison: this.store.poison?.message,
			overrun: this.memory.overrun || this.otherMemory.overrun,
		};
	}
}

const TEXTS = [
	"",
	"a",
	"hello",
	"grüß",
	"日本語",
	"🍰 cake",
	"ÿ",
	"Ā",
	"\ufffd",
	"\ufeffbom",
	"\0",
	"content-type: text/html",
];
const JUNK = [
	undefined,
	null,
	1.5,
	-1,
	2 ** 40,
	NaN,
	"x",
	"\ud800",
	"ab",
	{},
	[],
	5n,
	-(2n ** 70n),
	true,
	{ tag: "?" },
	[1, 2],
];

/** A value of `type` as a host would give it; with `wrong`, now and then something else. */
export function randomValue(dice: Dice, type: ValueType, world: World, wrong = false): unknown {
	if (wrong && dice.once(12)) return dice.pick(JUNK);
	const inner = (part: ValueType): unknown => randomValue(dice, part, world, wrong);
	switch (type.kind) {
		case "bool":
			return dice.once(2);
		case "u8":
			return dice.roll(256);
		case "s8":
			return dice.roll(256) - 128;
		case "u16":
			return dice.roll(65_536);
		case "s16":
			return dice.roll(65_536) - 32_768;
		case "u32":
			return dice.once(3) ? 2 ** 32 - 1 - dice.roll(3) : dice.roll(2 ** 32);
		case "s32":
			return dice.roll(2 ** 32) - 2 ** 31;
		case "u64":
			return BigInt.asUintN(64, (BigInt(dice.roll(2 ** 32)) << 32n) | BigInt(dice.roll(2 ** 32)));
		case "s64":
			return BigInt.asIntN(64, (BigInt(dice.roll(2 ** 32)) << 32n) | BigInt(dice.roll(2 ** 32)));
		case "f32":
		case "f64":
			return dice.pick([0, -0, 1.5, NaN, Infinity, 1e300, dice.roll(1000) / 7]);
		case "char":
			return dice.pick(["a", "é", "日", "🍰", "\0"]);
		case "string":
			return randomText(dice);
		case "list": {
			const length = type.length ?? dice.pick([0, 1, 2, 3, 5, 40]);
			const list = Array.from({ length }, () => inner(type.element));
			return dice.once(2) && !wrong ? toTyped(type.element, list) : list;
		}
		case "map":
			return new Map(Array.from({ length: dice.roll(4) }, () => [inner(type.key), inner(type.value)]));
		case "record":
			return Object.fromEntries(type.fields.map((field) => [field.key, inner(field.type)]));
		case "tuple":
			return type.elements.map(inner);
		case "flags":
			return Object.fromEntries(type.keys.filter(() => dice.once(2)).map((key) => [key, dice.once(2)]));
		case "enum":
			return dice.pick(type.names);
		case "option": {
			const none = dice.once(2);
			if (type.element.kind !== "option") return none ? undefined : inner(type.element);
			return none ? { tag: "none" } : { tag: "some", val: inner(type.element) };
		}
		case "result": {
			const ok = dice.once(2);
			const payload = ok ? type.ok : type.err;
			const tag = ok ? "ok" : "err";
			return payload === null ? { tag } : { tag, val: inner(payload) };
		}
		case "variant": {
			const { name: tag, type: payload } = dice.pick(type.cases);
			return payload === null ? { tag } : { tag, val: inner(payload) };
		}
		case "own":
		case "borrow": {
			if (type.resource === RESOURCES[0]) return dice.roll(100);
			return new GuestResource(
				type.resource,
				dice.roll(100),
				type.kind === "borrow" && dice.once(2),
				world.store.epoch,
			);
		}
		default:
			throw new Error(`no value of ${type.kind}`);
	}
}

function randomText(dice: Dice): string {
	const text = Array.from({ length: dice.roll(4) }, () => dice.pick(TEXTS)).join("");
	return dice.once(8) ? text.repeat(1 + dice.roll(40)) : text;
}

function toTyped(element: ValueType, list: unknown[]): unknown {
	switch (element.kind) {
		case "u8":
			return Uint8Array.from(list as number[]);
		case "s16":
			return Int16Array.from(list as number[]);
		case "u32":
			return Uint32Array.from(list as number[]);
		case "u64":
			return BigUint64Array.from(list as bigint[]);
		case "f64":
			return Float64Array.from(list as number[]);
		default:
			return list;
	}
}

/** A core value as a guest might pass it, whatever it should be. */
export function randomFlat(dice: Dice, type: "i32" | "i64" | "f32" | "f64"): CoreValue {
	const word = dice.pick([0, 1, 2, 3, 8, 12, 64, 2048, PAGE - 8, PAGE, -1, -8, 0x7fff_ffff, dice.roll(2 ** 32) | 0]);
	if (type === "i64") return (BigInt(dice.roll(3)) << 32n) | BigInt(word >>> 0);
	if (type === "i32") return word;
	return type === "f32" ? Math.fround(dice.pick([0, 1.5, NaN, -Infinity])) : dice.pick([0, 1e300, NaN, -0]);
}
