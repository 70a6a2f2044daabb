import { decodeComponent, type InstanceType, validateComponent } from "../../component/mod.ts";
import { WASI_P2_TYPES } from "./types.generated.ts";

let types: ReadonlyMap<string, InstanceType> | undefined;

function decodeTypes(): ReadonlyMap<string, InstanceType> {
	const { imports } = validateComponent(decodeComponent(Uint8Array.fromBase64(WASI_P2_TYPES)));
	const instances = new Map<string, InstanceType>();
	for (const [name, item] of imports) if (item.kind === "instance") instances.set(name, item.type);
	return instances;
}

/**
 * The types of all stable interfaces of WASI 0.2 by full name, those that guests export included. They share their
 * resources: the pollable of `io/streams` is the one of `io/poll`. Decoded when first asked for.
 */
export function wasiP2Types(): ReadonlyMap<string, InstanceType> {
	types ??= decodeTypes();
	return types;
}
