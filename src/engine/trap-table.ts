/**
 * What V8 says when a guest traps, and the specification's wording (the texts of the core test suite).
 * A row: the beginning of V8's message, the specification's text; both texts where V8 has one message for two traps.
 */
export const TRAPS: readonly (readonly [v8: string, specification: string])[] = [
	["unreachable", "unreachable"],
	["memory access out of bounds", "out of bounds memory access"],
	["data segment out of bounds", "out of bounds memory access"],
	["table index is out of bounds", "undefined element, or out of bounds table access"],
	["element segment out of bounds", "out of bounds table access"],
	["function signature mismatch", "uninitialized element, or indirect call type mismatch"],
	["divide by zero", "integer divide by zero"],
	["remainder by zero", "integer divide by zero"],
	["divide result unrepresentable", "integer overflow"],
	["float unrepresentable in integer range", "integer overflow, or invalid conversion to integer"],
	["dereferencing a null pointer", "null reference"],
	["rethrowing null value", "null reference"],
	["illegal cast", "cast failure"],
	["array element access out of bounds", "out of bounds array access"],
	["requested new array is too large", "out of bounds array allocation"],
	["operation does not support unaligned accesses", "unaligned atomic"],
	["Atomics.wait cannot be called in this context", "expected shared memory"],
	["trying to suspend", "cannot block a synchronous task before returning"],
	["Maximum call stack size exceeded", "call stack exhausted"],
];
