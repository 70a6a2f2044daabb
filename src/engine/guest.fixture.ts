/** Core guests from text, for tests. */
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import type { CoreFunction } from "../abi/mod.ts";
import type { CoreFunctionType } from "../component/mod.ts";
import type { Gate } from "./border/gate.ts";
import { compileTrampolines } from "./border/trampolines.ts";
import { webAssembly, type WasmInstance } from "./v8/v8.ts";

export async function assemble(wat: string): Promise<Uint8Array> {
	return new Uint8Array(await parse(wat));
}

/** A host function with its core type as text: `i32 i64 -> f32`. */
export type Import = readonly [type: string, fn: CoreFunction];

/** A guest behind `gate`; the host's functions are the imports of its module `host`. */
export async function guest(
	gate: Gate,
	wat: string,
	host: Readonly<Record<string, Import>> = {},
): Promise<WasmInstance> {
	const module = new (webAssembly().Module)(await assemble(wat));
	const types = Object.values(host).map(([type]) => toType(type));
	const wrapped = gate.wrapImports(
		compileTrampolines(types),
		types,
		Object.values(host).map(([, fn]) => fn),
	);
	const imports = { host: Object.fromEntries(Object.keys(host).map((name, i) => [name, wrapped[i]])) };
	return gate.instantiate(module, imports, undefined);
}

function toType(text: string): CoreFunctionType {
	const [params = "", results = ""] = text.split("->").map((side) => side.trim());
	const list = (side: string): string[] => side.split(" ").filter((type) => type !== "");
	return { params: list(params), results: list(results) };
}
