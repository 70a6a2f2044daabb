/** Components from text, linked and instantiated, for tests. */
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import { CompileCache } from "../engine/mod.ts";
import type { HostImports } from "./imports.ts";
import { type Instance, instantiate } from "./instance/instantiate.ts";
import type { Linked } from "./linked.ts";
import { linkComponent, loadComponent } from "./link.ts";

const cache = new CompileCache();

export async function link(wat: string, host: Partial<HostImports> = {}): Promise<Linked> {
	const loaded = loadComponent(new Uint8Array(await parse(wat)));
	return await linkComponent(loaded, { interfaces: [], ...host }, cache);
}

export async function start(wat: string, host: Partial<HostImports> = {}): Promise<Instance> {
	return instantiate(await link(wat, host), "the context");
}

/** Calls the export at `path`, names separated by `#`. */
export async function call(instance: Instance, path: string, ...args: unknown[]): Promise<unknown> {
	const fn = instance.function(path.split("#"));
	if (fn === undefined) throw new Error(`no function ${path}`);
	return await fn.call(args);
}
