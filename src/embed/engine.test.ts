import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable, Writable } from "node:stream";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import { SkerryError, Trap } from "../fault/mod.ts";
import { ComponentError, Engine, type Imports } from "./mod.ts";

const engine = new Engine();
const folder = mkdtempSync(path.join(tmpdir(), "skerry-embed-"));
after(() => rmSync(folder, { recursive: true, force: true }));

async function assemble(wat: string): Promise<Uint8Array> {
	return new Uint8Array(await parse(wat));
}

async function refusal(act: Promise<unknown>): Promise<SkerryError> {
	const error: unknown = await act.then(
		() => assert.fail("it was accepted"),
		(reason: unknown) => reason,
	);
	assert.ok(error instanceof SkerryError, String(error));
	return error;
}

const COUNTER = await assemble(`(component
	(core module $m (global $n (mut i32) (i32.const 0))
		(func (export "next") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
		(func (export "trap") unreachable))
	(core instance $i (instantiate $m))
	(func $next (result u32) (canon lift (core func $i "next")))
	(instance $c (export "count-up" (func $next)))
	(export "a:b/counter@1.2.3" (instance $c))
	(func (export "next") (result u32) (canon lift (core func $i "next")))
	(func (export "do-trap") (canon lift (core func $i "trap"))))`);

/** Hands its argument to the import of the same name, and that one's result back. */
const RESULTS = await assemble(`(component
	(import "try-it" (func $f (param "x" u32) (result (result u32 (error u32)))))
	(core module $libc (memory (export "memory") 1))
	(core instance $libc (instantiate $libc))
	(core func $f (canon lower (func $f) (memory (core memory $libc "memory"))))
	(core module $m (import "" "f" (func $f (param i32 i32)))
		(func (export "f") (param i32) (result i32) (call $f (local.get 0) (i32.const 8)) (i32.const 8)))
	(core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
	(func (export "try-it") (param "x" u32) (result (result u32 (error u32)))
		(canon lift (core func $i "f") (memory (core memory $libc "memory")))))`);

/** Sends what one read of its standard input gives to its standard output, and says how much that was. */
const ECHO = await assemble(`(component
	(import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
	(alias export $error "error" (type $error))
	(import "wasi:io/streams@0.2.0" (instance $streams
		(export "input-stream" (type $in (sub resource))) (export "output-stream" (type $out (sub resource)))
		(alias outer 1 $error (type $e)) (export "error" (type $error (eq $e)))
		(type $v (variant (case "last-operation-failed" (own $error)) (case "closed")))
		(export "stream-error" (type $failure (eq $v)))
		(export "[method]input-stream.blocking-read"
			(func (param "self" (borrow $in)) (param "len" u64) (result (result (list u8) (error $failure)))))
		(export "[method]output-stream.blocking-write-and-flush"
			(func (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $failure)))))))
	(alias export $streams "input-stream" (type $in))
	(alias export $streams "output-stream" (type $out))
	(import "wasi:cli/stdin@0.2.0" (instance $stdin
		(alias outer 1 $in (type $i)) (export "input-stream" (type $in (eq $i))) (export "get-stdin" (func (result (own $in))))))
	(import "wasi:cli/stdout@0.2.0" (instance $stdout
		(alias outer 1 $out (type $o)) (export "output-stream" (type $out (eq $o))) (export "get-stdout" (func (result (own $out))))))
	(core module $libc (memory (export "memory") 1)
		(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
	(core instance $libc (instantiate $libc))
	(core func $get-in (canon lower (func $stdin "get-stdin")))
	(core func $get-out (canon lower (func $stdout "get-stdout")))
	(core func $read (canon lower (func $streams "[method]input-stream.blocking-read")
		(memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
	(core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
		(memory (core memory $libc "memory"))))
	(core func $drop-in (canon resource.drop $in))
	(core func $drop-out (canon resource.drop $out))
	(core module $m
		(import "libc" "memory" (memory 1))
		(import "" "get-in" (func $get-in (result i32))) (import "" "get-out" (func $get-out (result i32)))
		(import "" "read" (func $read (param i32 i64 i32))) (import "" "write" (func $write (param i32 i32 i32 i32)))
		(import "" "drop-in" (func $drop-in (param i32))) (import "" "drop-out" (func $drop-out (param i32)))
		(func (export "echo") (result i32) (local $in i32) (local $out i32)
			(local.set $in (call $get-in)) (local.set $out (call $get-out))
			(call $read (local.get $in) (i64.const 1000) (i32.const 16))
			(if (i32.load8_u (i32.const 16)) (then (call $drop-in (local.get $in)) (call $drop-out (local.get $out)) (return (i32.const 0))))
			(call $write (local.get $out) (i32.load (i32.const 20)) (i32.load (i32.const 24)) (i32.const 48))
			(if (i32.load8_u (i32.const 48)) (then unreachable))
			(call $drop-in (local.get $in)) (call $drop-out (local.get $out))
			(i32.load (i32.const 24))))
	(core instance $i (instantiate $m (with "libc" (instance $libc)) (with "" (instance
		(export "get-in" (func $get-in)) (export "get-out" (func $get-out)) (export "read" (func $read)) (export "write" (func $write))
		(export "drop-in" (func $drop-in)) (export "drop-out" (func $drop-out))))))
	(func (export "echo") (result u32) (canon lift (core func $i "echo"))))`);

