import type { InstanceType } from "../../component/mod.ts";
import type { HostFunction, HostInterface, HostResource } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { wasiP2Types } from "./types.ts";

/** The version whose WIT the tables follow; every earlier 0.2 is a subset. */
const WASI_P2_VERSION = "0.2.12";

/** An interface of WASI 0.2, such as `io/streams`, with the type that its WIT gives it. */
export function defineInterface(
	path: string,
	functions: Readonly<Record<string, HostFunction<WasiContext>>>,
	resources: Readonly<Record<string, HostResource<WasiContext>>> = {},
): HostInterface<WasiContext> {
	const name = `wasi:${path}@${WASI_P2_VERSION}`;
	return {
		name,
		functions,
		resources,
		// Late, so that a process that links nothing does not decode the types.
		get type(): InstanceType {
			const type = wasiP2Types().get(name);
			if (type === undefined) throw new TypeError(`Cannot type ${name}: WASI ${WASI_P2_VERSION} has no such interface`);
			return type;
		},
	};
}
