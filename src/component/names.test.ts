import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalVersion, isCompatible, isKebabCase, parseExternName, uniquenessKey, versionKey } from "./names.ts";

test("labels are kebab-case", () => {
	for (const label of ["a", "a1", "a-1", "HTTP-version", "a11-B11-123-ABC-abc"]) assert.ok(isKebabCase(label), label);
	for (const label of ["", "1", "1-a", "a-", "-a", "a--b", "aBc", "a_b", "a b", "é"]) {
		assert.ok(!isKebabCase(label), label);
	}
});

test("extern names parse into their parts", () => {
	const cases: readonly (readonly [string, object])[] = [
		["run", { kind: "plain", label: "run" }],
		["[constructor]r", { kind: "constructor", resource: "r" }],
		["[method]r.get-it", { kind: "method", resource: "r", label: "get-it" }],
		["[static]r.make", { kind: "static", resource: "r", label: "make" }],
		["wasi:io/streams", { kind: "interface", namespace: "wasi", package: "io", interface: "streams" }],
		[
			"wasi:io/streams@0.2.3-rc.1+build.5",
			{
				kind: "interface",
				namespace: "wasi",
				package: "io",
				interface: "streams",
				version: "0.2.3-rc.1+build.5",
			},
		],
		["url=<https://example.com/a.wasm>", { kind: "url", text: "url=<https://example.com/a.wasm>" }],
		["locked-dep=<a:b@1.2.3>", { kind: "dependency", text: "locked-dep=<a:b@1.2.3>" }],
		["unlocked-dep=<a:b@{>=1.2.3 <2.0.0}>", { kind: "dependency", text: "unlocked-dep=<a:b@{>=1.2.3 <2.0.0}>" }],
		["integrity=<sha256-abcd>", { kind: "hash", text: "integrity=<sha256-abcd>" }],
	];
	for (const [name, parsed] of cases) assert.deepEqual(parseExternName(name), parsed, name);
});

test("what is no name is told why", () => {
	const cases: readonly (readonly [string, RegExp])[] = [
		["", /`` is not in kebab case/],
		["Foo", /`Foo` is not in kebab case/],
		["[method]a", /failed to find `\.` character/],
		["[constructor]", /kebab/],
		["wasi:io", /expected `\/` after package name/],
		["a:b:c/d", /expected `\/` after package name/],
		["a:b/c/d", /trailing characters found: `\/d`/],
		["a:b/c@", /empty string/],
		["a:b/c@1.2", /unexpected end of input/],
		["a:b/c@01.2.3", /leading zero/],
		["a:b/c@1.2.3-", /empty identifier segment/],
		["a:b/c@1.2.3-01", /leading zero/],
		["locked-dep=<a>", /kebab/],
		["unlocked-dep=<a:b@{1.2}>", /not a version range/],
		["integrity=<md5-abc>", /integrity metadata/],
	];
	for (const [name, message] of cases) {
		const parsed = parseExternName(name);
		assert.ok(parsed.kind === "fault", name);
		assert.match(parsed.message, message, name);
	}
});

test("names that differ in case or annotation only are not unique", () => {
	const key = (name: string): string => {
		const parsed = parseExternName(name);
		assert.ok(parsed.kind !== "fault", name);
		return uniquenessKey(parsed);
	};
	assert.equal(key("a-B"), key("A-b"));
	assert.equal(key("[method]a.b"), key("[static]A.b"));
	assert.equal(key("[method]a.a"), key("a"));
	assert.notEqual(key("[constructor]a"), key("a"));
	assert.notEqual(key("[method]a.b"), key("b"));
	assert.notEqual(key("a:b/c@1.0.0"), key("a:b/c@2.0.0"));
});

test("versions are compatible within the leading number that is not zero", () => {
	const cases: readonly (readonly [string, string])[] = [
		["1.2.3", "1"],
		["0.2.10", "0.2"],
		["0.0.3", "0.0.3"],
		["1.0.0-rc.1", "1.0.0-rc.1"],
		["0.2.0-rc-2023-11-10+x", "0.2.0-rc-2023-11-10"],
		["0.3.0+build-7", "0.3"],
	];
	for (const [version, canonical] of cases) assert.equal(canonicalVersion(version), canonical);
	assert.equal(versionKey("wasi:io/streams@0.2.6"), "wasi:io/streams@0.2");
	assert.equal(versionKey("run"), "run");
	assert.ok(isCompatible("wasi:io/streams@0.2.0", "wasi:io/streams@0.2.12"));
	assert.ok(!isCompatible("wasi:io/streams@0.2.0", "wasi:io/streams@0.3.0"));
	assert.ok(!isCompatible("wasi:io/streams@0.2.0", "wasi:io/poll@0.2.0"));
	assert.ok(!isCompatible("wasi:io/streams", "wasi:io/streams@0.2.0"));
	assert.ok(!isCompatible("a:b/c@0.3.0-rc.1", "a:b/c@0.3.0"));
});
