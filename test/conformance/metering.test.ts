/**
 * Metering on the core suite and on real programs: every module that V8 accepts is still accepted after it was rewritten, the
 * verifier agrees that it is the same but for checks, and it does what it did before.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, suite, test } from "node:test";

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import { CoreMemories, interruptFlag, webAssembly, type WasmExtern, type WasmInstance } from "../../src/engine/mod.ts";
import { FUEL_CELL, type RewriteOptions, rewriteModule } from "../../src/rewrite/mod.ts";
import { type Action, type Command, headOf, parseScript, type SExpr, textOf } from "../../src/wast/mod.ts";
import { writeCounts } from "./counts.ts";
import { listPrograms, modulesWithin } from "./programs.ts";

const SUITES = path.resolve(import.meta.dirname, "../../../shared/suites");
const CORE = path.join(SUITES, "core");

type Way = Pick<RewriteOptions, "metering" | "check">;

/** Each kind of metering, `trap` with each kind of check that this machine has. */
const WAYS: readonly Way[] = [
	{ metering: "trap", check: "flag" },
	...(interruptFlag().check === "page" ? [{ metering: "trap", check: "page" } as const] : []),
	{ metering: "yield" },
	{ metering: "fuel" },
];

const counts = {
	rewritten: { passed: 0, failed: 0, skipped: 0, note: "modules that V8 accepts, before and after" },
	calls: {
		passed: 0,
		failed: 0,
		skipped: 0,
		note: "calls of the suite with the same outcome in all; those skipped take or give what JavaScript has not",
	},
	programs: { passed: 0, failed: 0, skipped: 0, note: "core modules of real programs" },
};

const isValid = (bytes: Uint8Array): boolean => {
	try {
		void new (webAssembly().Module)(bytes);
		return true;
	} catch {
		return false;
	}
};

type Exports = WasmInstance["exports"];

/** More than any script uses: nothing asks for more. */
function giveFuel(): void {
	new DataView(interruptFlag().memory.buffer).setBigInt64(FUEL_CELL, 1n << 62n, true);
}

/** The instances of a script, of modules as they are or rewritten. */
class World {
	readonly #way: Way | undefined;
	readonly #memories = new CoreMemories();
	readonly #byId = new Map<string, Exports>();
	readonly #registered = new Map<string, Exports>();
	#last: Exports | undefined;

	constructor(way: Way | undefined) {
		this.#way = way;
		const { Global, Memory } = webAssembly();
		const table = Reflect.get(Reflect.get(globalThis, "WebAssembly") as object, "Table") as new (
			type: object,
		) => unknown;
		const print = (): void => {};
		this.#registered.set("spectest", {
			...Object.fromEntries(
				["print", "print_i32", "print_i64", "print_f32", "print_f64", "print_i32_f32", "print_f64_f64"].map((name) => [
					name,
					print,
				]),
			),
			global_i32: new Global({ value: "i32", mutable: false }, 666),
			global_i64: new Global({ value: "i64", mutable: false }, 666n),
			global_f32: new Global({ value: "f32", mutable: false }, 666.6),
			global_f64: new Global({ value: "f64", mutable: false }, 666.6),
			memory: new Memory({ initial: 1, maximum: 2 }),
			table: new table({ initial: 10, maximum: 20, element: "anyfunc" }),
		});
	}

	/** Instantiates a module, which becomes the last one. */
	instantiate(bytes: Uint8Array, id: string | null): void {
		this.#last = undefined;
		const { Instance, Module } = webAssembly();
		const imports: Record<string, Record<string, WasmExtern>> = Object.fromEntries(this.#registered);
		if (this.#way !== undefined) giveFuel();
		const rewritten = this.#way === undefined ? undefined : rewriteModule(bytes, 0, { ...this.#way, verify: true });
		const module = new Module(rewritten?.bytes ?? bytes);
		const complete = rewritten === undefined ? undefined : this.#memories.prepare(module, rewritten, imports);
		const instance = new Instance(module, imports);
		complete?.(instance);
		const { exports } = instance;
		this.#last = exports;
		if (id !== null) this.#byId.set(id, exports);
	}

	register(name: string, id: string | null): void {
		const exports = this.#exports(id);
		if (exports !== undefined) this.#registered.set(name, exports);
	}

	act(action: Action): unknown {
		const item = this.#exports(action.instance)?.[action.name];
		if (action.kind === "get") return (item as { value: unknown } | undefined)?.value;
		return (item as (...args: unknown[]) => unknown)(...action.args.map(toArgument));
	}

	#exports(id: string | null): Exports | undefined {
		return id === null ? this.#last : this.#byId.get(id);
	}
}

