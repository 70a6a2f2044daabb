import { Trap } from "../../fault/mod.ts";
import type { HostFunction } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { err } from "../result.ts";

const HINT = "raw sockets cannot be granted yet; use wasi:http for outgoing requests";

/** Where a guest would get a socket or an address from. */
export function refuse(what: string): HostFunction<WasiContext> {
	return (context) => {
		context.denied(what, HINT);
		return err("access-denied");
	};
}

/** The methods, by name, of resources that no guest can hold, because what makes them is refused. */
export function refuseMethods(
	resource: string,
	/** Those that return a result. */
	fallible: readonly string[],
	/** Those that have no error to return. */
	infallible: readonly string[],
): Record<string, HostFunction<WasiContext>> {
	const functions: Record<string, HostFunction<WasiContext>> = {};
	for (const name of fallible) functions[`[method]${resource}.${name}`] = () => err("access-denied");
	for (const name of infallible) {
		functions[`[method]${resource}.${name}`] = () => {
			throw new Trap(`${resource}.${name}: there is no such resource`);
		};
	}
	return functions;
}
