import type { FunctionType, ResourceType } from "../../component/mod.ts";
import type { CanonicalOptions } from "../store.ts";
import { Emitter } from "./emitter.ts";
import { runtime } from "./runtime.ts";
import { type Shape, shapeOf } from "./shape.ts";

/** Binds the code of a shape to one function of one instance. */
export type Bind = (names: Readonly<Record<string, unknown>>, resources: readonly ResourceType[]) => unknown;

/** What is bound, by the names that the code knows it under. */
const BOUND = [
	"instance",
	"store",
	"cx",
	"memory",
	"realloc",
	"shared",
	"loadString",
	"storeString",
	"isText",
	"entered",
	"core",
	"turn",
	"guarded",
	"isBrief",
	"words",
	"lease",
	"entryWord",
	"callWord",
	"seenWord",
	"attentiveWord",
	"numberShift",
	"mostLeased",
	"postReturn",
	"fn",
	"callee",
	"interpret",
	"scheduler",
	"state",
	"own",
	"returned",
	"floats",
	"wides",
	"surface",
	"failed",
];

/**
 * Source text kept at most, of all shapes together; the oldest goes first. Types come from guests, who must not fill the host's memory
 * with them. All of WASI 0.2 takes some 500,000 characters.
 */
const MAX_SOURCE_CHARS = 8_000_000;

const cache = new Map<string, { readonly bind: Bind; readonly chars: number }>();
let cachedChars = 0;
const shapes = new WeakMap<FunctionType, Shape | false>();

interface CodeConstructor {
	new (parameter: string, body: string): (argument: unknown) => unknown;
}

/** The one place where text becomes code; `Emitter` says why it holds nothing but ours. */
const Code = Function as unknown as CodeConstructor;

/** False where the embedder forbids code that is made from strings. */
const ALLOWED: boolean = (() => {
	try {
		return new Code("allowed", "return allowed")(true) === true;
	} catch {
		return false;
	}
})();

/**
 * The code for functions of this type, for `use`: made when there is none yet, unless only what is there is wanted. `null` when there
 * is none, or can be none: for rare shapes and where code generation is forbidden.
 */
export function compile(
	type: FunctionType,
	use: string,
	write: (out: Emitter) => string,
	known: boolean,
): { readonly bind: Bind; readonly resources: readonly ResourceType[] } | null {
	if (!ALLOWED) return null;
	let shape = shapes.get(type);
	if (shape === undefined) {
		shape = shapeOf(type) ?? false;
		shapes.set(type, shape);
	}
	if (shape === false) return null;
	const { key, resources } = shape;
	const name = `${use} ${key}`;
	let entry = cache.get(name);
	if (entry === undefined) {
		if (known) return null;
		const source = assemble(new Emitter(resources), resources.length, write);
		entry = { bind: new Code("runtime", source)(runtime) as Bind, chars: source.length };
		keep(name, entry);
	}
	return { bind: entry.bind, resources };
}

function assemble(out: Emitter, resources: number, write: (out: Emitter) => string): string {
	const body = write(out);
	return `"use strict";
const { ${Object.keys(runtime).join(", ")} } = runtime;
${out.constants()}
return ({ ${BOUND.join(", ")} }, [${Array.from({ length: resources }, (_, i) => `R${i}`).join(", ")}]) => {
${body}
};`;
}

function keep(name: string, entry: { readonly bind: Bind; readonly chars: number }): void {
	cache.set(name, entry);
	cachedChars += entry.chars;
	for (const [oldest, { chars }] of cache) {
		if (cachedChars <= MAX_SOURCE_CHARS) break;
		cache.delete(oldest);
		cachedChars -= chars;
	}
}

/** What tells two uses of a type apart beside the type. */
export function useKey(what: string, { encoding }: CanonicalOptions): string {
	return `${what} ${encoding}`;
}
