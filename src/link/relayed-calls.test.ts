/** Functions of every make, called by a host that invites them to be put off: the same is done, and told, as in a plain call. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Soon, threadRelay } from "../engine/mod.ts";
import { link } from "./guest.fixture.ts";
import { instantiate } from "./instance/instantiate.ts";

const IMPORT = `(import "h" (func $h (param "a" u32) (param "b" u32))) (core func $l (canon lower (func $h)))`;
const INSTANCE = `(core instance $i (instantiate $m (with "" (instance (export "h" (func $l))))))`;
const EXPORT = `(func (export "f") (param "a" u32) (param "b" u32) (canon lift (core func $i "f")))`;
const TELL = `(call $h (local.get 0) (local.get 1))`;
const made = (type: string, f = TELL): string => `(component ${IMPORT}
	(core module $m (type $of-h (func (param i32 i32))) ${type}
		(import "" "h" (func $h (type $of-h))) (func (export "f") (type $t) ${f}))
	${INSTANCE} ${EXPORT})`;

const PUT_OFF: Readonly<Record<string, string>> = {
	"one of its own": made(`(type $t (func (param i32 i32)))`),
	"the host's, exported as it is": `(component ${IMPORT}
		${EXPORT.replace('$i "f"', "$l")})`,
	"the host's, exported by a module": `(component ${IMPORT}
		(core module $m (import "" "h" (func $h (param i32 i32))) (export "f" (func $h)))
		${INSTANCE} ${EXPORT})`,
};

const AS_ANY_OTHER: Readonly<Record<string, string>> = {
	"one whose type has subtypes": made(`(type $t (sub (func (param i32 i32))))`),
	"one whose type belongs to others": made(
		`(rec (type $t (func (param i32 i32))) (type (struct (field (ref null $t)))))`,
	),
	// The task's storage is there while it runs.
	"one in tasks": `(component ${IMPORT}
		(core func $put (canon context.set i32 0)) (core func $get (canon context.get i32 0))
		(core module $m
			(import "" "h" (func $h (param i32 i32)))
			(import "" "put" (func $put (param i32))) (import "" "get" (func $get (result i32)))
			(func (export "f") (param i32 i32) (call $put (local.get 1)) (call $h (local.get 0) (call $get))))
		(core instance $i (instantiate $m (with "" (instance
			(export "h" (func $l)) (export "put" (func $put)) (export "get" (func $get))))))
		${EXPORT})`,
};

suite("calls that can be put off", () => {
	for (const [name, wat] of [...Object.entries(PUT_OFF), ...Object.entries(AS_ANY_OTHER)]) {
		for (const waits of [false, true]) {
			test(`${name}${waits ? ", which waits" : ""}`, async () => {
				const log: unknown[] = [];
				const h = (_: unknown, ...args: unknown[]): unknown => {
					log.push(args);
					return waits ? Promise.resolve() : undefined;
				};
				const instance = instantiate(await link(wat, { functions: { h } }), undefined);
				const f = instance.function(["f"]);
				assert.ok(f !== undefined);
				for (let i = 1; i <= 2; i++) {
					instance.begin();
					await f.call([i, 2]);
					let left = 1;
					const returned: unknown[] = [];
					threadRelay().run(() => {
						if (left-- === 0) return false;
						returned.push(threadRelay().invite(() => f.call([i, 4])));
						return true;
					});
					if (name in PUT_OFF) assert.ok(returned[0] instanceof Soon);
					else assert.ok(!(returned[0] instanceof Soon));
					assert.equal(await returned[0], undefined);
				}
				assert.deepEqual(log, [
					[1, 2],
					[1, 4],
					[2, 2],
					[2, 4],
				]);
			});
		}
	}
});
