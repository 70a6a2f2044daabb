/** Code of the host's that ends the sandbox it is called by: what comes after it is not to reach the sandbox's next use. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache, type CoreSnapshot } from "../../src/engine/mod.ts";
import { linkComponent, loadComponent } from "../../src/link/mod.ts";
import { type PooledSandbox, SandboxPool } from "../../src/pool/mod.ts";
import { assembleAsyncGuest, CONTROL, OPERATIONS } from "./async-guest.ts";
import { AsyncHost } from "./async-program.ts";
import { STRATEGIES } from "./reset-check.ts";

const OVER = new Error("the host ends it");
const op = (name: string): number => OPERATIONS.findIndex((operation) => operation.name === name);

const SYNC_GUEST = `(component
	(type $pair' (record (field "a" u32) (field "b" u32)))
	(export $pair "pair" (type $pair'))
	(core module $m
		(memory (export "memory") 1)
		(func (export "keep") (param i32 i32) (i32.store (i32.const 64) (local.get 0)) (i32.store (i32.const 68) (local.get 1))))
	(core instance $i (instantiate $m))
	(func (export "keep") (param "pair" $pair) (canon lift (core func $i "keep"))))`;

/** Whatever ends it, and what is done until then. */
interface Case {
	readonly name: string;
	readonly guest: () => Promise<Uint8Array>;
	/** Begins a call, in which the host is to call `end`. */
	readonly run: (sandbox: PooledSandbox, host: AsyncHost, end: () => void) => Promise<unknown>;
}

const readsOf = (source: (end: () => void) => unknown): Case["run"] => {
	const program = Uint8Array.of(op("give"), 0, 0, 1, op("stream.read"), 0, 0, 60, CONTROL.yield, 0, 0, 0);
	return (sandbox, host, end) => {
		host.source = () => source(end);
		return sandbox.call(["run"], [program]);
	};
};

const CASES: readonly Case[] = [
	{
		name: "an iterator that is asked for elements",
		guest: assembleAsyncGuest,
		run: readsOf((end) => ({
			[Symbol.iterator]: () => ({
				next: () => {
					end();
					return { done: false, value: new Uint8Array(60).fill(255) };
				},
			}),
		})),
	},
	{
		name: "an asynchronous iterator that is asked for its second elements",
		guest: assembleAsyncGuest,
		run: readsOf((end) => {
			let asked = 0;
			return {
				[Symbol.asyncIterator]: () => ({
					next: async () => {
						if (++asked === 2) end();
						return { done: false, value: new Uint8Array(asked * 30).fill(255) };
					},
				}),
			};
		}),
	},
	{
		name: "an argument of a task that waits for its turn",
		guest: assembleAsyncGuest,
		run: (sandbox, _host, end) => {
			const nothing = Uint8Array.of(CONTROL.yield, 0, 0, 0);
			let asked = 0;
			const program = Array.from({ length: 400 }, () => 255);
			// First it is checked, then it is lowered.
			Object.defineProperty(program, 200, { get: () => (++asked === 2 ? (end(), 255) : 255), enumerable: true });
			const calls = [sandbox.call(["run"], [nothing]), sandbox.call(["run"], [program])];
			return Promise.all(calls);
		},
	},
	{
		name: "the getter of an argument",
		guest: async () => new Uint8Array(await parse(SYNC_GUEST)),
		run: (sandbox, _host, end) => {
			let asked = 0;
			const pair = {
				a: 0xffff_ffff,
				get b() {
					if (++asked === 1) end();
					return 0xffff_ffff;
				},
			};
			return sandbox.call(["keep"], [pair]);
		},
	},
];

// Its bytes are the guest's own memory.
const state = (sandbox: PooledSandbox): CoreSnapshot[] =>
	sandbox.snapshot().map(({ memories, globals }) => ({ memories: memories.map((bytes) => bytes.slice()), globals }));

suite("the host ends a sandbox in the midst of its work", () => {
	for (const { name, guest, run } of CASES) {
		for (const strategy of STRATEGIES.filter(({ warm }) => warm > 0)) {
			test(`${name}, ${strategy.name}`, { skip: strategy.skip }, async () => {
				const host = new AsyncHost();
				const linked = await linkComponent(loadComponent(await guest()), host.imports, new CompileCache(), {
					features: { asyncCancel: true },
				});
				const pool = new SandboxPool(linked, { wasi: () => ({}), warm: 1, mapper: strategy.mapper });
				try {
					const first = await pool.acquire();
					const due = state(first);
					let next: PooledSandbox | Promise<PooledSandbox> | undefined;
					let ends = 0;
					const call = run(first, host, () => {
						if (++ends > 1) return;
						first.end(OVER);
						next = pool.acquire();
					});
					await assert.rejects(call, OVER);
					assert.ok(next !== undefined, "it was not ended by the host");
					await turn();
					const second = await next;
					assert.deepEqual(state(second), due);
					assert.equal(second.handles, 0);
					second.end(OVER);
					const third = await pool.acquire();
					assert.deepEqual(state(third), due);
					third.end(OVER);
					assert.deepEqual(pool.usage(), { sandboxes: 0, handles: 0 });
				} finally {
					pool.close(OVER);
				}
			});
		}
	}
});
