/** The examples of docs/embedding.md, each run as a program of its own that imports Skerry by its name. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, suite, test } from "node:test";

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

const root = path.resolve(import.meta.dirname, "../..");
const DOCUMENT = path.join(root, "docs/embedding.md");

const LIBC = `(core module $libc (memory (export "memory") 1) (global $next (mut i32) (i32.const 1024))
		(func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
			(local.set $p (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
			(global.set $next (i32.add (local.get $p) (local.get 3)))
			(memory.copy (local.get $p) (local.get 0) (local.get 1))
			(local.get $p)))
	(core instance $libc (instantiate $libc))
	(alias core export $libc "memory" (core memory $memory))
	(alias core export $libc "realloc" (core func $realloc))`;

/** The components that the examples load. */
const COMPONENTS: Readonly<Record<string, string>> = {
	"upper.wasm": `(component ${LIBC}
		(core module $m (import "libc" "memory" (memory 1)) (func (export "upper") (param $p i32) (param $n i32) (result i32)
			(local $at i32) (local $c i32)
			(local.set $at (local.get $p))
			(block $done (loop $on
				(br_if $done (i32.eq (local.get $at) (i32.add (local.get $p) (local.get $n))))
				(local.set $c (i32.load8_u (local.get $at)))
				(if (i32.lt_u (i32.sub (local.get $c) (i32.const 97)) (i32.const 26))
					(then (i32.store8 (local.get $at) (i32.sub (local.get $c) (i32.const 32)))))
				(local.set $at (i32.add (local.get $at) (i32.const 1)))
				(br $on)))
			(i32.store (i32.const 8) (local.get $p)) (i32.store (i32.const 12) (local.get $n)) (i32.const 8)))
		(core instance $i (instantiate $m (with "libc" (instance $libc))))
		(func $upper (param "text" string) (result string)
			(canon lift (core func $i "upper") (memory $memory) (realloc $realloc)))
		(instance $out (export "upper" (func $upper)))
		(export "acme:text/upper@1.0.0" (instance $out)))`,
	"rules.wasm": `(component
		(core module $m (memory 1)
			(func (export "spin") (loop $on (br $on)))
			(func $apply (export "apply") (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (unreachable))) (local.get 0)))
		(core instance $i (instantiate $m))
		(func (export "spin") (canon lift (core func $i "spin")))
		(func (export "apply") (param "x" u32) (result u32) (canon lift (core func $i "apply"))))`,
	"shout.wasm": `(component
		(import "acme:text/upper@1.2.0" (instance $in (export "upper" (func (param "text" string) (result string)))))
		${LIBC}
		(alias export $in "upper" (func $f))
		(core func $low (canon lower (func $f) (memory $memory) (realloc $realloc)))
		(core module $m (import "libc" "memory" (memory 1)) (import "" "f" (func $f (param i32 i32 i32)))
			(func (export "shout") (param i32 i32) (result i32)
				(call $f (local.get 0) (local.get 1) (i32.const 8)) (i32.const 8)))
		(core instance $i (instantiate $m (with "libc" (instance $libc)) (with "" (instance (export "f" (func $low))))))
		(func (export "shout") (param "text" string) (result string)
			(canon lift (core func $i "shout") (memory $memory) (realloc $realloc))))`,
	"asks.wasm": `(component
		(import "try-it" (func $f (param "x" u32) (result (result u32 (error u32)))))
		${LIBC}
		(core func $f (canon lower (func $f) (memory $memory)))
		(core module $m (import "" "f" (func $f (param i32 i32)))
			(func (export "f") (param i32) (result i32) (call $f (local.get 0) (i32.const 8)) (i32.const 8)))
		(core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
		(func (export "try-it") (param "x" u32) (result (result u32 (error u32)))
			(canon lift (core func $i "f") (memory $memory))))`,
	"pipe.wasm": `(component
		(type $bytes (stream u8)) (type $later (future u32))
		(core func $return-pipe (canon task.return (result $bytes)))
		(core func $return-later (canon task.return (result $later)))
		(core module $m
			(import "" "pipe" (func $pipe (param i32))) (import "" "later" (func $later (param i32)))
			(func (export "pipe") (param i32) (result i32) (call $pipe (local.get 0)) (i32.const 0))
			(func (export "later") (param i32) (result i32) (call $later (local.get 0)) (i32.const 0))
			(func (export "on") (param i32 i32 i32) (result i32) (unreachable)))
		(core instance $i (instantiate $m (with "" (instance
			(export "pipe" (func $return-pipe)) (export "later" (func $return-later))))))
		(func (export "pipe") async (param "s" $bytes) (result $bytes)
			(canon lift (core func $i "pipe") async (callback (core func $i "on"))))
		(func (export "later") async (param "f" $later) (result $later)
			(canon lift (core func $i "later") async (callback (core func $i "on")))))`,
	"counters.wasm": `(component
		(core module $m (memory 1) (global $last (mut i32) (i32.const 0))
			(func (export "make") (param i32) (result i32)
				(global.set $last (i32.add (global.get $last) (i32.const 4)))
				(i32.store (global.get $last) (local.get 0)) (global.get $last))
			(func (export "next") (param i32) (result i32)
				(i32.store (local.get 0) (i32.add (i32.load (local.get 0)) (i32.const 1))) (i32.load (local.get 0))))
		(core instance $i (instantiate $m))
		(type $counter' (resource (rep i32)))
		(core func $new (canon resource.new $counter'))
		(core module $glue (import "" "new" (func $new (param i32) (result i32)))
			(import "" "make" (func $make (param i32) (result i32)))
			(func (export "make") (param i32) (result i32) (call $new (call $make (local.get 0)))))
		(core instance $g (instantiate $glue (with "" (instance (export "new" (func $new)) (export "make" (func $i "make"))))))
		(func $make (param "from" u32) (result (own $counter')) (canon lift (core func $g "make")))
		(func $next (param "self" (borrow $counter')) (result u32) (canon lift (core func $i "next")))
		(component $shim
			(import "counter" (type $c (sub resource)))
			(import "make" (func $make (param "from" u32) (result (own $c))))
			(import "next" (func $next (param "self" (borrow $c)) (result u32)))
			(export $t "counter" (type $c))
			(export "[constructor]counter" (func $make) (func (param "from" u32) (result (own $t))))
			(export "[method]counter.next" (func $next) (func (param "self" (borrow $t)) (result u32))))
		(instance $s (instantiate $shim (with "counter" (type $counter')) (with "make" (func $make)) (with "next" (func $next))))
		(export "acme:count/counters@1.0.0" (instance $s)))`,
};

