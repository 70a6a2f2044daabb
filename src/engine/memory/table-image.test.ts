import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { rewriteModule } from "../../rewrite/mod.ts";
import { type AttachedCore, takeCoreImage } from "../state/core-image.ts";
import { CoreMemories } from "../state/owned.ts";
import { webAssembly, type WasmImports, type WasmInstance } from "../v8/v8.ts";

interface Guest {
	readonly exports: Record<string, any>;
	readonly memories: CoreMemories;
	readonly core: AttachedCore;
}

/** An instance of a guest with a table of so many elements, attached to its image. */
async function attach(size: number, memories = new CoreMemories(), address = "i32"): Promise<Guest> {
	const bytes = await parse(`(module (table $t (export "t") ${address} ${size} 100000 funcref)
		(func $f (export "f")) (func $g (export "g")) (elem (${address}.const 0) func $f $g $f)
		(func (export "set") (param ${address}) (table.set $t (local.get 0) (ref.func $g)))
		(func (export "fill") (param ${address} ${address}) (table.fill $t (local.get 0) (ref.null func) (local.get 1)))
		(func (export "grow") (param ${address}) (drop (table.grow $t (ref.null func) (local.get 0)))))`);
	const rewritten = rewriteModule(bytes, 0, { metering: "off", verify: true });
	const { imports, exports, initial, state } = rewritten;
	assert.ok(typeof state === "object");
	const { Instance, Module } = webAssembly();
	const module = new Module(rewritten.bytes);
	const wanted: WasmImports = {};
	const complete = memories.prepare(module, { imports, exports, initial }, wanted);
	const instance: WasmInstance = new Instance(module, wanted);
	complete(instance);
	const image = takeCoreImage(instance, state, memories, undefined);
	assert.ok(typeof image === "object");
	const core = image.attach(instance, memories);
	return { exports: instance.exports, memories, core };
}

function contentOf({ exports: { t } }: Guest): unknown[] {
	return [...Array(Math.min(Number(t.length), 10)).keys()].map(
		(i) => (t.get(typeof t.length === "bigint" ? BigInt(i) : i) as { name: string } | null)?.name,
	);
}

const ORIGINAL = ["0", "1", "0", undefined, undefined];

suite("tables at a reset", () => {
	for (const address of ["i32", "i64"]) {
		test(`what code has changed is put back, again and again: ${address}`, async () => {
			const index = (i: number): number | bigint => (address === "i64" ? BigInt(i) : i);
			const guest = await attach(5, new CoreMemories(), address);
			assert.deepEqual(contentOf(guest), ORIGINAL);
			for (let i = 0; i < 3; i++) {
				guest.exports["set"](index(0));
				guest.exports["fill"](index(1), index(2));
				guest.exports["set"](index(4));
				assert.deepEqual(contentOf(guest), ["1", undefined, undefined, undefined, "1"]);
				assert.equal(guest.core.restore(), 0);
				assert.deepEqual(contentOf(guest), ORIGINAL);
			}
			guest.exports["grow"](index(1));
			assert.equal(guest.core.restore(), undefined);
		});
	}

	test("one that code has not changed is not looked at", async () => {
		const guest = await attach(5);
		// Nobody does this but tests
		guest.exports["t"].set(0, null);
		assert.equal(guest.core.restore(), 0);
		assert.deepEqual(contentOf(guest), [undefined, ...ORIGINAL.slice(1)]);
	});

	test("up to 32,768 elements of a sandbox; with more, only where none has changed", async () => {
		const most = await attach(32_768);
		most.exports["fill"](0, 32_768);
		assert.equal(most.core.restore(), 0);
		assert.deepEqual(contentOf(most).slice(0, 5), ORIGINAL);
		const next = await attach(3, most.memories);
		for (const guest of [next, await attach(32_769)]) {
			assert.equal(guest.core.restore(), 0);
			guest.exports["set"](0);
			assert.equal(guest.core.restore(), undefined);
		}
		assert.equal(most.core.restore(), 0);
	});
});
