/** Start functions that change more than contents: every instance of the pool has that, not only the first. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache, createLinuxPageMapper } from "../engine/mod.ts";
import { linkComponent, loadComponent } from "../link/mod.ts";
import { SandboxPool } from "./sandbox-pool.ts";

const OVER = new Error("over");

const STARTS: Readonly<Record<string, { readonly start: string; readonly due: number }>> = {
	"a memory that grows": {
		start: "(drop (memory.grow (i32.const 1))) (i32.store (i32.const 70000) (i32.const 5))",
		due: 205,
	},
	"a table that grows": { start: "(drop (table.grow $t (ref.null func) (i32.const 3)))", due: 30_100 },
	"a table that is written": { start: "(table.set $t (i32.const 0) (ref.func $s))", due: 1_010_100 },
};

const text = (start: string): string => `(component
	(core module $m (memory 1 4) (table $t 1 funcref) (elem declare func $s)
		(func $s ${start}) (start $s)
		(func (export "f") (result i32)
			(i32.add (i32.add (i32.mul (memory.size) (i32.const 100))
				(if (result i32) (i32.gt_u (memory.size) (i32.const 1)) (then (i32.load (i32.const 70000))) (else (i32.const 0))))
				(i32.add (i32.mul (i32.sub (table.size $t) (i32.const 1)) (i32.const 10000))
					(select (i32.const 0) (i32.const 1010000) (ref.is_null (table.get $t (i32.const 0))))))))
	(core instance $i (instantiate $m))
	(func (export "f") (result u32) (canon lift (core func $i "f"))))`;

const found = createLinuxPageMapper();
const MAPPERS = { copy: undefined, cow: typeof found === "string" ? undefined : found };

suite("start functions", () => {
	for (const [name, { start, due }] of Object.entries(STARTS)) {
		for (const [strategy, mapper] of Object.entries(MAPPERS)) {
			test(`${name}: ${strategy}`, async () => {
				const linked = await linkComponent(
					loadComponent(await parse(text(start))),
					{ interfaces: [] },
					new CompileCache(),
				);
				const pool = new SandboxPool(linked, { wasi: () => ({}), mapper });
				for (let round = 0; round < 2; round++) {
					const sandboxes = await Promise.all(Array.from({ length: 3 }, async () => await pool.acquire()));
					const answers = await Promise.all(sandboxes.map((sandbox) => sandbox.call(["f"], [])));
					assert.deepEqual(answers, [due, due, due]);
					for (const sandbox of sandboxes) sandbox.end(OVER);
				}
				assert.deepEqual([pool.counts.created, pool.counts.reset, pool.freshBecause], [3, 6, undefined]);
				pool.close(OVER);
			});
		}
	}
});
