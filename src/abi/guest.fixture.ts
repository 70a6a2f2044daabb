/** A small real guest for tests: memory, a bump realloc that logs its calls, and functions of the test's own. */
import assert from "node:assert/strict";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import type { FunctionType, ValueType } from "../component/mod.ts";
import {
	canonLower,
	type CanonicalOptions,
	ComponentInstance,
	type CoreFunction,
	type CoreValue,
	Store,
} from "./mod.ts";
import type { Lift } from "./interpret-lift.ts";

/** What the tests need of V8's namespace, which `lib` does not declare. */
interface CoreMemory {
	readonly buffer: ArrayBuffer;
	grow(pages: number): number;
}

const { Module, Instance } = (
	globalThis as unknown as {
		WebAssembly: {
			Module: new (bytes: Uint8Array) => object;
			Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
		};
	}
).WebAssembly;

const compiled = new Map<string, object>();

async function compile(wat: string): Promise<object> {
	let module = compiled.get(wat);
	if (module === undefined) {
		module = new Module(new Uint8Array(await parse(wat)));
		compiled.set(wat, module);
	}
	return module;
}

const BASE = `
	(import "log" "realloc" (func $log (param i32 i32 i32 i32)))
	(memory (export "memory") 1)
	(global $next (mut i32) (i32.const 1024))
	(func $realloc (export "realloc") (param $old i32) (param $osize i32) (param $align i32) (param $nsize i32) (result i32)
		(local $r i32)
		(call $log (local.get $old) (local.get $osize) (local.get $align) (local.get $nsize))
		(if (i32.and (i32.ne (local.get $old) (i32.const 0)) (i32.le_u (local.get $nsize) (local.get $osize)))
			(then (return (local.get $old))))
		(local.set $r (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
			(i32.sub (i32.const 0) (local.get $align))))
		(global.set $next (i32.add (local.get $r) (local.get $nsize)))
		(block $enough (loop $grow
			(br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
			(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
			(br $grow)))
		(if (local.get $old) (then (memory.copy (local.get $r) (local.get $old) (local.get $osize))))
		(local.get $r))
`;

export interface Guest {
	readonly instance: ComponentInstance;
	readonly store: Store;
	readonly memory: CoreMemory;
	readonly exports: Readonly<Record<string, CoreFunction>>;
	/** Each call of realloc as `[old pointer, old size, alignment, new size]`. */
	readonly reallocs: readonly (readonly number[])[];
	options(more?: Partial<CanonicalOptions>): CanonicalOptions;
}

/** Instantiates `body` (fields of a core module, after the base's) as a component instance of its own. */
export async function createGuest(
	body = "",
	imports: Readonly<Record<string, CoreFunction>> = {},
	store: Store = new Store(undefined),
	parent: ComponentInstance | null = null,
): Promise<Guest> {
	const importFields = body.match(/^\s*\(import .*$/gm)?.join("\n") ?? "";
	const rest = body.replaceAll(/^\s*\(import .*$/gm, "");
	const module = await compile(`(module ${importFields} ${BASE} ${rest})`);
	const reallocs: number[][] = [];
	const { exports } = new Instance(module, {
		log: { realloc: (...call: number[]) => reallocs.push(call) },
		host: imports,
	});
	const memory = exports["memory"] as CoreMemory;
	return {
		instance: new ComponentInstance(store, parent),
		store,
		memory,
		exports: exports as Record<string, CoreFunction>,
		reallocs,
		options: (more = {}) => ({
			encoding: "utf8",
			memory,
			realloc: exports["realloc"] as CanonicalOptions["realloc"],
			postReturn: null,
			...more,
		}),
	};
}

/** What lifts `core`, which the host may call as it is. */
export function liftOf(guest: Guest, type: FunctionType, core: CoreFunction): Lift {
	return { type, core, nested: core, options: guest.options(), instance: guest.instance, nestedBare: null, bare: null };
}

export function func(params: readonly ValueType[], result: ValueType | null = null): FunctionType {
	return { kind: "func", async: false, params: params.map((type, i) => ({ name: `p${i}`, type })), result };
}

export const t = (
	kind: "bool" | "u8" | "u16" | "s16" | "u32" | "s32" | "u64" | "f32" | "f64" | "char" | "string",
): ValueType => ({
	kind,
});

/** `canonLower` of a callee that does not wait. */
export function lowerSync(
	...definition: Parameters<typeof canonLower>
): (...flat: CoreValue[]) => CoreValue | undefined {
	const lowered = canonLower(...definition);
	return (...flat) => {
		const result = lowered(...flat);
		assert.ok(!(result instanceof Promise));
		return result;
	};
}
