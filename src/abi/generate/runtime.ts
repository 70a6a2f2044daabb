/** What generated code calls: all of it is given to it by name. */
import { SkerryError } from "../../fault/mod.ts";
import { isChar, isListLike, isResource } from "../check.ts";
import type { Context } from "../context.ts";
import { f32Bits, f32FromBits, f64Bits, f64FromBits } from "../flat.ts";
import { CallScope } from "../handles.ts";
import { checkListRange, toChar } from "../load.ts";
import type { GuestMemory } from "../memory.ts";
import { partOf } from "../parts.ts";
import { liftBorrow, liftOwn, lowerBorrow, lowerOwn } from "../resources.ts";
import { scratch } from "./pack.ts";
import { type ComponentInstance, type CoreValue, enterInstances, leaveInstances, type Store } from "../store.ts";
import { trap } from "../traps.ts";

type Entered = readonly ComponentInstance[] | null;

function badPointer(cx: Context, pointer: number, size: number, alignment: number): void {
	cx.checkRange(pointer, size, alignment, "pointer out of bounds of memory");
}

/** Up to this many bytes a loop is faster than a call. */
const SHORT_COPY = 32;

/** A list of numbers that is still in the memory of a guest, which does not run until it has been passed on. */
class PassedNumbers {
	readonly memory: GuestMemory;
	readonly pointer: number;
	readonly length: number;

	constructor(memory: GuestMemory, pointer: number, length: number) {
		this.memory = memory;
		this.pointer = pointer;
		this.length = length;
	}
}

/** Up to this many bytes, to make a view takes longer than to fill memory with zeros. */
const SMALL_COPY = 1024;

function copyBytes(bytes: Uint8Array, pointer: number, length: number): Uint8Array {
	if (length <= SMALL_COPY) return bytes.slice(pointer, pointer + length);
	// Memory for what is copied from another array is not filled with zeros first, as `slice` has it.
	return new Uint8Array(new Uint8Array(bytes.buffer, pointer, length));
}

function putBytes(bytes: Uint8Array, pointer: number, values: ArrayLike<number>): void {
	const { length } = values;
	if (length > SHORT_COPY) bytes.set(values, pointer);
	else for (let i = 0; i < length; i++) bytes[pointer + i] = values[i]!;
}

/** Calls what V8 is not to put into the caller: where it has seen more than one function, it calls none of them by itself. */
function aside(fn: (...args: unknown[]) => unknown, args: unknown[]): unknown {
	return fn(...args);
}
// Often enough that it takes notice
for (let i = 0; i < 500; i++) for (const fn of [(): number => 0, (): number => 1, (): number => 2]) aside(fn, []);

/** A host that gives one resource away twice is told so; only what the guest did ends the guest. */
function notLowered(instance: ComponentInstance, entered: Entered, error: unknown): unknown {
	if (!(error instanceof SkerryError) || error.code !== "call/bad-value") return instance.store.fail(error);
	leave(instance, entered, undefined);
	return error;
}

function leave(instance: ComponentInstance, entered: Entered, result: unknown): unknown {
	instance.mayLeave = true;
	leaveInstances(entered);
	return result;
}

/** A call that ends after its sandbox did says nothing of the next use. */
function later(
	store: Store,
	epoch: object,
	result: Promise<CoreValue | undefined>,
	finish: (value: CoreValue | undefined) => unknown,
): Promise<unknown> {
	return result
		.then((value) => {
			if (store.epoch !== epoch) trap("cannot enter component instance");
			return finish(value);
		})
		.catch((error: unknown) => {
			throw store.epoch === epoch ? store.fail(error) : error;
		});
}

export const runtime: Readonly<Record<string, unknown>> = {
	CallScope,
	PassedNumbers,
	aside,
	badDiscriminant: (): never => trap("invalid variant discriminant"),
	badPointer,
	borrowsRemain: (): never => trap("borrow handles still remain at the end of the call"),
	cannotEnter: (): never => trap("cannot enter component instance"),
	cannotLeave: (): never => trap("cannot leave component instance"),
	changed: (): never => trap("a host value changed while it was lowered"),
	checkList: checkListRange,
	copyBytes,
	enterInstances,
	f32Bits,
	f32FromBits,
	f64Bits,
	f64FromBits,
	isChar,
	isList: isListLike,
	isResource,
	later,
	leave,
	leaveInstances,
	liftBorrow,
	liftOwn,
	lowerBorrow,
	lowerOwn,
	notLowered,
	partOf,
	plain: Object.prototype,
	prototypeOf: Object.getPrototypeOf,
	putBytes,
	scratch,
	toChar,
};
