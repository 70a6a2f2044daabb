import assert from "node:assert/strict";
import { test } from "node:test";

import { GuestResource } from "../../abi/mod.ts";
import { SkerryError, Trap } from "../../fault/mod.ts";
import { call, link, start } from "../guest.fixture.ts";
import { instantiate } from "./instantiate.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Counts its calls in a global; the count starts at the argument `from`. */
const COUNTER = `(component $counter
	(core module $m (global $n (mut i32) (i32.const 0))
		(func (export "next") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))
	(core instance $i (instantiate $m))
	(func (export "next") (result u32) (canon lift (core func $i "next"))))`;

/** Lifts one core function \`f\` of type () → u32 with \`body\`, over the lowered import \`f\`. */
function layer(name: string, body: string, extra = ""): string {
	return `(component $${name}
		(import "f" (func $f (result u32)))
		(core func $low (canon lower (func $f)))
		(core module $m (import "" "f" (func $f (result i32))) ${extra}
			(func (export "f") (result i32) ${body}))
		(core instance $i (instantiate $m (with "" (instance (export "f" (func $low))))))
		(func (export "f") (result u32) (canon lift (core func $i "f"))))`;
}

test("two sandboxes of one component share nothing", async () => {
	const linked = await link(`(component ${COUNTER} (instance $c (instantiate $counter)) (export "c" (instance $c)))`);
	const [a, b] = [instantiate(linked, 1), instantiate(linked, 2)];
	assert.deepEqual([await call(a, "c#next"), await call(a, "c#next"), await call(b, "c#next")], [1, 2, 1]);
	a.dispose(new Error("for the test"));
	assert.equal(await call(b, "c#next"), 2);
	await assert.rejects(call(a, "c#next"), Trap);
});

test("two instances of one nested component have their own state, in one module", async () => {
	const linked = await link(`(component ${COUNTER}
		(instance $a (instantiate $counter)) (instance $b (instantiate $counter))
		(export "a" (func $a "next")) (export "b" (func $b "next")))`);
	assert.equal(linked.modules.length, 1);
	const instance = instantiate(linked, undefined);
	const calls = ["a", "a", "b", "a", "b"];
	const results: unknown[] = [];
	for (const name of calls) results.push(await call(instance, name));
	assert.deepEqual(results, [1, 2, 1, 3, 2]);
});

test("outer aliases of modules and components, and instances as arguments", async () => {
	const instance = await start(`(component
		(core module $m (func (export "f") (result i32) (i32.const 5)))
		(component $five
			(alias outer 1 $m (core module $inner))
			(core instance $i (instantiate $inner))
			(func (export "f") (result u32) (canon lift (core func $i "f"))))
		${layer("twice", "(i32.mul (call $f) (i32.const 2))")}
		(component $pair
			(alias outer 1 $five (component $inner))
			(alias outer 1 $twice (component $twice))
			(import "given" (instance $given (export "f" (func (result u32)))))
			(instance $own (instantiate $inner))
			(instance $doubled (instantiate $twice (with "f" (func $given "f"))))
			(export "own" (func $own "f"))
			(export "doubled" (func $doubled "f")))
		(instance $first (instantiate $five))
		(instance $once (instantiate $twice (with "f" (func $first "f"))))
		(instance $given (export "f" (func $once "f")))
		(instance $all (instantiate $pair (with "given" (instance $given))))
		(export "all" (instance $all)))`);
	assert.equal(await call(instance, "all#own"), 5);
	assert.equal(await call(instance, "all#doubled"), 20);
});

const IMPORTED = `(import "f" (func $host (result u32)))`;

test("a host function that waits is waited for through nested calls, with the context as its first argument", async () => {
	const log: unknown[] = [];
	const wat = `(component ${IMPORTED}
		${layer("a", "(i32.add (call $f) (i32.const 1))")} ${layer("b", "(i32.mul (call $f) (call $f))")}
		(instance $a (instantiate $a (with "f" (func $host))))
		(instance $b (instantiate $b (with "f" (func $a "f"))))
		(export "f" (func $b "f")))`;
	let waits = true;
	const f = (context: unknown): unknown => {
		log.push(context);
		return waits ? turn().then(() => 6) : 6;
	};
	const instance = await start(wat, { functions: { f } });
	assert.equal(await call(instance, "f"), 49);
	waits = false;
	assert.equal(await call(instance, "f"), 49);
	assert.deepEqual(log, ["the context", "the context", "the context", "the context"]);
	assert.equal(instance.quiet, true);
});

