import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule, encodeModule, type MemoryTypeSyntax } from "../../wasm/mod.ts";
import { HOST_FUNCTIONS } from "../host-table.ts";
import { surveyCode } from "../survey.ts";
import { verifyRewriting } from "../verify/verify.ts";
import { FLAG_CELL, FUEL_CELL } from "./check.ts";
import { type Metering, meterModule } from "./meter.ts";

const { WebAssembly } = globalThis as any;

type Imports = Record<string, Record<string, unknown>>;

/** The flag's memory, and functions for the guest to ask. */
export class TestEngine {
	readonly memory: { readonly buffer: ArrayBuffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
	readonly flag: Uint8Array = new Uint8Array(this.memory.buffer);
	readonly #cell = new DataView(this.memory.buffer);
	polls = 0;
	/** How many functions of its modules are given the fuel as a value. */
	threaded = 0;
	poll: () => unknown = () => 1;
	pause: unknown = () => 0;

	raise(): void {
		this.flag[FLAG_CELL] = 1;
	}

	lower(): void {
		this.flag[FLAG_CELL] = 0;
	}

	get fuel(): bigint {
		return this.#cell.getBigInt64(FUEL_CELL, true);
	}

	set fuel(value: bigint) {
		this.#cell.setBigInt64(FUEL_CELL, value, true);
	}

	/** The proof is always asked for; without metering the module is as it was. */
	instantiate(bytes: Uint8Array, metering: Metering | "off", imports: Imports = {}): Record<string, any> {
		const original = decodeModule(bytes);
		const metered =
			metering === "off" ? undefined : meterModule(original, surveyCode(original), metering, undefined, undefined);
		if (metered === undefined) return new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports;
		const rewritten = encodeModule(metered.module);
		for (const one of metered.ledger?.threaded ?? []) this.threaded += one;
		verifyRewriting(bytes, rewritten, { metering, ledger: metered.ledger, contracts: metered.contracts });
		const owned = metered.imports.memories.map(({ name, type }) => [name, createMemory(type)]);
		const { exports } = new WebAssembly.Instance(new WebAssembly.Module(rewritten), {
			...imports,
			[metered.imports.module]: { ...Object.fromEntries(owned), [metered.imports.flag]: this.memory },
		});
		const table = exports[metered.host?.name ?? ""];
		table?.set(
			HOST_FUNCTIONS.indexOf("poll"),
			exportFunction(() => (this.polls++, this.poll())),
		);
		table?.set(HOST_FUNCTIONS.indexOf("pause"), exportFunction(this.pause));
		return exports;
	}

	async load(text: string, metering: Metering | "off", imports: Imports = {}): Promise<Record<string, any>> {
		return this.instantiate(await parse(text), metering, imports);
	}
}

function createMemory({ limits }: MemoryTypeSyntax): unknown {
	const toSize = (size: bigint): bigint | number => (limits.index === "i64" ? size : Number(size));
	return new WebAssembly.Memory({
		address: limits.index,
		initial: toSize(limits.minimum),
		...(limits.maximum === undefined ? {} : { maximum: toSize(limits.maximum) }),
		shared: limits.shared,
	});
}

/** `(module (import "" "f" (func (result i32))) (export "f" (func 0)))`: what goes into a table is a function of WebAssembly. */
const PASS = Uint8Array.from(
	Buffer.from("0061736d01000000010501600001 7f 020601000166 0000 070501 01660000".replaceAll(" ", ""), "hex"),
);

/** A function of WebAssembly that calls this one. */
export function exportFunction(fn: unknown): unknown {
	return new WebAssembly.Instance(new WebAssembly.Module(PASS), { "": { f: fn } }).exports.f;
}
