import type { ComponentType } from "../component/mod.ts";
import { type CompileCache, type CoreState, interruptFlag, type LoadedModule, WeakTable } from "../engine/mod.ts";
import type { WasmModule } from "../engine/mod.ts";
import type { RewriteOptions } from "../rewrite/mod.ts";
import { bindImports, type HostImports } from "./imports.ts";
import type { Linked, LinkedCode } from "./linked.ts";
import type { Plan } from "./plan/plan.ts";

/** What an instance is told. */
type Manner = Pick<LinkedCode, "lenientCancel" | "sharedBuffers">;
type MannerOptions = { readonly [K in keyof Manner]?: Manner[K] | undefined };

/** What components have in common that differ in their initial state only, before their imports are bound. */
export interface SharedCode extends Manner, Pick<LinkedCode, "plan" | "metering" | "modules" | "states"> {
	/** Of the first of them. */
	readonly type: ComponentType | undefined;
	/** Which of the component's core modules, as `listModules` has them, the plan's modules are. */
	readonly ordinals: readonly number[];
	/** What was linked for one host each, as long as anybody uses it. */
	readonly linked: Set<WeakRef<LinkedCode>>;
}

/** By cache and identity. */
const shelves = new WeakMap<CompileCache, WeakTable<SharedCode>>();

/** What was made before of the same code with this cache, or what `make` makes. */
export async function shareCode(
	cache: CompileCache,
	identity: string,
	make: () => Promise<SharedCode>,
): Promise<SharedCode> {
	let shelf = shelves.get(cache);
	if (shelf === undefined) shelves.set(cache, (shelf = new WeakTable()));
	// All that was linked with it has its plan. What is wrong with it stands at an offset of this component: that is not kept.
	return await (shelf.get(identity) ?? shelf.add(identity, make(), ({ plan }) => plan));
}

/** @param modules the plan's, loaded; those of any component of this code */
export function defineCode(
	plan: Plan,
	type: ComponentType | undefined,
	ordinals: readonly number[],
	modules: readonly LoadedModule[],
	{ metering }: RewriteOptions,
	{ lenientCancel = false, sharedBuffers = false }: MannerOptions = {},
): SharedCode {
	if (modules.some(({ imports }) => imports?.flag !== undefined)) interruptFlag().watch();
	return {
		plan,
		type,
		ordinals,
		metering,
		lenientCancel,
		sharedBuffers,
		modules: modules.map(({ module }): WasmModule => module),
		states: modules.map(({ state }): CoreState | string => state),
		linked: new Set(),
	};
}

/** Binds the imports of a component: where another of the same code was bound to the same, they become one. */
export function bindCode(code: SharedCode, host: HostImports): LinkedCode {
	const { plan, type } = code;
	if (type === undefined) throw new Error("a core module is not bound by name");
	const binding = bindImports(type, host);
	const functions = plan.host.map((slot) => binding.function(slot));
	return unify(code, { functions, resources: binding.resources });
}

/** As it was linked before for the same functions of the host, or for the first time. */
export function unify(
	code: SharedCode,
	bound: Pick<LinkedCode, "functions" | "coreFunctions" | "resources">,
): LinkedCode {
	for (const ref of code.linked) {
		const known = ref.deref();
		if (known === undefined) code.linked.delete(ref);
		else if (isSameBinding(known, bound)) return known;
	}
	const { plan, metering, modules, states, lenientCancel, sharedBuffers } = code;
	const made: LinkedCode = { plan, metering, modules, states, lenientCancel, sharedBuffers, ...bound };
	code.linked.add(new WeakRef(made));
	return made;
}

type Bound = Pick<LinkedCode, "functions" | "coreFunctions" | "resources">;

function isSameBinding(a: Bound, b: Bound): boolean {
	return (
		isSameList(a.functions, b.functions) &&
		isSameList(a.coreFunctions ?? [], b.coreFunctions ?? []) &&
		a.resources.size === b.resources.size &&
		[...a.resources].every(([type, resource]) => b.resources.get(type) === resource)
	);
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
	return a.length === b.length && a.every((item, i) => item === b[i]);
}

/** @param modules the plan's, loaded; the component's own */
export function toLinked(
	code: LinkedCode,
	modules: readonly { readonly loaded: LoadedModule; readonly offset: number }[],
): Linked {
	return {
		...code,
		code,
		owned: modules.map(({ loaded }) => loaded),
		origins: modules.map(({ loaded, offset }) => ({ offset, sites: loaded.sites })),
	};
}
