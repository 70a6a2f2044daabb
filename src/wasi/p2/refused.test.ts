import assert from "node:assert/strict";
import { test } from "node:test";
import { StreamFailure } from "../../sys/mod.ts";
import { createWasiContext, type WasiContext } from "../context.ts";
import { IoError } from "../io/io-error.ts";
import { WASI_P2 } from "./interfaces.ts";

function call(context: WasiContext, path: string, name: string, ...args: unknown[]): unknown {
	const found = WASI_P2.find((one) => one.name.startsWith(`wasi:${path}@`))?.functions[name];
	assert.ok(found, `${path} ${name}`);
	return found(context, ...args);
}

test("sockets and names are refused, and the refusal is told once for each", () => {
	const said: string[] = [];
	const context = createWasiContext({
		onDenied: (what, hint) => {
			assert.match(hint, /wasi:http/);
			said.push(what);
		},
	});
	const network = call(context, "sockets/instance-network", "instance-network");
	assert.notEqual(network, undefined);
	assert.equal(said.length, 0, "the handle alone is nothing to complain of");
	for (let i = 0; i < 2; i++) {
		for (const result of [
			call(context, "sockets/tcp-create-socket", "create-tcp-socket", "ipv4"),
			call(context, "sockets/udp-create-socket", "create-udp-socket", "ipv6"),
			call(context, "sockets/ip-name-lookup", "resolve-addresses", network, "example.com"),
		]) {
			assert.deepEqual(result, { tag: "err", val: "access-denied" });
		}
	}
	assert.deepEqual(said, ["TCP sockets", "UDP sockets", "name resolution"]);
});

test("no folder is granted", () => {
	const context = createWasiContext();
	assert.deepEqual(call(context, "filesystem/preopens", "get-directories"), []);
	const broken = new IoError(new StreamFailure("anything"));
	assert.equal(call(context, "filesystem/types", "filesystem-error-code", broken), undefined);
	assert.deepEqual(call(context, "filesystem/types", "[method]descriptor.open-at", {}, {}, "etc/passwd", {}, {}), {
		tag: "err",
		val: "bad-descriptor",
	});
});
