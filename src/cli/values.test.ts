import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SkerryError } from "../fault/mod.ts";
import { checkOutbound, parseEnvironment, parseListen } from "./values.ts";

function usage(message: RegExp, hint: RegExp) {
	return (error: unknown): boolean => {
		assert(error instanceof SkerryError);
		assert.equal(error.code, "cli/usage");
		assert.match(error.message, message);
		assert.match(error.hint ?? "", hint);
		return true;
	};
}

suite("parseListen", () => {
	const accepted: readonly [string, string, number][] = [
		["127.0.0.1:3000", "127.0.0.1", 3000],
		["0.0.0.0:80", "0.0.0.0", 80],
		["localhost:0", "localhost", 0],
		[":8080", "127.0.0.1", 8080],
		["8080", "127.0.0.1", 8080],
		["example.org", "example.org", 3000],
		["[::1]:65535", "::1", 65_535],
		["[::]", "::", 3000],
		["[fe80::1%eth0]:1", "fe80::1%eth0", 1],
	];
	for (const [text, host, port] of accepted) {
		test(text, () => assert.deepEqual(parseListen(text, 3000), { host, port }));
	}
	for (const text of ["", "::1:80", "a b:1", "[::1", "host:1:2", "http://host:1"]) {
		test(`refuses "${text}"`, () => assert.throws(() => parseListen(text, 3000), usage(/not HOST:PORT$/, /--listen/)));
	}
	for (const text of [":65536", "host:", "host:x", "host:-1", "host:1e3", "99999"]) {
		test(`refuses "${text}"`, () =>
			assert.throws(() => parseListen(text, 3000), usage(/port is not 0 to 65535$/, /--listen/)));
	}
});

suite("parseEnvironment", () => {
	const here = { HOME: "/root", EMPTY: "" };
	const accepted: readonly [readonly string[], Record<string, string>][] = [
		[[], {}],
		[["A=1", "B=two words", "C="], { A: "1", B: "two words", C: "" }],
		[["A=b=c"], { A: "b=c" }],
		[["HOME", "EMPTY"], { HOME: "/root", EMPTY: "" }],
		[["HOME", "HOME=/other"], { HOME: "/other" }],
		[["__proto__=x"], JSON.parse('{"__proto__":"x"}')],
	];
	for (const [entries, expected] of accepted) {
		test(JSON.stringify(entries), () => {
			const result = parseEnvironment(entries, here);
			assert.deepEqual(Object.entries(result), Object.entries(expected));
			assert.equal(Object.getPrototypeOf(result), null);
		});
	}
	test("refuses a variable without a name", () => {
		assert.throws(() => parseEnvironment(["=x"], here), usage(/no valid name/, /NAME=VALUE/));
		assert.throws(() => parseEnvironment(["A=\0"], here), usage(/no valid name/, /NAME=VALUE/));
	});
	test("refuses to pass on what is not set", () => {
		assert.throws(() => parseEnvironment(["TOKEN"], here), usage(/TOKEN: it is not set/, /--env TOKEN=VALUE/));
	});
});

suite("checkOutbound", () => {
	test("gives origins back as they are", () => {
		const origins = ["https://api.example.com", "http://localhost:8080", "https://*.example.com"];
		assert.deepEqual(checkOutbound(origins), origins);
	});
	const refused: readonly [string, RegExp][] = [
		["api.example.com", /did you mean https:\/\/api\.example\.com\?/],
		["localhost:80", /did you mean http:\/\/localhost:80\?/],
		["https://example.com/path", /a path cannot be granted/],
		["ftp://example.com", /the scheme must be/],
		["", /the scheme is missing/],
	];
	for (const [text, message] of refused) {
		test(`refuses "${text}"`, () => assert.throws(() => checkOutbound([text]), usage(message, /scheme:\/\/host/)));
	}
});
