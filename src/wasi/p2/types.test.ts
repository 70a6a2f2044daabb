import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { ExternType, InstanceType, ResourceType, ValueType } from "../../component/mod.ts";
import { WASI_P2 } from "./interfaces.ts";
import { wasiP2Types } from "./types.ts";

/** What guests export and hosts do not. */
const EXPORTED_BY_GUESTS = ["wasi:cli/run@0.2.12", "wasi:http/incoming-handler@0.2.12"];

function typeOf(name: string): InstanceType {
	const type = wasiP2Types().get(name);
	assert.ok(type, name);
	return type;
}

function exportsOf(type: InstanceType, kind: ExternType["kind"]): string[] {
	return [...type.exports].filter(([, item]) => item.kind === kind).map(([name]) => name);
}

function resourceOf(name: string, resource: string): ResourceType {
	const item = typeOf(name).exports.get(resource);
	assert.ok(item?.kind === "type" && item.type.kind === "resource", `${name} ${resource}`);
	return item.type.resource;
}

/** An interface that uses or renames a resource exports it again; the resource's name says where it is defined. */
function definedResources(name: string): string[] {
	const defined = new Set<string>();
	for (const item of typeOf(name).exports.values()) {
		if (item.kind !== "type" || item.type.kind !== "resource") continue;
		const [home, resource] = item.type.resource.name.split("#");
		assert.ok(home !== undefined && resource !== undefined, item.type.resource.name);
		if (home === name) defined.add(resource);
	}
	return [...defined];
}

test("every interface of the WIT is hosted, but those that guests export", () => {
	const hosted = WASI_P2.map((one) => one.name);
	assert.equal(new Set(hosted).size, hosted.length);
	assert.deepEqual([...hosted, ...EXPORTED_BY_GUESTS].sort(), [...wasiP2Types().keys()].sort());
});

for (const one of WASI_P2) {
	suite(one.name, () => {
		test("has exactly the functions of its WIT", () => {
			assert.equal(one.type, typeOf(one.name));
			assert.deepEqual(Object.keys(one.functions).sort(), exportsOf(typeOf(one.name), "func").sort());
		});

		test("has exactly the resources that its WIT defines", () => {
			assert.deepEqual(Object.keys(one.resources).sort(), definedResources(one.name).sort());
		});
	});
}

test("interfaces share their resources", () => {
	const streams = "wasi:io/streams@0.2.12";
	assert.equal(resourceOf(streams, "pollable"), resourceOf("wasi:io/poll@0.2.12", "pollable"));
	assert.equal(resourceOf("wasi:cli/stdin@0.2.12", "input-stream"), resourceOf(streams, "input-stream"));
	assert.notEqual(resourceOf(streams, "input-stream"), resourceOf(streams, "output-stream"));
	const read = typeOf(streams).exports.get("[method]input-stream.read");
	assert.ok(read?.kind === "func");
	const self: ValueType | undefined = read.type.params[0]?.type;
	assert.ok(self?.kind === "borrow" && self.resource === resourceOf(streams, "input-stream"));
});
