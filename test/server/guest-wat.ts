import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentEmbed, componentNew, parse } from "@bytecodealliance/jco";

/** The WIT of WASI that comes with jco. */
const VERSION = "0.2.12";

/** What a guest's function may use: an import's name in the text, its interface, its name there, and its core type. */
const IMPORTS = [
	["$fields", "http/types", "[constructor]fields", "(result i32)"],
	["$fields.from-list", "http/types", "[static]fields.from-list", "(param i32 i32 i32)"],
	["$response", "http/types", "[constructor]outgoing-response", "(param i32) (result i32)"],
	["$response.body", "http/types", "[method]outgoing-response.body", "(param i32 i32)"],
	["$outparam.set", "http/types", "[static]response-outparam.set", "(param i32 i32 i32 i32 i64 i32 i32 i32 i32)"],
	["$outparam.drop", "http/types", "[resource-drop]response-outparam", "(param i32)"],
	["$outgoing-body.write", "http/types", "[method]outgoing-body.write", "(param i32 i32)"],
	["$outgoing-body.finish", "http/types", "[static]outgoing-body.finish", "(param i32 i32 i32 i32)"],
	["$outgoing-body.drop", "http/types", "[resource-drop]outgoing-body", "(param i32)"],
	["$request.consume", "http/types", "[method]incoming-request.consume", "(param i32 i32)"],
	["$request.path", "http/types", "[method]incoming-request.path-with-query", "(param i32 i32)"],
	["$request.authority", "http/types", "[method]incoming-request.authority", "(param i32 i32)"],
	["$asked", "http/types", "[constructor]outgoing-request", "(param i32) (result i32)"],
	["$asked.scheme", "http/types", "[method]outgoing-request.set-scheme", "(param i32 i32 i32 i32 i32) (result i32)"],
	["$asked.authority", "http/types", "[method]outgoing-request.set-authority", "(param i32 i32 i32 i32) (result i32)"],
	["$send", "http/outgoing-handler", "handle", "(param i32 i32 i32 i32)"],
	["$answer", "http/types", "[method]future-incoming-response.subscribe", "(param i32) (result i32)"],
	["$answer.drop", "http/types", "[resource-drop]future-incoming-response", "(param i32)"],
	["$incoming-body.stream", "http/types", "[method]incoming-body.stream", "(param i32 i32)"],
	["$incoming-body.finish", "http/types", "[static]incoming-body.finish", "(param i32) (result i32)"],
	["$incoming-body.drop", "http/types", "[resource-drop]incoming-body", "(param i32)"],
	["$read", "io/streams", "[method]input-stream.blocking-read", "(param i32 i64 i32)"],
	["$input.drop", "io/streams", "[resource-drop]input-stream", "(param i32)"],
	["$write", "io/streams", "[method]output-stream.blocking-write-and-flush", "(param i32 i32 i32 i32)"],
	["$output.drop", "io/streams", "[resource-drop]output-stream", "(param i32)"],
	["$block", "io/poll", "[method]pollable.block", "(param i32)"],
	["$pollable.drop", "io/poll", "[resource-drop]pollable", "(param i32)"],
	["$now", "clocks/monotonic-clock", "now", "(result i64)"],
	["$after", "clocks/monotonic-clock", "subscribe-duration", "(param i64) (result i32)"],
	["$exit", "cli/exit", "exit", "(param i32)"],
	["$stdout", "cli/stdout", "get-stdout", "(result i32)"],
	["$stderr", "cli/stderr", "get-stderr", "(result i32)"],
] as const;

