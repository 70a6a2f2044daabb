import type { CoreFunction } from "./store.ts";

/** A function of `arity` parameters that `make` makes when it is first called. Written out, as rest parameters make an array for each call. */
export function lazily(arity: number, make: () => CoreFunction): CoreFunction {
	let fn: CoreFunction = (...flat) => {
		fn = make();
		return fn(...flat);
	};
	switch (arity) {
		case 0:
			return () => fn();
		case 1:
			return (a) => fn(a);
		case 2:
			return (a, b) => fn(a, b);
		case 3:
			return (a, b, c) => fn(a, b, c);
		case 4:
			return (a, b, c, d) => fn(a, b, c, d);
		case 5:
			return (a, b, c, d, e) => fn(a, b, c, d, e);
		case 6:
			return (a, b, c, d, e, f) => fn(a, b, c, d, e, f);
		default:
			return (...flat) => fn(...flat);
	}
}
