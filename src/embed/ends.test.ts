/** What the host does at the end of a sandbox may fail: whoever called is told what the call came to, and the process goes on. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Engine } from "./mod.ts";

/** `f` makes two things of the host's, which it keeps, and waits; with `async` it has returned before it waits. */
const guest = (lift: string): string => `(component
	(import "a:b/c" (instance $c (export "thing" (type $t (sub resource)))
		(export "[constructor]thing" (func (result (own $t)))) (export "wait" (func))))
	(alias export $c "[constructor]thing" (func $make)) (alias export $c "wait" (func $wait))
	(core func $make (canon lower (func $make))) (core func $wait (canon lower (func $wait)))
	(core func $return (canon task.return))
	(core module $m
		(import "" "make" (func $make (result i32))) (import "" "wait" (func $wait)) (import "" "return" (func $return))
		(func (export "sync") (drop (call $make)) (drop (call $make)) (call $wait))
		(func (export "async") (result i32) (call $return) (drop (call $make)) (drop (call $make)) (call $wait) (i32.const 0))
		(func (export "on") (param i32 i32 i32) (result i32) unreachable))
	(core instance $i (instantiate $m (with "" (instance
		(export "make" (func $make)) (export "wait" (func $wait)) (export "return" (func $return))))))
	${lift})`;
const KINDS = {
	sync: `(func (export "f") (canon lift (core func $i "sync")))`,
	async: `(func (export "f") async (canon lift (core func $i "async") async (callback (core func $i "on"))))`,
};

for (const [kind, lift] of Object.entries(KINDS))
	suite(`a resource of the host's whose dispose throws, ${kind} function`, () => {
		let wait: () => unknown = () => {};
		let disposed = 0;
		class Thing {
			[Symbol.dispose](): void {
				disposed++;
				throw new Error("mine");
			}
		}
		const load = async () =>
			await new Engine({ cache: false }).load(new Uint8Array(await parse(guest(lift))), {
				warm: 1,
				limits: { wall: 200 },
				imports: { "a:b/c": { Thing, wait: () => wait() } },
			});
		const warning = async (): Promise<string> => ((await once(process, "warning")) as [Error])[0].message;
		const GIVEN_BACK = "what a guest held of the host was not given back cleanly: mine";

		test("a call that returns", async () => {
			wait = () => {};
			const component = await load();
			for (let round = 1; round < 3; round++) {
				disposed = 0;
				const [told] = await Promise.all([warning(), component.exports["f"]()]);
				assert.deepEqual([told, disposed], [GIVEN_BACK, 2]);
			}
		});

		test("one that comes to a limit, and one that a signal ends: the reason is what the caller is told", async () => {
			wait = () => new Promise(() => {});
			const component = await load();
			disposed = 0;
			const [told] = await Promise.all([
				warning(),
				assert.rejects(component.exports["f"](), /^LimitExceeded: killed: wall/),
			]);
			assert.deepEqual([told, disposed], [GIVEN_BACK, 2]);
			const controller = new AbortController();
			const call = component.call(["f"], [], { signal: controller.signal });
			await sleep(5);
			const rejected = assert.rejects(call, /^Error: gone$/);
			const warned = warning();
			controller.abort(new Error("gone"));
			const [again] = await Promise.all([warned, rejected]);
			assert.deepEqual([again, disposed], [GIVEN_BACK, 4]);
		});

		test("who disposes of a sandbox that was kept is told", async () => {
			wait = () => new Promise(() => {});
			const sandbox = (await load()).instantiate();
			const call = assert.rejects(sandbox.exports["f"](), /the sandbox was disposed/);
			await sleep(5);
			disposed = 0;
			assert.throws(() => sandbox[Symbol.dispose](), /^Error: mine$/);
			await call;
			assert.equal(disposed, 2);
		});
	});