test("an error of the host goes through nested guests that catch everything, as it is", async () => {
	const body = "(block $c (try_table (catch_all $c) (return (call $f)))) (i32.const 99)";
	const wat = `(component ${IMPORTED} ${layer("a", body)} ${layer("b", body)}
		(instance $a (instantiate $a (with "f" (func $host))))
		(instance $b (instantiate $b (with "f" (func $a "f"))))
		(export "f" (func $b "f")))`;
	for (const waits of [false, true]) {
		const error = new Error("of the host");
		const f = (): unknown => {
			if (!waits) throw error;
			return turn().then(() => Promise.reject(error));
		};
		const instance = await start(wat, { functions: { f } });
		await assert.rejects(call(instance, "f"), (got) => got === error);
		await assert.rejects(call(instance, "f"), Trap, "the sandbox is ended");
	}
});

/** \`$late\` calls its import in its start function, and returns what it got. */
const LATE = `(component $late
	(import "f" (func $f (result u32)))
	(core func $low (canon lower (func $f)))
	(core module $m (import "" "f" (func $f (result i32))) (global $n (mut i32) (i32.const 0))
		(func $start (global.set $n (call $f))) (start $start)
		(func (export "got") (result i32) (global.get $n)))
	(core instance $i (instantiate $m (with "" (instance (export "f" (func $low))))))
	(func (export "got") (result u32) (canon lift (core func $i "got"))))`;

test("a start function calls a function of another component, which calls the host", async () => {
	const wat = `(component ${IMPORTED} ${layer("a", "(i32.add (call $f) (i32.const 1))")} ${LATE}
		(instance $a (instantiate $a (with "f" (func $host))))
		(instance $late (instantiate $late (with "f" (func $a "f"))))
		(export "got" (func $late "got")))`;
	const instance = await start(wat, { functions: { f: () => 41 } });
	assert.equal(await call(instance, "got"), 42);

	const waiting = await link(wat, { functions: { f: () => Promise.reject(new Error("nobody asks")) } });
	assert.throws(
		() => instantiate(waiting, undefined),
		(error) => error instanceof Trap && error.message === "cannot block a synchronous task before returning",
	);
	const failed = new Error("of the host");
	const failing = await link(wat, {
		functions: {
			f: () => {
				throw failed;
			},
		},
	});
	assert.throws(
		() => instantiate(failing, undefined),
		(error) => error === failed,
	);
	await turn();
});

test("a start function drops a resource of another component, whose destructor calls the host", async () => {
	const log: unknown[] = [];
	const wat = `(component
		(import "dropped" (func $dropped (param "rep" u32)))
		(component $owner
			(import "dropped" (func $dropped (param "rep" u32)))
			(core func $low (canon lower (func $dropped)))
			(core module $m (import "" "dropped" (func $d (param i32))) (func (export "dtor") (param i32) (call $d (local.get 0))))
			(core instance $i (instantiate $m (with "" (instance (export "dropped" (func $low))))))
			(type $r (resource (rep i32) (dtor (core func $i "dtor"))))
			(core func $new (canon resource.new $r))
			(core module $n (import "" "new" (func $new (param i32) (result i32)))
				(func (export "make") (result i32) (call $new (i32.const 7))))
			(core instance $j (instantiate $n (with "" (instance (export "new" (func $new))))))
			(export $out "r" (type $r))
			(func (export "make") (result (own $out)) (canon lift (core func $j "make"))))
		(component $user
			(import "o" (instance $o (export "r" (type $r (sub resource))) (export "make" (func (result (own $r))))))
			(alias export $o "r" (type $r))
			(core func $make (canon lower (func $o "make")))
			(core func $drop (canon resource.drop $r))
			(core module $m (import "" "make" (func $make (result i32))) (import "" "drop" (func $drop (param i32)))
				(func $start (call $drop (call $make))) (start $start))
			(core instance (instantiate $m (with "" (instance (export "make" (func $make)) (export "drop" (func $drop)))))))
		(instance $o (instantiate $owner (with "dropped" (func $dropped))))
		(instance (instantiate $user (with "o" (instance $o)))))`;
	const instance = await start(wat, { functions: { dropped: (_: unknown, rep: number) => void log.push(rep) } });
	assert.deepEqual(log, [7]);
	assert.equal(instance.store.handles, 0);
});

