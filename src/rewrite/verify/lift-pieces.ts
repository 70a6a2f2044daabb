/** What the bodies of added functions are put together from: bytes, and what recurs. Nothing of it is shared with what writes them. */

/** What of the module the bodies depend on. */
export interface Surroundings {
	/** Whether a memory or table has 64-bit addresses. */
	readonly wideMemory: (memory: number) => boolean;
	readonly wideTable: (table: number) => boolean;
	/** The global with a memory's size; `undefined` for a shared one. */
	readonly pages: (memory: number) => number | undefined;
	readonly hostTable: number;
	/** The type index of each of the host's functions, by place. */
	readonly hostType: (place: number) => number;
}

export type Bytes = readonly number[];

export function unsigned(value: number): number[] {
	const bytes: number[] = [];
	for (let rest = BigInt(value); ; rest >>= 7n) {
		if (rest < 0x80n) return [...bytes, Number(rest)];
		bytes.push(Number(rest & 0x7fn) | 0x80);
	}
}

export function signed(value: number | bigint): number[] {
	const bytes: number[] = [];
	for (let rest = BigInt(value); ; rest >>= 7n) {
		const low = Number(rest & 0x7fn);
		if (rest >= -0x40n && rest < 0x40n) return [...bytes, low];
		bytes.push(low | 0x80);
	}
}

export const number = (wide: boolean, value: number): Bytes => [wide ? 0x42 : 0x41, ...signed(value)];
export const get = (local: number): Bytes => [0x20, local];
const set = (local: number): Bytes => [0x21, local];
export const ADD = (wide: boolean): number => (wide ? 0x7c : 0x6a);
const SUBTRACT = (wide: boolean): number => (wide ? 0x7d : 0x6b);
const GREATER = (wide: boolean): number => (wide ? 0x56 : 0x4b);
export const OR = 0x72;
export const EXTEND = 0xad;
export const WRAP = 0xa7;
export const END = 0x0b;
export const IF = [0x04, 0x40] as const;
const LOOP = [0x03, 0x40] as const;

export const as64 = (local: number, wide: boolean): Bytes => (wide ? get(local) : [...get(local), EXTEND]);

/** Runs a piece of so many as long as there are more, behind a loop that does nothing where it is not a small part of one. */
export const repeat = (length: number, wide: boolean, chunk: number, piece: Bytes): Bytes => {
	const isMore = [...get(length), ...number(wide, chunk), GREATER(wide)];
	const pause = [...get(length), ...number(wide, chunk / 64), GREATER(wide), ...IF, ...LOOP, END, END];
	return [...pause, ...isMore, ...IF, ...LOOP, ...piece, ...isMore, 0x0d, 0, END, END];
};

export const advance = (local: number, wide: boolean, chunk: number): Bytes => [
	...get(local),
	...number(wide, chunk),
	ADD(wide),
	...set(local),
];

export const reduce = (local: number, wide: boolean, chunk: number): Bytes => [
	...get(local),
	...number(wide, chunk),
	SUBTRACT(wide),
	...set(local),
];

export const callHost = (at: Surroundings, place: number): Bytes => [
	0x41,
	place,
	0x11,
	...unsigned(at.hostType(place)),
	...unsigned(at.hostTable),
];