/** A number of the script, roughly: both worlds get the same, which is all that matters. */
function toArgument(expr: SExpr): unknown {
	const text = textOf(expr.kind === "list" ? expr.items[1] : undefined).replaceAll("_", "");
	const negative = text.startsWith("-");
	const plain = text.replace(/^[+-]/, "");
	switch (headOf(expr)) {
		case "i64.const":
			return negative ? -BigInt(plain) : BigInt(plain);
		case "i32.const":
			return negative ? -Number(plain) : Number(plain);
		case "f32.const":
		case "f64.const": {
			const value = plain.startsWith("nan") ? Number.NaN : plain === "inf" ? Infinity : Number.parseFloat(plain);
			return negative ? -value : value;
		}
		case "ref.null":
			return null;
		default:
			return {};
	}
}

/** What came of it: a value, or an error by its message. Objects are of one world only, and compared by their type. */
function outcome(act: () => unknown): unknown {
	const plain = (value: unknown): unknown =>
		Array.isArray(value)
			? value.map(plain)
			: typeof value === "object" && value !== null
				? "object"
				: typeof value === "function"
					? "function"
					: value;
	try {
		return { value: plain(act()) };
	} catch (error) {
		// A core exception has no message. Offsets and the numbers of imports differ.
		const { name, message = "" } = error as Partial<Error>;
		return { name, message: message.replace(/@\+\d+|[^ ]+ #\d+/g, "") };
	}
}

/** Of what `JSON` cannot write, too: bigints, and numbers that are none or have a sign. */
function toText(value: unknown): string {
	return JSON.stringify(value, (_, item: unknown) =>
		typeof item === "bigint" || typeof item === "number"
			? `${typeof item} ${Object.is(item, -0) ? "-0" : String(item)}`
			: item,
	);
}

async function bytesOf(command: Command): Promise<Uint8Array | undefined> {
	if (command.kind !== "unit" && command.kind !== "assert_uninstantiable" && command.kind !== "assert_unlinkable")
		return undefined;
	const { source } = command.unit;
	if (source.kind === "binary") return source.bytes;
	return await parse(source.text).catch(() => undefined);
}

suite("metering", { skip: existsSync(CORE) ? false : `the suite is absent: ${CORE}` }, () => {
	for (const file of globSync("**/*.wast", { cwd: CORE }).sort()) {
		test(file, async () => {
			const worlds = [new World(undefined), ...WAYS.map((way) => new World(way))];
			const problems: string[] = [];
			for (const command of parseScript(readFileSync(path.join(CORE, file), "utf8"))) {
				const bytes = await bytesOf(command);
				const at = `${file}:${command.line}`;
				/** `undefined` for what cannot be called from JavaScript, vectors above all. */
				const both = (act: (world: World) => unknown): boolean | undefined => {
					const [before, ...after] = worlds.map((world) => toText(outcome(() => act(world))));
					const same = after.every((text) => text === before);
					if (!same) problems.push(`${at}: ${before}, then ${after.join(", ")}`);
					return same && before?.startsWith('{"name":"TypeError"') ? undefined : same;
				};
				if (bytes !== undefined && isValid(bytes)) {
					const id = "unit" in command ? command.unit.id : null;
					const same = both((world) => world.instantiate(bytes, id));
					counts.rewritten[same === false ? "failed" : "passed"]++;
				} else if (command.kind === "register") {
					both((world) => world.register(command.name, command.instance));
				} else if ("action" in command) {
					const same = both((world) => world.act(command.action));
					counts.calls[same === undefined ? "skipped" : same ? "passed" : "failed"]++;
				}
			}
			assert.deepEqual(problems, []);
		});
	}

	test("nearly everything was there to be compared", () => {
		assert.ok(counts.rewritten.passed > 2500, `${counts.rewritten.passed} modules`);
		assert.ok(counts.calls.passed > 30_000, `${counts.calls.passed} calls`);
	});
});

const programs = listPrograms(["sightglass", "http", "runtime-types", "p3"]);

suite("metering/programs", { skip: programs.length === 0 ? `no programs at ${SUITES}` : false }, () => {
	for (const file of programs) {
		test(path.relative(SUITES, file), () => {
			for (const bytes of modulesWithin(new Uint8Array(readFileSync(file)))) {
				for (const way of WAYS) {
					const rewritten = rewriteModule(bytes, 0, { ...way, verify: true });
					void new (webAssembly().Module)(rewritten.bytes);
				}
				counts.programs.passed++;
			}
		});
	}
});

after(() => writeCounts("metering", counts));