test("which component instances may have to wait", async () => {
	const { plan } = await link(
		`(component ${IMPORTED} ${COUNTER}
			${layer("a", "(call $f)")} ${layer("b", "(call $f)")} ${layer("c", "(call $f)")}
			(instance $n (instantiate $counter))
			(instance $a (instantiate $a (with "f" (func $n "next"))))
			(instance $b (instantiate $b (with "f" (func $host))))
			(instance $c (instantiate $c (with "f" (func $b "f"))))
			(export "a" (func $a "f")) (export "c" (func $c "f")))`,
		{ functions: { f: () => 0 } },
	);
	//                           root   $n     $a     $b    $c
	assert.deepEqual(plan.waits, [false, false, false, true, true]);
});

const RESOURCES = `(component
	(import "host" (instance $host
		(export "file" (type $file (sub resource)))
		(export "open" (func (param "n" u32) (result (own $file))))
		(export "size" (func (param "f" (borrow $file)) (result u32)))))
	(alias export $host "file" (type $file))
	(core func $open (canon lower (func $host "open")))
	(core func $size (canon lower (func $host "size")))
	(core func $close (canon resource.drop $file))
	(type $thing (resource (rep i32)))
	(core func $new (canon resource.new $thing))
	(core func $rep (canon resource.rep $thing))
	(core module $m
		(import "" "open" (func $open (param i32) (result i32))) (import "" "size" (func $size (param i32) (result i32)))
		(import "" "close" (func $close (param i32)))
		(import "" "new" (func $new (param i32) (result i32))) (import "" "rep" (func $rep (param i32) (result i32)))
		(func (export "use") (param i32) (result i32) (local $f i32)
			(local.set $f (call $open (local.get 0)))
			(call $size (local.get $f))
			(call $close (local.get $f)))
		(func (export "keep") (param i32) (drop (call $open (local.get 0))))
		(func (export "pass") (param i32) (result i32) (local.get 0))
		(func (export "make") (param i32) (result i32) (call $new (local.get 0)))
		(func (export "peek") (param i32) (result i32) (local.get 0))
		(func (export "take") (param i32) (result i32) (call $rep (local.get 0))))
	(core instance $i (instantiate $m (with "" (instance (export "open" (func $open)) (export "size" (func $size))
		(export "close" (func $close)) (export "new" (func $new)) (export "rep" (func $rep))))))
	(export $out "thing" (type $thing))
	(func (export "use") (param "n" u32) (result u32) (canon lift (core func $i "use")))
	(func (export "keep") (param "n" u32) (canon lift (core func $i "keep")))
	(func (export "pass") (param "f" (own $file)) (result (own $file)) (canon lift (core func $i "pass")))
	(func (export "make") (param "n" u32) (result (own $out)) (canon lift (core func $i "make")))
	(func (export "peek") (param "t" (borrow $out)) (result u32) (canon lift (core func $i "peek")))
	(func (export "take") (param "t" (own $out)) (result u32) (canon lift (core func $i "take"))))`;

test("resources across the host: its own come back as they went, the guest's are good once and in their sandbox only", async () => {
	const log: unknown[] = [];
	const host = {
		name: "host",
		functions: {
			open: (_: unknown, n: number) => ({ n }),
			size: (_: unknown, file: { n: number }) => file.n * 2,
		},
		resources: { file: { drop: (_: unknown, file: unknown) => void log.push(file) } },
	};
	const linked = await link(RESOURCES, { interfaces: [host] });
	const instance = instantiate(linked, undefined);
	assert.equal(await call(instance, "use", 21), 42);
	assert.deepEqual(log.splice(0), [{ n: 21 }]);
	const file = { n: 1 };
	assert.equal(await call(instance, "pass", file), file);
	assert.equal(instance.store.handles, 0);

	const thing = await call(instance, "make", 9);
	assert.ok(thing instanceof GuestResource);
	assert.equal(GuestResource.typeOf(thing).name, "thing");
	assert.equal(await call(instance, "peek", thing), 9);
	const other = instantiate(linked, undefined);
	await assert.rejects(call(other, "peek", thing), { code: "call/bad-value" });
	await assert.rejects(call(instance, "peek", {}), { code: "call/bad-value" });
	assert.equal(await call(instance, "take", thing), 9);
	await assert.rejects(call(instance, "take", thing), { code: "call/bad-value" });
	assert.equal(instance.store.handles, 1, "what the guest has taken and kept");

	await call(instance, "keep", 5);
	await call(instance, "keep", 6);
	assert.equal(instance.store.handles, 3);
	instance.dispose(new Error("for the test"));
	instance.dispose(new Error("again"));
	assert.equal(instance.store.handles, 0);
	assert.deepEqual(log, [{ n: 5 }, { n: 6 }]);
});

