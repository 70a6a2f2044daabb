/** The embedder is asked before a guest grows: whatever it answers, and whatever it does meanwhile. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Engine, type Growth, type LoadOptions, type Sandbox } from "./mod.ts";

const PAGE = 65_536;

/** `memory` and `table` grow and give what the instruction does; they catch all that can be caught, and give -9 then. */
const guarded = (name: string, instruction: string): string => `
	(func (export "${name}") (param i32) (result i32)
		(block $caught (try_table (catch_all $caught) (return ${instruction})))
		(i32.const -9))`;
const GUEST = `(module (import "env" "host" (func $host))
	(memory 1) (memory $b i64 1) (table $t 10 funcref)
	${guarded("memory", "(memory.grow (local.get 0))")}
	${guarded("other", "(i32.wrap_i64 (memory.grow $b (i64.extend_i32_s (local.get 0))))")}
	${guarded("table", "(table.grow $t (ref.null func) (local.get 0))")}
	(func (export "sizes") (result i32)
		(i32.add (i32.mul (i32.const 100) (memory.size)) (i32.add (i32.mul (i32.const 10) (i32.wrap_i64 (memory.size $b))) (table.size $t))))
	(func (export "host") (call $host)))`;
/** The same without imports: it runs on the host's own stack. */
const ALONE = GUEST.replace(/\(import "env" "host" \(func \$host\)\)/, "(func $host)");

const bytes = { imports: new Uint8Array(await parse(GUEST)), alone: new Uint8Array(await parse(ALONE)) };

function load(kind: keyof typeof bytes, options: LoadOptions) {
	const imports = kind === "imports" ? { env: { host() {} } } : {};
	return new Engine({ cache: false }).load(bytes[kind], { imports, app: "x", ...options });
}

for (const kind of ["imports", "alone"] as const)
	suite(`onGrow, a guest ${kind === "alone" ? "without imports" : "with imports"}`, () => {
		for (const metering of ["trap", "yield", "fuel", "off"] as const)
			test(`metering ${metering}: is asked in sandboxes of each call and in those that are kept, and grants or refuses`, async () => {
				const asked: Growth[] = [];
				const onGrow = (growth: Growth): boolean => {
					asked.push(growth);
					return growth.to <= 3 * PAGE;
				};
				const module = await load(kind, { metering, onGrow });
				using kept = module.instantiate();
				const fresh = { memory: [1, -1, 1], other: -1, table: 10 };
				for (const { memory, other, table } of [module.exports, module.exports])
					assert.deepEqual(
						{
							memory: [await memory(1), await memory(2), await memory(0)],
							other: await other(2),
							table: await table(1),
						},
						fresh,
					);
				const { memory, other, table } = kept.exports;
				assert.deepEqual([await memory(1), await memory(0), await other(1), await table(1)], [1, 2, -1, 10]);
				assert.equal(asked.length, 11);
				assert.deepEqual(asked.slice(0, 4), [
					{ what: "memory", from: 2 * PAGE, to: 3 * PAGE },
					{ what: "memory", from: 2 * PAGE, to: 4 * PAGE },
					{ what: "memory", from: 2 * PAGE, to: 4 * PAGE },
					{ what: "tables", from: 10, to: 11 },
				]);
			});

		for (const [what, onGrow, message] of [
			["throws", () => assert.fail("mine"), /^mine$/],
			["gives a promise", async () => true, /^Cannot grow the \w+ of a guest: onGrow gave a promise$/],
			[
				"gives a promise that rejects",
				async () => assert.fail("later"),
				/^Cannot grow the \w+ of a guest: onGrow gave a promise$/,
			],
			["gives nothing", () => undefined, /^Cannot grow the \w+ of a guest: onGrow gave a value of type undefined$/],
		] as const)
			for (const name of ["memory", "other", "table"])
				test(`${name}: one that ${what} ends the guest, whatever that catches`, async () => {
					const module = await load(kind, { onGrow: onGrow as () => boolean });
					for (let round = 0; round < 2; round++)
						await assert.rejects(module.exports[name](1), (error: Error) => message.test(error.message));
					using kept = module.instantiate();
					await assert.rejects(kept.exports[name](1), (error: Error) => message.test(error.message));
					assert.equal(await module.exports["sizes"](), 120);
				});

		test("one that has the guest grow meanwhile: all of it counts", async () => {
			let sandbox: Sandbox | undefined;
			let nested: unknown;
			const onGrow = (): boolean => {
				if (nested === undefined) {
					nested = "is about to be";
					nested = sandbox?.exports["memory"](1);
				}
				return true;
			};
			const module = await load(kind, { onGrow, limits: { memory: 4 * PAGE } });
			sandbox = module.instantiate();
			assert.equal(await sandbox.exports["memory"](1), 2, "it was of two pages by then");
			assert.equal(await nested, 1);
			assert.equal(await sandbox.exports["memory"](1), -1);
			assert.equal(await sandbox.exports["other"](1), -1);
			assert.equal(await sandbox.exports["sizes"](), 320);
			sandbox[Symbol.dispose]();
		});

		test("one that ends the sandbox", async () => {
			let sandbox: Sandbox | undefined;
			const onGrow = (): boolean => {
				sandbox?.[Symbol.dispose]();
				return true;
			};
			const module = await load(kind, { onGrow });
			sandbox = module.instantiate();
			await assert.rejects(sandbox.exports["memory"](1), /the sandbox was disposed/);
		});
	});

test("onGrow of an engine is that of all that it loads which has none of its own", async () => {
	const engine = new Engine({ cache: false, onGrow: () => false });
	assert.equal(await (await engine.load(bytes.alone)).exports["memory"](1), -1);
	assert.equal(await (await engine.load(bytes.alone, { onGrow: () => true })).exports["memory"](1), 1);
});
