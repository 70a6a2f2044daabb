/** Run by `heap.test.ts` in a process with a small heap: guests that have no limit there, and what is left of the process. */
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache } from "../../src/engine/mod.ts";
import { linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool } from "../../src/pool/mod.ts";
import { ENDLESS, HOARDER } from "./endless-shapes.ts";

const METERINGS = ["off", "trap", "yield", "fuel"] as const;
const TABLES = `(component
	(core module $m (table $t 0 funcref) (func (export "f") (loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 100000)) (i32.const -1)))))
		(func (export "ok") (result i32) (i32.const 7)))
	(core instance $i (instantiate $m))
	(func (export "f") (canon lift (core func $i "f"))) (func (export "ok") (result u32) (canon lift (core func $i "ok"))))`;

const cache = new CompileCache();
const said: unknown[] = [];
for (const metering of METERINGS) {
	const hoarder = await start(HOARDER, metering);
	const tables = await start(TABLES, metering);
	const neighbour = await start(ENDLESS["a loop"] ?? "", metering);
	// More of them at a time than there is room for
	const hoarders = await Promise.all(Array.from({ length: 3 }, async () => await callOnce(hoarder, "f")));
	said.push({ metering, hoarders, tables: await callOnce(tables, "f"), neighbour: await callOnce(neighbour, "ok") });
	for (const pool of [hoarder, tables, neighbour]) pool.close(undefined);
}
console.log(JSON.stringify(said));

async function start(text: string, metering: (typeof METERINGS)[number]): Promise<SandboxPool> {
	const linked = await linkComponent(loadComponent(await parse(text)), { interfaces: [], functions: {} }, cache, {
		metering,
	});
	return new SandboxPool(linked, { wasi: () => ({}), limits: { gcHeap: Infinity, tables: Infinity, cpu: Infinity } });
}

async function callOnce(pool: SandboxPool, name: string): Promise<unknown> {
	const sandbox = await pool.acquire();
	try {
		return (await sandbox.call([name], [])) ?? "returned";
	} catch (error) {
		return (error as Error).message;
	} finally {
		sandbox.end(undefined);
	}
}
