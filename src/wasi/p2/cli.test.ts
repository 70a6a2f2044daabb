import assert from "node:assert/strict";
import { test } from "node:test";
import { CollectingSink, createPipe } from "../../sys/mod.ts";
import { createWasiContext, type WasiContext, type WasiOptions } from "../context.ts";
import { GuestExit } from "../exit.ts";
import type { InputStream } from "../io/input-stream.ts";
import type { OutputStream } from "../io/output-stream.ts";
import { WASI_P2 } from "./interfaces.ts";

/** Calls `cli/INTERFACE` as a guest does. */
function call(context: WasiContext, path: string, name: string, ...args: unknown[]): any {
	const found = WASI_P2.find((one) => one.name.startsWith(`wasi:cli/${path}@`))?.functions[name];
	assert.ok(found, `${path} ${name}`);
	return found(context, ...args);
}

test("environment gives what the options say", () => {
	const options: WasiOptions = { args: ["tool", "-v"], env: { A: "1", B: "zwölf" }, initialCwd: "/srv" };
	const context = createWasiContext(options);
	assert.deepEqual(call(context, "environment", "get-environment"), [
		["A", "1"],
		["B", "zwölf"],
	]);
	assert.deepEqual(call(context, "environment", "get-arguments"), ["tool", "-v"]);
	assert.equal(call(context, "environment", "initial-cwd"), "/srv");
	assert.equal(call(createWasiContext(), "environment", "initial-cwd"), undefined);
});

for (const [name, argument, status] of [
	["exit", { tag: "ok" }, 0],
	["exit", { tag: "err" }, 1],
	["exit-with-code", 0, 0],
	["exit-with-code", 203, 203],
] as const) {
	test(`${name} ${JSON.stringify(argument)} ends with ${status}`, () => {
		assert.throws(
			() => call(createWasiContext(), "exit", name, argument),
			(error) => error instanceof GuestExit && error.status === status,
		);
	});
}

test("standard streams reach the guest, and survive the drop of a handle", async () => {
	const stdin = createPipe();
	const [stdout, stderr] = [new CollectingSink(), new CollectingSink()];
	const context = createWasiContext({ stdin: stdin.source, stdout, stderr });
	stdin.sink.write(Uint8Array.of(1, 2));
	for (const byte of [1, 2]) {
		const stream: InputStream = call(context, "stdin", "get-stdin");
		assert.deepEqual(stream.read(1), { tag: "ok", val: Uint8Array.of(byte) });
		stream.drop();
	}
	for (const [path, sink] of [
		["stdout", stdout],
		["stderr", stderr],
	] as const) {
		for (const text of ["one ", "two"]) {
			const stream: OutputStream = call(context, path, `get-${path}`);
			await stream.blockingWriteAndFlush(new TextEncoder().encode(`${path} ${text}`));
			stream.drop();
		}
		assert.deepEqual([sink.text(), sink.closed], [`${path} one ${path} two`, false]);
	}
});

for (const stream of ["stdin", "stdout", "stderr"] as const) {
	test(`get-terminal-${stream} says whether ${stream} is a terminal`, () => {
		const get = (context: WasiContext): unknown => call(context, `terminal-${stream}`, `get-terminal-${stream}`);
		assert.notEqual(get(createWasiContext({ terminal: { [stream]: true } })), undefined);
		assert.equal(get(createWasiContext({ terminal: { [stream]: false } })), undefined);
		assert.equal(get(createWasiContext()), undefined);
	});
}