test("what a start function got of the host before it trapped is given back", async () => {
	const log: unknown[] = [];
	const linked = await link(
		`(component
			(import "host" (instance $host (export "file" (type $f (sub resource))) (export "open" (func (result (own $f))))))
			(core func $open (canon lower (func $host "open")))
			(core module $m (import "" "open" (func $open (result i32)))
				(func $start (drop (call $open)) unreachable) (start $start))
			(core instance (instantiate $m (with "" (instance (export "open" (func $open)))))))`,
		{
			interfaces: [
				{
					name: "host",
					functions: { open: () => "a file" },
					resources: { file: { drop: (_: unknown, rep: unknown) => void log.push(rep) } },
				},
			],
		},
	);
	assert.throws(
		() => instantiate(linked, undefined),
		(error) => error instanceof Trap && error.message === "unreachable",
	);
	assert.deepEqual(log, ["a file"]);
});

test("disposed while it waits: the caller gets the reason, and the host's answer comes too late", async () => {
	const reason = new SkerryError("guest/killed", "for the test");
	const { promise, resolve } = Promise.withResolvers<number>();
	const instance = await start(
		`(component ${IMPORTED} ${layer("a", "(call $f)")}
			(instance $a (instantiate $a (with "f" (func $host)))) (export "f" (func $a "f")))`,
		{ functions: { f: () => promise } },
	);
	const running = assert.rejects(call(instance, "f"), (error) => error === reason);
	await turn();
	assert.equal(instance.quiet, false);
	instance.dispose(reason);
	await running;
	resolve(1);
	await turn();
	assert.equal(instance.quiet, true);
});

test("what the specification gates is refused when it is linked, by name and offset", async () => {
	const core = (results: string): string =>
		`(core module $m (func (export "f") ${results})) (core instance $i (instantiate $m))`;
	for (const [what, feature, wat] of [
		[
			"an async function that is lifted without a callback",
			"stackful",
			`(component ${core("")} (func (export "f") async (canon lift (core func $i "f") async)))`,
		],
		["the canonical built-in thread.index", "threads", `(component (core func (canon thread.index)))`],
		["an async subtask.cancel", "asyncCancel", `(component (core func (canon subtask.cancel async)))`],
	] as const) {
		const error: unknown = await link(wat).catch((e: unknown) => e);
		assert.ok(error instanceof SkerryError, String(error));
		assert.equal(error.code, "link/unsupported");
		assert.equal(error.message, `Cannot link ${what}: the feature "${feature}" is not switched on`);
		assert.ok((error.place?.offset ?? 0) > 8);
	}
});

test("a reading of the host's serves in place of its function, but not where the guest may not leave", async () => {
	const log: string[] = [];
	const now = Object.assign(
		(context: unknown): bigint => {
			log.push(`function of ${String(context)}`);
			return 7n;
		},
		{
			reading: (context: unknown): number => {
				log.push(`reading of ${String(context)}`);
				return 5;
			},
		},
	);
	const instance = await start(
		`(component
			(import "now" (func $now (result u64)))
			(core func $low (canon lower (func $now)))
			(core module $m (import "" "now" (func $now (result i64)))
				(func (export "f") (result i64) (call $now))
				(func (export "nothing") (result i64) (i64.const 3))
				(func (export "post") (param i64) (drop (call $now))))
			(core instance $i (instantiate $m (with "" (instance (export "now" (func $low))))))
			(func (export "f") (result u64) (canon lift (core func $i "f")))
			(func (export "late") (result u64) (canon lift (core func $i "nothing") (post-return (core func $i "post")))))`,
		{ functions: { now } },
	);
	assert.equal(await call(instance, "f"), 5n);
	await assert.rejects(call(instance, "late"), /cannot leave component instance/);
	assert.deepEqual(log, ["reading of the context"]);
});
