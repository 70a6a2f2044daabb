import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Writer } from "../bytes/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { decodeComponent } from "./decode.ts";

const PREAMBLE = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00);

function component(...sections: readonly (readonly [id: number, content: readonly number[]])[]): Uint8Array {
	const writer = new Writer().raw(PREAMBLE);
	for (const [id, content] of sections) writer.u8(id).sized(Uint8Array.from(content));
	return writer.finish();
}

function failureOf(bytes: Uint8Array): SkerryError {
	try {
		decodeComponent(bytes);
	} catch (error) {
		assert.ok(error instanceof SkerryError, String(error));
		return error;
	}
	throw assert.fail("it was accepted");
}

test("definitions come in the order of the binary, with absolute offsets", async () => {
	const bytes = await parse(`(component $outer
		(import "a:b/c@1.0.0" (instance $i (export "f" (func (param "x" (list u8)) (result string)))))
		(core module $m (memory (export "mem") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
		(core instance $mi (instantiate $m))
		(component (type (record (field "a" u32))))
		(core func (canon lower (func $i "f") (memory (core memory $mi "mem")) (realloc (core func $mi "realloc")) string-encoding=utf16)))`);
	const decoded = decodeComponent(bytes);
	assert.deepEqual(
		decoded.definitions.map((definition) => definition.kind),
		["type", "import", "core module", "core instance", "component", "alias", "alias", "alias", "canon"],
	);
	assert.equal(decoded.name, "outer");
	assert.equal(decoded.size, bytes.length);
	const [, imported, module, , nested] = decoded.definitions;
	assert.deepEqual(imported, {
		kind: "import",
		offset: imported?.offset,
		name: { name: "a:b/c@1.0.0" },
		desc: { kind: "instance", type: 0 },
	});
	assert.ok(module?.kind === "core module" && nested?.kind === "component");
	assert.equal(module.bytes.buffer, bytes.buffer, "modules are views");
	assert.deepEqual(bytes.subarray(module.offset, module.offset + module.bytes.length), module.bytes);
	assert.deepEqual(nested.component.definitions, [
		{
			kind: "type",
			offset: nested.component.offset + 11,
			type: { kind: "defined", type: { kind: "record", fields: [{ name: "a", type: "u32" }] } },
		},
	]);
	const canon = decoded.definitions.at(-1);
	assert.ok(canon?.kind === "canon");
	assert.deepEqual(canon.canon, {
		op: "lower",
		func: 0,
		options: {
			encoding: "utf16",
			memory: 0,
			realloc: 0,
			postReturn: null,
			async: false,
			callback: null,
			coreType: null,
			gc: false,
		},
	});
});

test("what is no component is refused by code", () => {
	const text = (value: string): Uint8Array => new TextEncoder().encode(value);
	const cases: readonly (readonly [string, Uint8Array, string])[] = [
		["nothing", new Uint8Array(), "binary/not-wasm"],
		["text", text("(component)"), "binary/not-wasm"],
		["half of the magic", PREAMBLE.subarray(0, 3), "binary/truncated"],
		["half of the preamble", PREAMBLE.subarray(0, 6), "binary/truncated"],
		["a core module", Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00), "binary/core-module"],
		["another version", Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x0e, 0x00, 0x01, 0x00), "binary/malformed"],
		["an unknown section", component([13, []]), "binary/malformed"],
		["a section past the end", component([7, [1, 0x73]]).subarray(0, 11), "binary/truncated"],
		["bytes left in a section", component([7, [0, 0]]), "binary/malformed"],
		["2^32 - 1 types", component([7, [0xff, 0xff, 0xff, 0xff, 0x0f]]), "binary/limit"],
		["a million types in no bytes", component([7, [0xbf, 0x84, 0x3d, 0x73]]), "binary/truncated"],
		["a name of 2^31 bytes", component([10, [1, 0, 0xff, 0xff, 0xff, 0xff, 7, 0x61]]), "binary/truncated"],
		["a module that is none", component([1, [1, 2, 3]]), "binary/malformed"],
		["a list of 2^32 - 1 flags", component([7, [1, 0x6e, 0xff, 0xff, 0xff, 0xff, 0x0f]]), "binary/limit"],
		["an option twice", component([8, [1, 1, 0, 0, 2, 0, 0]]), "component/invalid"],
	];
	for (const [what, bytes, code] of cases) assert.equal(failureOf(bytes).code, code, what);
});

test("a core module is told how to become a component", () => {
	const error = failureOf(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00));
	assert.match(error.hint ?? "", /wasm-tools component new/);
});

test("nesting ends at its limit, however deep the input goes", () => {
	let nested: Uint8Array = PREAMBLE;
	for (let i = 0; i < 65; i++) nested = new Writer().raw(PREAMBLE).u8(4).sized(nested).finish();
	assert.equal(failureOf(nested).code, "binary/limit");
	// (instance (type (instance (type …: 100,000 deep, three bytes each
	const types = Array.from({ length: 100_000 }, () => [0x42, 1, 1]).flat();
	const start = process.threadCpuUsage();
	assert.equal(failureOf(component([7, [1, ...types]])).code, "binary/limit");
	const { user, system } = process.threadCpuUsage(start);
	assert.ok(user + system < 1_000_000);
});

test("malformed debug sections are left alone", () => {
	const name = [...new TextEncoder().encode("component-name")];
	const decoded = decodeComponent(component([0, [name.length, ...name, 0xff, 0xfe]]));
	assert.equal(decoded.name, undefined);
	assert.deepEqual(decoded.customs[0]?.bytes, Uint8Array.of(0xff, 0xfe));
});