const examples = [...readFileSync(DOCUMENT, "utf8").matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code = ""]) => code);

suite("docs/embedding.md", () => {
	const folder = mkdtempSync(path.join(tmpdir(), "skerry-docs-"));
	after(() => rmSync(folder, { recursive: true, force: true }));
	before(async () => {
		mkdirSync(path.join(folder, "node_modules"));
		symlinkSync(root, path.join(folder, "node_modules/skerry"));
		for (const [name, wat] of Object.entries(COMPONENTS)) writeFileSync(path.join(folder, name), await parse(wat));
	});

	test("has its examples", () => assert.ok(examples.length >= 4, `${examples.length} examples`));

	for (const [i, code] of examples.entries()) {
		test(`example ${i + 1} prints what it says`, async () => {
			const file = path.join(folder, `example-${i + 1}.mjs`);
			writeFileSync(file, code);
			const output = await new Promise<string>((resolve, reject) => {
				const args = ["-C", "skerry-source", "--no-warnings", file];
				const env = { ...process.env, SKERRY_CACHE_DIR: path.join(folder, "cache"), NO_COLOR: "1" };
				execFile(process.execPath, args, { cwd: folder, env }, (error, stdout, stderr) => {
					if (error === null) resolve(stdout);
					else reject(new Error(stderr));
				});
			});
			const expected = [...code.matchAll(/^\s*\/\/ → (.*)$/gm)].map(([, line]) => `${line}\n`).join("");
			assert.notEqual(expected, "");
			assert.equal(output, expected);
		});
	}
});