test("each call of a component's export has a sandbox of its own; a kept one counts up", async () => {
	const component = await engine.load(COUNTER);
	for (let i = 0; i < 3; i++) assert.equal(await component.exports["next"](), 1);
	assert.deepEqual(await Promise.all([1, 2, 3].map(() => component.exports["a:b/counter"].countUp())), [1, 1, 1]);

	using one = component.instantiate();
	using other = component.instantiate();
	assert.equal(await one.exports["next"](), 1);
	assert.equal(await one.exports["a:b/counter@1.2.3"].countUp(), 2);
	assert.equal(await one.call(["a:b/counter@1.2.3", "count-up"], []), 3);
	assert.equal(await other.exports["next"](), 1);

	assert.deepEqual(component.imports, []);
	assert.deepEqual(component.exportNames, ["a:b/counter@1.2.3", "next", "do-trap"]);
});

test("a trap ends its sandbox and no other", async () => {
	const component = await engine.load(COUNTER);
	await assert.rejects(component.exports["doTrap"](), { name: "Trap", code: "guest/trap", message: "unreachable" });
	assert.equal(await component.exports["next"](), 1);
	using kept = component.instantiate();
	await assert.rejects(kept.exports["doTrap"](), { message: "unreachable" });
	const later = await refusal(kept.exports["next"]());
	assert.ok(later instanceof Trap);
	assert.equal(later.message, "cannot enter component instance");
	assert.equal((later.cause as Error).message, "unreachable", "why");
	assert.match(later.hint ?? "", /the sandbox ended: make another one$/);
});

test("a sandbox that was disposed is not entered; disposing again does nothing", async () => {
	const component = await engine.load(COUNTER);
	const sandbox = component.instantiate();
	sandbox[Symbol.dispose]();
	sandbox[Symbol.dispose]();
	await assert.rejects(sandbox.exports["next"](), /Cannot call next: the sandbox was disposed/);
	assert.equal(sandbox.handles, 0);
});

test("disposed while its guest waits, the caller is told", async () => {
	const component = await engine.load(RESULTS, { imports: { tryIt: () => new Promise(() => {}) } });
	const sandbox = component.instantiate();
	const call = refusal(sandbox.exports["tryIt"](1));
	sandbox[Symbol.dispose]();
	const error = await call;
	assert.equal(error.code, "guest/killed");
	assert.equal(error.message, "the sandbox was disposed");
});

test("results: a value, a ComponentError in both directions; other errors go through as they are", async () => {
	const failure = new Error("of the host");
	const acts: Readonly<Record<number, () => unknown>> = {
		1: () => 11,
		2: () => Promise.resolve(22),
		3: () => {
			throw new ComponentError(33);
		},
		4: () => Promise.reject(new ComponentError(44)),
		5: () => {
			throw failure;
		},
		6: () => Promise.reject(failure),
		7: () => "no number",
		8: () => {
			throw new ComponentError("no number");
		},
	};
	const component = await engine.load(RESULTS, { imports: { tryIt: (x: number) => acts[x]?.() } });
	const tryIt = component.exports["tryIt"] as (x: number) => Promise<unknown>;
	assert.equal(await tryIt(1), 11);
	assert.equal(await tryIt(2), 22);
	for (const x of [3, 4]) {
		await assert.rejects(tryIt(x), (error) => {
			assert.ok(error instanceof ComponentError);
			assert.equal(error.payload, 11 * x);
			assert.equal(error.message, `the call returned an error: ${11 * x}`);
			return true;
		});
	}
	for (const x of [5, 6]) await assert.rejects(tryIt(x), (error) => error === failure);
	for (const x of [7, 8]) {
		const error = await refusal(tryIt(x));
		assert.equal(error.code, "call/bad-value");
		assert.match(error.message, /^try-it → result → (?:ok|err): expected u32, got "no number"/);
	}
});

