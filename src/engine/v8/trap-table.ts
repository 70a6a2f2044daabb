/** A rule of the core specification that guests break. */
interface TrapRow {
	/** How V8's message begins. */
	readonly v8: string;
	/** Its name here, which does not change. */
	readonly kind: string;
	/** The specification's wording (the texts of the core test suite); both texts where V8 has one message for two traps. */
	readonly specification: string;
	/** What the guest did, for who has not read the specification. */
	readonly guest: string;
}

const row = (v8: string, kind: string, specification: string, guest: string): TrapRow => ({
	v8,
	kind,
	specification,
	guest,
});

/** What V8 says when a guest traps, and what it means. */
export const TRAPS: readonly TrapRow[] = [
	row(
		"unreachable",
		"unreachable",
		"unreachable",
		"the guest gave up by itself: a panic, an abort, or a failed assertion",
	),
	row(
		"memory access out of bounds",
		"memory-bounds",
		"out of bounds memory access",
		"the guest read or wrote beyond the end of its memory",
	),
	row(
		"data segment out of bounds",
		"data-bounds",
		"out of bounds memory access",
		"the guest copied more of a data segment than there is, or to beyond the end of its memory",
	),
	row(
		"table index is out of bounds",
		"table-bounds",
		"undefined element, or out of bounds table access",
		"the guest used an index beyond the end of a table, as a call through a damaged function pointer does",
	),
	row(
		"element segment out of bounds",
		"element-bounds",
		"out of bounds table access",
		"the guest copied more of an element segment than there is, or to beyond the end of a table",
	),
	row(
		"function signature mismatch",
		"indirect-call",
		"uninitialized element, or indirect call type mismatch",
		"the guest called through a function pointer that is null or leads to a function of another type",
	),
	row("divide by zero", "division-by-zero", "integer divide by zero", "the guest divided an integer by zero"),
	row(
		"remainder by zero",
		"remainder-by-zero",
		"integer divide by zero",
		"the guest asked for the remainder of a division by zero",
	),
	row(
		"divide result unrepresentable",
		"integer-overflow",
		"integer overflow",
		"the guest divided the smallest integer by -1, and its type has no such number",
	),
	row(
		"float unrepresentable in integer range",
		"float-conversion",
		"integer overflow, or invalid conversion to integer",
		"the guest made an integer of a number that is too large for it, or of NaN",
	),
	row("dereferencing a null pointer", "null-reference", "null reference", "the guest used a reference that is null"),
	row("rethrowing null value", "null-exception", "null reference", "the guest threw an exception that is null"),
	row("illegal cast", "cast", "cast failure", "the guest cast a reference to a type that it does not have"),
	row(
		"array element access out of bounds",
		"array-bounds",
		"out of bounds array access",
		"the guest used an index beyond the end of an array",
	),
	row(
		"requested new array is too large",
		"array-size",
		"out of bounds array allocation",
		"the guest asked for an array larger than the engine makes",
	),
	row(
		"operation does not support unaligned accesses",
		"unaligned-atomic",
		"unaligned atomic",
		"the guest used an atomic instruction at an address that is not a multiple of its size",
	),
	row(
		"Atomics.wait cannot be called in this context",
		"unshared-wait",
		"expected shared memory",
		"the guest waited on memory that no other thread can change",
	),
	row(
		"trying to suspend",
		"cannot-block",
		"cannot block a synchronous task before returning",
		"the guest waited for something in a place where it cannot be suspended",
	),
	row(
		"Maximum call stack size exceeded",
		"stack-exhausted",
		"call stack exhausted",
		"the guest's calls went deeper than its stack: a recursion without end, or large local variables",
	),
];
