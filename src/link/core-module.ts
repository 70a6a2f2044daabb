import type { CoreValue } from "../abi/mod.ts";
import type { CoreFunctionType } from "../component/mod.ts";
import { type CompileCache, compileTrampolines } from "../engine/mod.ts";
import { nearest, SkerryError } from "../fault/mod.ts";
import { decodeModuleInterface, type ModuleImport, type ModuleInterface } from "../wasm/mod.ts";
import type { CoreHostFunction, CoreHostModule } from "./core-host.ts";
import type { Linked } from "./linked.ts";
import { type LinkOptions, toKey, toRewriteOptions } from "./link.ts";
import { defineCode, shareCode, type SharedCode, toLinked, unify } from "./shared-code.ts";
import type { Plan, PlanExport, Step, Trampoline } from "./plan/plan.ts";

/** A core module whose imports and exports are known. */
export interface LoadedCoreModule {
	readonly bytes: Uint8Array;
	readonly interface: ModuleInterface;
}

/** @throws SkerryError `binary/*`, with the offset */
export function loadCoreModule(bytes: Uint8Array): LoadedCoreModule {
	return { bytes, interface: decodeModuleInterface(bytes) };
}

/**
 * Binds the imports of a core module and compiles it: the same as `linkComponent` for what is no component. The plan is that of a
 * component with one core instance, so that everything else (pools, images, limits) is the same code.
 * @throws SkerryError `link/missing-imports`, `link/unsupported`, `core/invalid`
 */
export async function linkCoreModule(
	loaded: LoadedCoreModule,
	host: readonly CoreHostModule<any>[],
	cache: CompileCache,
	options: LinkOptions = {},
): Promise<Linked> {
	const functions = bindCoreImports(loaded.interface.imports, host);
	const rewriting = toRewriteOptions(options);
	const module = await cache.load(loaded.bytes, 0, rewriting);
	const make = (): Promise<SharedCode> =>
		Promise.resolve(defineCode(createCorePlan(loaded), undefined, [0], [module], rewriting));
	const code = await shareCode(cache, `${module.code} ${toKey(rewriting)}`, make);
	const bound = unify(code, { functions: [], coreFunctions: functions, resources: new Map() });
	return toLinked(bound, [{ loaded: module, offset: 0 }]);
}

/** Core types that pass through JavaScript without loss. */
const NUMBERS: ReadonlySet<string> = new Set(["i32", "i64", "f32", "f64"]);

function bindCoreImports(
	imports: readonly ModuleImport[],
	host: readonly CoreHostModule<any>[],
): CoreHostFunction<any>[] {
	const problems: string[] = [];
	const functions: CoreHostFunction<any>[] = [];
	for (const wanted of imports) {
		const found = bindCoreImport(wanted, host);
		if (typeof found === "string") problems.push(`${wanted.module}.${wanted.name}: ${found}`);
		else functions.push(found);
	}
	if (problems.length === 0) return functions;
	const what = problems.length === 1 ? "one import is" : `${problems.length} imports are`;
	const list = problems.map((p) => `  - ${p}`).join("\n");
	throw new SkerryError("link/missing-imports", `Cannot link the core module: ${what} missing or mistyped\n${list}`);
}

/** The function for an import, or why there is none. */
function bindCoreImport(
	{ module, name, type }: ModuleImport,
	host: readonly CoreHostModule<any>[],
): CoreHostFunction<any> | string {
	const found = host.find((given) => given.module === module);
	if (found === undefined) {
		const near = nearest(
			module,
			host.map((given) => given.module),
		);
		return near === undefined ? "nothing provides it" : `nothing provides it; the nearest module is ${near}`;
	}
	if (type.kind !== "func") return `a ${type.kind} cannot be given by the host`;
	const fn = Object.hasOwn(found.functions, name) ? found.functions[name] : undefined;
	if (fn === undefined) {
		const near = nearest(name, Object.keys(found.functions));
		return `${module} has no such function${near === undefined ? "" : `; the nearest is ${near}`}`;
	}
	const { params, results } = type.type;
	if (fn.type !== undefined && printType(fn.type) !== printType(type.type)) {
		return `it is imported as ${printType(type.type)}, and is ${printType(fn.type)}`;
	}
	const strange = [...params, ...results].find((one) => !NUMBERS.has(one));
	if (strange !== undefined) return `a value of type ${strange} cannot be passed to the host`;
	if (results.length > 1) return "a function of the host has one result at most";
	return fn.type === undefined ? checkResults(fn, `${module}.${name}`, results[0]) : fn;
}

/**
 * What a function gives that says nothing of its type, checked: V8 would throw where it cannot convert a value, and the guest could
 * catch that.
 */
function checkResults(fn: CoreHostFunction<any>, name: string, result: string | undefined): CoreHostFunction<any> {
	const wanted = result === "i64" ? "bigint" : "number";
	const check = (value: CoreValue | undefined): CoreValue | undefined => {
		if (result === undefined) return undefined;
		if (typeof value === wanted) return value;
		throw new SkerryError("call/bad-value", `the import ${name} gave no ${wanted}, as ${result} needs`);
	};
	return {
		call(guest, ...args) {
			const value = fn.call(guest, ...args);
			return value instanceof Promise ? value.then(check) : check(value);
		},
	};
}

function printType({ params, results }: CoreFunctionType): string {
	return `(${params.join(", ")}) -> (${results.join(", ")})`;
}

function createCorePlan({ interface: { imports, exports } }: LoadedCoreModule): Plan {
	const steps: Step[] = [];
	const types: CoreFunctionType[] = [];
	for (const { type } of imports) if (type.kind === "func") types.push(type.type);
	const trampolines = types.map((_, index): Trampoline => ({ kind: "core", index, instance: 0 }));
	if (types.length > 0) {
		steps.push({ kind: "trampolines", first: 0, trampolines, types, module: compileTrampolines(types) });
	}
	const modules = Map.groupBy(
		imports.map(({ module, name }, index) => ({ module, name, index })),
		({ module }) => module,
	);
	const args = [...modules].map(([name, items]) => ({
		name,
		instance: {
			kind: "exports" as const,
			exports: new Map(items.map((item) => [item.name, { kind: "trampoline" as const, index: item.index }])),
		},
	}));
	steps.push({ kind: "instantiate", slot: 0, module: 0, args });
	const planned = new Map<string, PlanExport>();
	for (const { name, type } of exports) {
		if (type.kind === "func") planned.set(name, { kind: "core", slot: 0, name, type: type.type });
		else planned.set(name, { kind: "other", sort: type.kind });
	}
	return {
		instances: [null],
		async: false,
		waits: [types.length > 0],
		stackful: [],
		stackfulResources: new Set(),
		leaves: [],
		coreInstances: 1,
		lifted: [],
		host: [],
		steps,
		exports: planned,
		imports: new Map(),
	};
}