test("arguments that do not fit are refused, with their path, and leave the sandbox as it was", async () => {
	const component = await engine.load(RESULTS, { imports: { tryIt: (x: number) => x } });
	using sandbox = component.instantiate();
	const tryIt = sandbox.exports["tryIt"] as (...args: unknown[]) => Promise<unknown>;
	for (const [args, message] of [
		[[], "Cannot call try-it: 0 arguments for 1 parameters"],
		[[1, 2], "Cannot call try-it: 2 arguments for 1 parameters"],
		[["1"], 'try-it → x: expected u32, got "1"'],
		[[-1], "try-it → x: expected u32, got -1"],
		[[2 ** 32], "try-it → x: expected u32, got 4294967296"],
	] as const) {
		const error = await refusal(tryIt(...args));
		assert.equal(error.code, "call/bad-value");
		assert.equal(error.message, message);
	}
	assert.equal(await tryIt(5), 5);
	const missing = await refusal(sandbox.call(["a:b/c", "d"], []));
	assert.equal(missing.code, "link/no-export");
	assert.equal(missing.message, "Cannot call a:b/c#d: there is no such export to be called");
	assert.equal(missing.hint, undefined);
	const near = await refusal(sandbox.call(["tryit"], [1]));
	assert.equal(near.hint, "did you mean try-it? Names are those of the binary, with the version");
});

test("a function of an interface that is called without its version is told by its name", async () => {
	const component = await engine.load(COUNTER);
	const { code, hint } = await refusal(component.call(["a:b/counter", "count-up"], []));
	assert.equal(code, "link/no-export");
	assert.equal(hint, "did you mean a:b/counter@1.2.3#count-up? Names are those of the binary, with the version");
});

test("imports that the component does not have are refused, with the nearest name", async () => {
	const given: Imports = { tryIt: () => 1, "try-at": () => 2, "wasi:cli/environment": {} };
	const error = await refusal(engine.load(RESULTS, { imports: given }));
	assert.equal(error.code, "link/missing-imports");
	assert.equal(
		error.message,
		"Cannot link the component: it does not import try-at (did you mean try-it?), wasi:cli/environment",
	);
	const lacking = await refusal(engine.load(RESULTS));
	assert.match(lacking.message, /one import is missing or mistyped\n {2}- try-it: nothing provides it$/);
});

test("from bytes, a path and a URL; errors name the file and the offset", async () => {
	const file = path.join(folder, "counter.wasm");
	writeFileSync(file, COUNTER);
	const buffer = new ArrayBuffer(COUNTER.length);
	new Uint8Array(buffer).set(COUNTER);
	for (const source of [COUNTER, buffer, file, pathToFileURL(file)]) {
		assert.equal(await (await engine.load(source)).exports["next"](), 1);
	}

	const broken = path.join(folder, "broken.wasm");
	writeFileSync(broken, COUNTER.subarray(0, COUNTER.length - 3));
	const truncated = await refusal(engine.load(broken));
	assert.equal(truncated.code, "binary/truncated");
	assert.equal(truncated.place?.file, broken);
	assert.ok((truncated.place?.offset ?? 0) > 8);
	const url = await refusal(engine.load(pathToFileURL(broken)));
	assert.equal(url.place?.file, pathToFileURL(broken).href);
	const bytes = await refusal(engine.load(COUNTER.subarray(0, COUNTER.length - 3)));
	assert.deepEqual(bytes.place, { offset: truncated.place?.offset });

	const absent = await refusal(engine.load(path.join(folder, "absent.wasm")));
	assert.equal(absent.code, "cli/file-not-found");
	assert.match(absent.message, /^Cannot read .*absent\.wasm: ENOENT/);
	for (const [text, code] of [
		["", "binary/not-wasm"],
		["(module)", "binary/not-wasm"],
		["\0asm\x02\0\0\0", "binary/malformed"],
	] as const) {
		assert.equal((await refusal(engine.load(new TextEncoder().encode(text)))).code, code);
	}
});

