/** Goes on with a value that may have to be waited for: at once when it is there. */
export function after<T, R>(value: T | Promise<T>, then: (value: T) => R | Promise<R>): R | Promise<R> {
	return value instanceof Promise ? value.then(then) : then(value);
}