/** Functions for guests: memory below 1024 is for results, 1024 to 5120 holds 4096 times the letter x. */
const PRELUDE = `
	(memory (export "memory") 2)
	(data (i32.const 512) "ok")
	(global $heap (mut i32) (i32.const 8192))
	;; Forgets all but the last allocation: one is in use at a time.
	(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8192))
	(func $fill (memory.fill (i32.const 1024) (i32.const 0x78) (i32.const 4096)))

	(func $set (param $out i32) (param $response i32)
		(call $outparam.set (local.get $out) (i32.const 0) (local.get $response)
			(i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
	;; Sends the head; the result is the body.
	(func $head (param $out i32) (result i32) (local $response i32) (local $body i32)
		(local.set $response (call $response (call $fields)))
		(call $response.body (local.get $response) (i32.const 0))
		(local.set $body (i32.load (i32.const 4)))
		(call $set (local.get $out) (local.get $response))
		(local.get $body))
	(func $stream (param $body i32) (result i32)
		(call $outgoing-body.write (local.get $body) (i32.const 0))
		(i32.load (i32.const 4)))
	;; Writes and flushes; 0 when it went well.
	(func $say (param $stream i32) (param $from i32) (param $length i32) (result i32)
		(call $write (local.get $stream) (local.get $from) (local.get $length) (i32.const 0))
		(i32.load8_u (i32.const 0)))
	(func $finish (param $body i32)
		(call $outgoing-body.finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 0)))
	(func $ok (param $out i32) (local $body i32) (local $stream i32)
		(local.set $body (call $head (local.get $out)))
		(local.set $stream (call $stream (local.get $body)))
		(drop (call $say (local.get $stream) (i32.const 512) (i32.const 2)))
		(call $output.drop (local.get $stream))
		(call $finish (local.get $body)))
	(func $sleep (param $milliseconds i64) (local $pollable i32)
		(local.set $pollable (call $after (i64.mul (local.get $milliseconds) (i64.const 1000000))))
		(call $block (local.get $pollable))
		(call $pollable.drop (local.get $pollable)))
	;; Holds the thread.
	(func $spin (param $milliseconds i64) (local $until i64)
		(local.set $until (i64.add (call $now) (i64.mul (local.get $milliseconds) (i64.const 1000000))))
		(loop $again (br_if $again (i64.lt_u (call $now) (local.get $until)))))
	;; Asks the server that it is in for /0, and waits for the answer's head.
	(func $ask (param $request i32) (local $asked i32) (local $future i32) (local $pollable i32)
		(call $request.authority (local.get $request) (i32.const 0))
		(local.set $asked (call $asked (call $fields)))
		(drop (call $asked.scheme (local.get $asked) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
		(drop (call $asked.authority (local.get $asked) (i32.const 1) (i32.load (i32.const 4)) (i32.load (i32.const 8))))
		(call $send (local.get $asked) (i32.const 0) (i32.const 0) (i32.const 0))
		(if (i32.load8_u (i32.const 0)) (then unreachable))
		(local.set $future (i32.load (i32.const 8)))
		(local.set $pollable (call $answer (local.get $future)))
		(call $block (local.get $pollable))
		(call $pollable.drop (local.get $pollable))
		(call $answer.drop (local.get $future)))
`;

/**
 * A component of `wasi:http/incoming-handler` with one function for each of `cases`, which the request's path chooses: `/3` calls
 * the third but zeroth. A case is the inside of a function `(param $request i32) (param $out i32) (local $a i32) (local $b i32) (local $c i32)`.
 * `extra` are further fields of the core module.
 */
export async function buildGuest(cases: readonly string[], extra = ""): Promise<Uint8Array> {
	const functions = cases.map(
		(body, i) =>
			`(func $case${i} (param $request i32) (param $out i32) (local $a i32) (local $b i32) (local $c i32) ${body})`,
	);
	const module = `(module
	(type $case (func (param i32 i32)))
	${IMPORTS.map(([id, path, name, type]) => `(import "wasi:${path}@${VERSION}" "${name}" (func ${id} ${type}))`).join("\n")}
	${PRELUDE}
	${functions.join("\n")}
	(table funcref (elem ${cases.map((_, i) => `$case${i}`).join(" ")}))
	;; The number after the slash of the path.
	(func $number (param $request i32) (result i32) (local $at i32) (local $end i32) (local $number i32)
		(call $request.path (local.get $request) (i32.const 0))
		(local.set $at (i32.add (i32.load (i32.const 4)) (i32.const 1)))
		(local.set $end (i32.add (i32.load (i32.const 4)) (i32.load (i32.const 8))))
		(loop $next
			(if (i32.lt_u (local.get $at) (local.get $end))
				(then
					(local.set $number (i32.add
						(i32.mul (local.get $number) (i32.const 10))
						(i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
					(local.set $at (i32.add (local.get $at) (i32.const 1)))
					(br $next))))
		(local.get $number))
	(func (export "wasi:http/incoming-handler@${VERSION}#handle") (param $request i32) (param $out i32)
		(call_indirect (type $case) (local.get $request) (local.get $out) (call $number (local.get $request))))
	${extra}
)`;
	return await componentNew(
		await componentEmbed({ binary: await parse(module), witSource: worldOf(), world: "guest" }),
	);
}

function worldOf(): string {
	const folder = join(
		dirname(dirname(fileURLToPath(import.meta.resolve("@bytecodealliance/jco")))),
		"lib/wit/builtin",
		VERSION,
	);
	const packages = readdirSync(folder)
		.sort()
		.map((name) => {
			const text = readFileSync(join(folder, name, "package.wit"), "utf8");
			const header = /^package\s+([\w:@.-]+);/m.exec(text);
			if (header === null) throw new Error(`${name}/package.wit has no package name`);
			return `package ${header[1]} {\n${text.slice(header.index + header[0].length)}\n}`;
		});
	const imports = [...new Set(IMPORTS.map(([, path]) => path))].map((path) => `import wasi:${path}@${VERSION};`);
	return `package test:guest;
world guest {
	${imports.join("\n\t")}
	export wasi:http/incoming-handler@${VERSION};
}
${packages.join("\n")}`;
}