/** Exports what it imports. */
function mirror(name: string, member: string, type: string): string {
	return `(component (import "${name}" (instance $i (export "${member}" (func ${type})))) (export "f" (func $i "${member}")))`;
}

test("each version of WASI 0.2 is there, later ones are refused by name", async () => {
	for (let patch = 0; patch <= 12; patch++) {
		const name = `wasi:random/random@0.2.${patch}`;
		const component = await engine.load(await assemble(mirror(name, "get-random-u64", "(result u64)")));
		assert.equal(typeof (await component.exports["f"]()), "bigint");
		assert.deepEqual(component.imports, [name]);
	}
	for (const version of ["0.3.0", "0.3.7", "0.1.0", "1.0.0"]) {
		const name = `wasi:random/random@${version}`;
		const error = await refusal(engine.load(await assemble(mirror(name, "get-random-u64", "(result u64)"))));
		assert.equal(error.code, "link/missing-imports");
		const line = version.replace(/\.\d+$/, "");
		assert.ok(
			error.message.endsWith(`- ${name}: WASI ${line} is not supported yet; Skerry provides WASI 0.2.0 to 0.2.12`),
		);
	}
});

test("an import of WASI with another type is refused, an embedder's own takes the place of WASI's", async () => {
	const name = "wasi:cli/environment@0.2.0";
	const wrong = await assemble(mirror(name, "get-environment", "(result u32)"));
	const error = await refusal(engine.load(wrong));
	assert.equal(error.code, "link/missing-imports");
	assert.match(error.message, /- wasi:cli\/environment@0\.2\.0#get-environment: of another type than in wasi:cli\/env/);
	for (const given of [name, "wasi:cli/environment"]) {
		const component = await engine.load(wrong, { imports: { [given]: { getEnvironment: () => 7 } } });
		assert.equal(await component.exports["f"](), 7);
	}
});

test("arguments and environment: none unless granted, by the component or for one sandbox", async () => {
	const name = "wasi:cli/environment@0.2.6";
	const env = await assemble(mirror(name, "get-environment", "(result (list (tuple string string)))"));
	const args = await assemble(mirror(name, "get-arguments", "(result (list string))"));
	assert.deepEqual(await (await engine.load(env)).exports["f"](), []);
	assert.deepEqual(await (await engine.load(args)).exports["f"](), []);

	const wasi = { args: ["me", "--loud", ""], env: { A: "1", B: "ä" } };
	const granted = await engine.load(env, { wasi });
	assert.deepEqual(await granted.exports["f"](), [
		["A", "1"],
		["B", "ä"],
	]);
	using sandbox = granted.instantiate({ wasi: { env: { C: "3" } } });
	assert.deepEqual(await sandbox.exports["f"](), [["C", "3"]]);
	assert.deepEqual(await (await engine.load(args, { wasi })).exports["f"](), wasi.args);
});

test("standard streams: empty and nowhere unless granted; text, bytes and streams", async () => {
	const silent = await engine.load(ECHO);
	assert.equal(await silent.exports["echo"](), 0);

	const waiting = async function* (): AsyncGenerator<Buffer> {
		await new Promise((resolve) => setTimeout(resolve, 2));
		yield Buffer.from("later");
	};
	for (const [stdin, expected] of [
		["tëxt", "tëxt"],
		[Uint8Array.of(65, 66), "AB"],
		[Readable.from(waiting(), { objectMode: false }), "later"],
		[() => Readable.from([Buffer.from("lazy")], { objectMode: false }), "lazy"],
	] as const) {
		const written: Buffer[] = [];
		const stdout = new Writable({
			write(chunk: Buffer, _encoding, done) {
				written.push(Buffer.from(chunk));
				setImmediate(done);
			},
		});
		using sandbox = silent.instantiate({ wasi: { stdin, stdout } });
		assert.equal(await sandbox.exports["echo"](), Buffer.byteLength(expected));
		assert.equal(Buffer.concat(written).toString(), expected);
		assert.equal(stdout.writableEnded, false, "it is left open");
		assert.equal(sandbox.handles, 0);
	}
});
