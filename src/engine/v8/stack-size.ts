import { nodeV8 } from "./builtin.ts";

/** Below that, not even V8's own code between two stacks has room. */
const SMALLEST = 64 * 1024;
/** V8's default; it gives no more. */
const LARGEST = 984 * 1024;

/**
 * The limit `stack`: how large the stacks are on which guests run that can be suspended, for the whole process. To be called before any
 * does: V8 keeps stacks for later use. No limit is 984 KiB. Guests on the main stack (start
 * functions, and components that import nothing) have that one, whatever is said here.
 */
export function limitStacks(bytes: number): void {
	const size = Math.min(Math.max(bytes, SMALLEST), LARGEST);
	nodeV8()?.setFlagsFromString(`--wasm-stack-switching-stack-size=${Math.floor(size / 1024)}`);
}

/** Arguments of 128 KiB in all: more than any host function takes of the stack. */
const RESERVED: readonly undefined[] = Array.from({ length: 16 * 1024 });

/**
 * Throws V8's RangeError unless there is room for a host function. Needed where the guest and the host share a stack, which is in
 * start functions: else a guest could have the stack end in the middle of any function of the host's. From a stack of the guest's own,
 * V8 goes to the host's before it calls one.
 */
export function reserveStack(): void {
	Reflect.apply(doNothing, undefined, RESERVED);
}

function doNothing(): void {}
