import type { HostFunction, HostInterface, HostResource } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";

/** The version whose WIT the tables follow; every earlier 0.2 is a subset. */
export const WASI_P2_VERSION = "0.2.12";

/** An interface of WASI 0.2, such as `io/streams`. */
export function defineInterface(
	path: string,
	functions: Readonly<Record<string, HostFunction<WasiContext>>>,
	resources: Readonly<Record<string, HostResource<WasiContext>>> = {},
): HostInterface<WasiContext> {
	return { name: `wasi:${path}@${WASI_P2_VERSION}`, functions, resources };
}
