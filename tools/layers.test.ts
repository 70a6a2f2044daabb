import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkLayers, type Rules, type Violation } from "./layers/check.ts";
import { drawArchitecture } from "./layers/draw.ts";
import { scanSources } from "./layers/scan.ts";

const PARTS = [
	{ name: "low", holds: "the lowest", uses: [], node: false, files: 2 },
	{ name: "middle", holds: "over low", uses: ["low"], node: false, files: 0 },
	{ name: "engine", holds: "beside middle", uses: ["low"], node: false, files: 0 },
	{ name: "high", holds: "over all", uses: ["middle", "engine"], node: true, files: 0 },
];

const RULES: Rules = {
	parts: PARTS,
	foundation: [],
	publicDoorUses: ["high"],
	webAssemblyPart: "engine",
	maxLines: 20,
	longFiles: {},
};

const scan = (fixture: string) => scanSources(fileURLToPath(new URL(`fixtures/layers/${fixture}`, import.meta.url)));

test("a clean tree passes, and every file of it is seen", () => {
	const files = scan("clean");
	assert.deepEqual(
		files.map(({ path, part, isTest, imports }) => [path, part, isTest, imports.length]),
		[
			["src/engine/mod.ts", "engine", false, 0],
			["src/high/mod.ts", "high", false, 0],
			["src/index.ts", "index", false, 1],
			["src/low/low.ts", "low", false, 0],
			["src/low/mod.ts", "low", false, 1],
			["src/middle/guest.fixture.ts", "middle", true, 1],
			["src/middle/mod.test.ts", "middle", true, 3],
			["src/middle/mod.ts", "middle", false, 1],
		],
	);
	assert.deepEqual(checkLayers(files, RULES), []);
});

const middle = "src/middle/mod.ts";
const cases: readonly [fixture: string, ...expected: [Violation["rule"], file: string, message: string][]][] = [
	["direction", ["direction", middle, "line 1 imports ../high/mod.ts: middle may not use high"]],
	["direction-type", ["direction", middle, "line 1 imports ../high/mod.ts: middle may not use high"]],
	[
		"direction-sibling",
		["direction", "src/engine/mod.ts", "line 1 imports ../middle/mod.ts: engine may not use middle"],
	],
	["door", ["door", middle, "line 1 imports ../low/low.ts: other parts are used through their mod.ts"]],
	["door-type", ["door", middle, "line 1 imports ../low/low.ts: other parts are used through their mod.ts"]],
	["door-inline-type", ["door", middle, "line 1 imports ../low/low.ts: other parts are used through their mod.ts"]],
	["door-public-name", ["door", middle, "line 1 imports the package by its public name"]],
	["cycle", ["cycle", "src/middle/a.ts", "imports in a circle: src/middle/a.ts, src/middle/b.ts"]],
	["cycle-type", ["cycle", "src/middle/a.ts", "imports in a circle: src/middle/a.ts, src/middle/mod.ts"]],
	["built-in", ["built-in", middle, "line 1 imports node:fs, but middle does without Node"]],
	["built-in-bare", ["built-in", middle, "line 1 imports fs, but middle does without Node"]],
	["webassembly", ["webassembly", middle, "line 1 mentions WebAssembly; only engine does"]],
	["webassembly-type", ["webassembly", middle, "line 1 mentions WebAssembly; only engine does"]],
	["length", ["length", middle, "21 lines, more than 20"]],
	["unknown-part", ["unknown-part", "src/stray/mod.ts", "stray is not in tools/parts.ts"]],
	["resolve", ["resolve", middle, "line 1 imports ./gone.ts, which is no source file"]],
	["parse", ["parse", middle, "cannot be parsed: Unexpected token"]],
	["unknowable", ["resolve", middle, "line 1 imports what only the run shows"]],
	["test-only", ["resolve", middle, "line 1 imports ./guest.fixture.ts, which is for tests"]],
];

for (const [fixture, ...expected] of cases) {
	test(`the fixture ${fixture} fails for that alone`, () => {
		assert.deepEqual(
			checkLayers(scan(fixture), RULES),
			expected.map(([rule, file, message]) => ({ rule, file, message })),
		);
	});
}

test("a tree of which too little is seen fails", () => {
	const parts = PARTS.map((part) => (part.name === "high" ? { ...part, files: 1 } : part));
	assert.deepEqual(checkLayers([], { ...RULES, parts }), [
		{ rule: "count", file: "src/low", message: "0 files seen where the table expects 2 at least" },
		{ rule: "count", file: "src/high", message: "0 files seen where the table expects 1 at least" },
	]);
});

test("a long file passes when it is listed, and a listed file that is not long fails", () => {
	const listed = { ...RULES, longFiles: { [middle]: "a table" } };
	assert.deepEqual(checkLayers(scan("length"), listed), []);
	assert.deepEqual(checkLayers(scan("clean"), listed), [
		{ rule: "length", file: middle, message: "is listed as long but is not; remove it from the list" },
	]);
});

test("a table whose rows point downwards fails", () => {
	assert.deepEqual(checkLayers(scan("clean"), { ...RULES, parts: PARTS.toReversed() }).slice(0, 2), [
		{
			rule: "table",
			file: "tools/parts.ts",
			message: "part high uses middle, which does not stand above it in the table",
		},
		{
			rule: "table",
			file: "tools/parts.ts",
			message: "part high uses engine, which does not stand above it in the table",
		},
	]);
});

const marked = (parts: string, graph: string) =>
	`# Before\n<!-- parts: drawn by npm run layers -- --write -->\n${parts}<!-- /parts -->\nbetween\n` +
	`<!-- graph: drawn by npm run layers -- --write -->\n${graph}<!-- /graph -->\nafter\n`;

test("the drawing shows the parts that exist and replaces only what is between the markers", () => {
	const table =
		"| Part | Holds | Stands on |\n| --- | --- | --- |\n| `low` | the lowest | – |\n| `middle` | over low | low |\n" +
		"| `engine` | beside middle | low |\n| `high` | over all | middle, engine |\n";
	const graph = "```mermaid\ngraph TD\n\tengine\n\thigh\n\tindex --> middle\n\tlow\n\tmiddle --> low\n```\n";
	const drawn = drawArchitecture(marked("old\n", "older\n"), scan("clean"), RULES);
	assert.equal(drawn, marked(table, graph));
	assert.equal(drawArchitecture(drawn, scan("clean"), RULES), drawn);
	assert.throws(() => drawArchitecture("no markers", scan("clean"), RULES), /lacks the markers of "parts"/);
});
