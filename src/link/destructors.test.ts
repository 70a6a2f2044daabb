/** Destructors that fail while a guest drops a resource: the reason is that of the failure, wherever the drop was. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { Trap } from "../fault/mod.ts";
import { call, link, start } from "./guest.fixture.ts";

/** `own` and `other` drop a resource with this destructor, within its component and from another; `visit` and `wait` come to the host. */
const guest = (dtor: string, async: boolean): string => `(component
	(import "log" (func $log))
	(component $definer
		(import "log" (func $log))
		(core func $log (canon lower (func $log)))
		(core module $d (import "" "log" (func $log)) (tag $e)
			(func $deeper (call $deeper) (call $deeper))
			(func (export "dtor") (param i32) ${dtor}))
		(core instance $d (instantiate $d (with "" (instance (export "log" (func $log))))))
		(alias core export $d "dtor" (core func $dtor))
		(type $r (resource (rep i32) (dtor (core func $dtor))))
		(core func $new (canon resource.new $r)) (core func $drop (canon resource.drop $r))
		${async ? "(type $s (stream u8)) (core func $stream (canon stream.new $s))" : ""}
		(core module $m (import "" "new" (func $new (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
			(func (export "make") (result i32) (call $new (i32.const 5)))
			(func (export "own") (result i32) (call $drop (call $new (i32.const 5))) (i32.const 1)))
		(core instance $m (instantiate $m (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
		(export $r' "r" (type $r))
		(func (export "make") (result (own $r')) (canon lift (core func $m "make")))
		(func (export "own") (result u32) (canon lift (core func $m "own"))))
	(instance $definer (instantiate $definer (with "log" (func $log))))
	(component $user
		(import "r" (type $r (sub resource))) (import "make" (func $make (result (own $r))))
		(core func $make (canon lower (func $make))) (core func $drop (canon resource.drop $r))
		(core module $m (import "" "make" (func $make (result i32))) (import "" "drop" (func $drop (param i32)))
			(func (export "other") (result i32) (call $drop (call $make)) (i32.const 1)))
		(core instance $m (instantiate $m (with "" (instance (export "make" (func $make)) (export "drop" (func $drop))))))
		(func (export "other") (result u32) (canon lift (core func $m "other"))))
	(alias export $definer "r" (type $r)) (alias export $definer "make" (func $make))
	(instance $user (instantiate $user (with "r" (type $r)) (with "make" (func $make))))
	(core func $log' (canon lower (func $log)))
	(core module $v (import "" "log" (func $log)) (func (export "visit") (result i32) (call $log) (i32.const 1)))
	(core instance $v (instantiate $v (with "" (instance (export "log" (func $log'))))))
	(func (export "visit") (result u32) (canon lift (core func $v "visit")))
	(export "own" (func $definer "own")) (export "other" (func $user "other")))`;

for (const async of [false, true])
	suite(`a component in which ${async ? "something" : "nothing"} is asynchronous`, () => {
		for (const drop of ["own", "other"]) {
			for (const [what, dtor, message] of [
				["traps", "unreachable", /^unreachable$/],
				["throws", "(throw $e)", /^uncaught exception$/],
				["recurses for ever", "(call $deeper)", /^call stack exhausted$/],
			] as const) {
				test(`${drop}: a destructor that ${what}`, async () => {
					const instance = await start(guest(dtor, async), { functions: { log() {} } });
					await assert.rejects(
						async () => await call(instance, drop),
						(error) => error instanceof Trap && message.test(error.message),
					);
					await assert.rejects(async () => await call(instance, "visit"), /cannot enter component instance/);
				});
			}

			test(`${drop}: a destructor that comes to the host, which fails`, async () => {
				const failed = new Error("of the host");
				const functions = { log: () => Promise.reject(failed) };
				const instance = await start(guest("(call $log)", async), { functions });
				await assert.rejects(
					async () => await call(instance, drop),
					(error) => error === failed,
				);
			});

			test(`${drop}: a destructor that waits for the host is waited for`, async () => {
				let logged = 0;
				const log = async (): Promise<void> => {
					await new Promise(setImmediate);
					logged++;
				};
				const instance = await start(guest("(call $log)", async), { functions: { log } });
				assert.equal(await call(instance, drop), 1);
				assert.equal(logged, 1);
			});
		}

		test("only a drop whose destructor may come to the host has a stack of its own", async () => {
			for (const [dtor, resources] of [
				["", 0],
				["(call $log)", 1],
			] as const) {
				const { plan } = await link(guest(dtor, async), { functions: { log() {} } });
				assert.equal(plan.stackfulResources.size, resources);
				assert.equal(plan.stackful.filter(Boolean).length, resources === 0 ? 1 : 3);
			}
		});
	});
