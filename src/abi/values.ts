/**
 * Component values in JavaScript, the one mapping used between guests and hosts:
 *
 * | type | JavaScript |
 * | --- | --- |
 * | bool | boolean |
 * | s8 … u32, f32, f64 | number (NaN is canonical) |
 * | s64, u64 | bigint |
 * | char | string of one Unicode scalar value |
 * | string | string without lone surrogates |
 * | list<T> | array; for the numeric T of a typed array (u8, s8, u16, s16, u32, s32, u64, s64, f32, f64) that typed array, a copy of its own |
 * | record | object, keys in camelCase |
 * | tuple | array |
 * | flags | object of booleans, keys in camelCase |
 * | enum | string, as in WIT |
 * | variant | `{ tag, val }`, tag as in WIT; no `val` where the case has none |
 * | option<T> | `undefined` or the value; where T is itself an option, `{ tag: "none" }` or `{ tag: "some", val }` |
 * | result<T, E> | `{ tag: "ok", val }` or `{ tag: "err", val }` |
 * | map<K, V> | `Map` |
 * | own, borrow of a host's resource | the host's representation: any value, as the host gave it |
 * | own, borrow of a guest's resource | a `GuestResource` |
 *
 * Lowering accepts arrays for every list and ignores additional properties.
 */
import type { ResourceType } from "../component/mod.ts";

/**
 * A guest's resource outside the guest. After it was given away as `own`, it is spent. Its properties are the guest's methods,
 * whatever their names are: what is known of it is asked of the class.
 */
export class GuestResource {
	readonly #type: ResourceType;
	readonly #rep: number;
	readonly #borrowed: boolean;
	readonly #owner: object;
	#spent = false;

	constructor(type: ResourceType, rep: number, borrowed: boolean, owner: object) {
		this.#type = type;
		this.#rep = rep;
		this.#borrowed = borrowed;
		this.#owner = owner;
	}

	static typeOf(resource: GuestResource): ResourceType {
		return resource.#type;
	}

	/** The guest's representation, an i32; not for the host to interpret. */
	static repOf(resource: GuestResource): number {
		return resource.#rep;
	}

	/** True for a borrow: it cannot be given away. */
	static isBorrowed(resource: GuestResource): boolean {
		return resource.#borrowed;
	}

	/** The store that it lives in: it means nothing to another. */
	static ownerOf(resource: GuestResource): object {
		return resource.#owner;
	}

	/** True once given back to a guest as `own`, dropped, or, for a borrow, when its call has ended. */
	static isSpent(resource: GuestResource): boolean {
		return resource.#spent;
	}

	static spend(resource: GuestResource): void {
		resource.#spent = true;
	}

	/** Whether it is one, and not only has the class as its prototype's. */
	static is(value: unknown): value is GuestResource {
		return typeof value === "object" && value !== null && #type in value;
	}
}

export interface Tagged {
	readonly tag: string;
	readonly val?: unknown;
}
