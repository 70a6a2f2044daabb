/** `result<T, E>` as guests and hosts exchange it (see `abi/values.ts`). */
export type Result<T, E> = { readonly tag: "ok"; readonly val: T } | { readonly tag: "err"; readonly val: E };

/** The commonest result, which nobody changes. */
const DONE: Result<undefined, never> = { tag: "ok", val: undefined };

export function ok(): Result<undefined, never>;
export function ok<T>(val: T): Result<T, never>;
export function ok(val?: unknown): Result<unknown, never> {
	return val === undefined ? DONE : { tag: "ok", val };
}

export function err<E>(val: E): Result<never, E> {
	return { tag: "err", val };
}
