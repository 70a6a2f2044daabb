import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { type Code, SkerryError } from "../fault/mod.ts";
import { buildComponent, type BuildStep } from "./build.ts";
import { ALLOCATOR } from "./heap.fixture.ts";
import { fillHeap } from "./heap.ts";
import { findTools } from "./tools.ts";

const QUICKSTART = fileURLToPath(new URL("../../examples/quickstart", import.meta.url));
/** `\0asm`, version 13, layer 1: a component. */
const COMPONENT_HEADER = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

let root: string;
before(async () => {
	root = await realpath(await mkdtemp(join(tmpdir(), "skerry-build-")));
});
after(() => rm(root, { recursive: true }));

/** A folder of its own with these files. */
async function project(files: Record<string, string>): Promise<string> {
	const folder = await mkdtemp(join(root, "app-"));
	for (const [name, content] of Object.entries(files)) {
		await mkdir(dirname(join(folder, name)), { recursive: true });
		await writeFile(join(folder, name), content);
	}
	return folder;
}

/** A package in the application's folder that stands for componentize-js, so that what is around it is tested in milliseconds. */
function standIn(body: string, version = "0.23.9"): Record<string, string> {
	const folder = "node_modules/@bytecodealliance/componentize-js";
	return {
		[`${folder}/package.json`]: JSON.stringify({ type: "module", version, exports: { import: "./main.js" } }),
		[`${folder}/main.js`]: `import { readFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
export async function componentize(options) { ${body} }`,
	};
}
const COPY = "return { component: readFileSync(options.sourcePath) };";
const APP = "export default { fetch: () => new Response('hello') };\n";

async function refusal(promise: Promise<unknown>, code: Code): Promise<SkerryError> {
	const error = await promise.then(
		() => assert.fail("it was built"),
		(error: unknown) => error,
	);
	assert.ok(error instanceof SkerryError, String(error));
	assert.equal(error.code, code);
	return error;
}

describe("buildComponent with the real tools", () => {
	// The longest test of the part: 20 s on a machine that has never built. It stays in the example's own cache, for the tests after it.
	it("builds the quickstart, and takes it from the cache the second time", async () => {
		const options = { entry: join(QUICKSTART, "src/app.ts"), folder: QUICKSTART };
		const first = await buildComponent(options);
		assert.deepEqual([...first.component.subarray(0, 8)], COMPONENT_HEADER);
		assert.deepEqual(first.warnings, []);
		assert.deepEqual(await readFile(first.file), Buffer.from(first.component));

		const steps: BuildStep[] = [];
		const second = await buildComponent({ ...options, onProgress: (step) => steps.push(step) });
		assert.deepEqual(steps, ["bundle"]);
		assert.equal(second.cached, true);
		assert.equal(second.times.componentize, 0);
		assert.equal(second.file, first.file);
		assert.deepEqual(second.component, first.component);
	});

	it("names the line of the source where the top level throws", async () => {
		const entry = join(
			await project({
				"src/app.ts": `import { fail } from "./fail.ts";\nexport default { fetch() {} };\nfail();\n`,
				"src/fail.ts": `interface Unused { readonly a: 1 }\n\nexport function fail(): never {\n\tthrow new RangeError("at the top");\n}\n`,
			}),
			"src/app.ts",
		);
		const folder = dirname(dirname(entry));
		const error = await refusal(buildComponent({ entry, folder }), "build/failed");
		assert.equal(error.message, "Cannot build src/app.ts: RangeError: at the top");
		assert.deepEqual(error.place, { file: join(folder, "src/fail.ts"), line: 4, column: 8 });
	});

	it("refuses a default export without fetch", async () => {
		const folder = await project({ "app.js": "export default 3;\n" });
		const error = await refusal(buildComponent({ entry: join(folder, "app.js") }), "build/failed");
		assert.equal(error.message, "Cannot build app.js: TypeError: the default export has no fetch method");
		assert.deepEqual(error.place, { file: join(folder, "app.js") });
	});
});

describe("buildComponent and the guest's heap", () => {
	it("fills the holes of what Wizer has made", async () => {
		const initialised = Buffer.from(await parse(`(module (memory (export "memory") 9) ${ALLOCATOR})`));
		const script = "fs.writeFileSync(process.argv[1].slice(3), Buffer.from(process.argv[2], 'hex'))";
		const body = `const output = options.sourcePath + ".wasm";
			spawnSync(process.execPath, ["-e", ${JSON.stringify(script)}, "--", "-o=" + output, "${initialised.toString("hex")}"]);
			return { component: readFileSync(output) };`;
		const folder = await project({ ...standIn(body), "app.ts": APP });
		const { component } = await buildComponent({ entry: join(folder, "app.ts") });
		const filled = fillHeap(initialised);
		assert.ok(filled);
		assert.equal(Buffer.compare(component, filled), 0);
	});
});

describe("buildComponent and its cache", () => {
	it("builds again when the source, or a file that it imports, changes, and not when a comment does", async () => {
		const folder = await project({
			...standIn(COPY),
			"app.ts": `import { text } from "./text.ts";\nexport default { fetch: () => new Response(text) };\n`,
			"text.ts": `export const text: string = "one";\n`,
		});
		const build = async (): Promise<boolean> => (await buildComponent({ entry: join(folder, "app.ts") })).cached;
		assert.deepEqual([await build(), await build()], [false, true]);
		await writeFile(join(folder, "text.ts"), `export const text: string = "two";\n`);
		assert.deepEqual([await build(), await build()], [false, true]);
		await writeFile(join(folder, "text.ts"), `// said twice\nexport const text: string = "two";\n`);
		assert.equal(await build(), true);
	});

	it("builds again when the tool's version changes", async () => {
		const folder = await project({ ...standIn(COPY), "app.ts": APP });
		const entry = join(folder, "app.ts");
		await buildComponent({ entry });
		for (const [name, content] of Object.entries(standIn(COPY, "0.23.10")))
			await writeFile(join(folder, name), content);
		assert.equal((await buildComponent({ entry })).cached, false);
	});

	it("builds with a warning where the cache's folder cannot be made", async () => {
		const folder = await project({ ...standIn(COPY), "app.ts": APP });
		const entry = join(folder, "app.ts");
		const cacheDir = join(entry, "cache");
		const good = await buildComponent({ entry });
		for (let i = 0; i < 2; i++) {
			const { component, file, cached, warnings } = await buildComponent({ entry, cacheDir });
			assert.deepEqual({ component, file, cached }, { component: good.component, file: entry, cached: false });
			assert.equal(warnings.length, 1);
			assert.match(warnings[0] ?? "", /^Cannot keep components in .*app\.ts\/cache: ENOTDIR/);
		}
	});

	it("detects a damaged entry and builds it again", async () => {
		const folder = await project({ ...standIn(COPY), "app.ts": APP });
		const cacheDir = join(folder, "elsewhere");
		const steps: BuildStep[] = [];
		const options = { entry: join(folder, "app.ts"), cacheDir, onProgress: (step: BuildStep) => steps.push(step) };
		const good = await buildComponent(options);
		assert.ok(good.file.startsWith(cacheDir));
		await writeFile(good.file, "damaged");
		const again = await buildComponent(options);
		assert.equal(again.cached, false);
		assert.deepEqual(again.component, good.component);
		assert.deepEqual(await readFile(good.file), Buffer.from(good.component));
		assert.deepEqual(steps, ["bundle", "componentize", "bundle", "componentize"]);
	});
});

describe("buildComponent when the tools are missing or fail", () => {
	it("names all that are missing, and the line that installs them", () => {
		assert.throws(
			() => findTools([join(root, "package.json")]),
			(error: unknown) => {
				assert.ok(error instanceof SkerryError);
				assert.equal(error.code, "build/tool-missing");
				assert.equal(
					error.message,
					"Cannot build a script: esbuild is not installed, @bytecodealliance/componentize-js is not installed",
				);
				assert.equal(error.hint, "npm i -D esbuild@^0.28.2 @bytecodealliance/componentize-js@^0.23.0");
				return true;
			},
		);
	});

	it("prefers the application's own tool, unless its version does not fit", async () => {
		const own = fileURLToPath(import.meta.url);
		const fits = join(await project(standIn(COPY)), "package.json");
		const old = join(await project(standIn(COPY, "0.19.3")), "package.json");
		assert.equal(findTools([fits, own]).componentize.version, "0.23.9");
		assert.equal(findTools([old, own]).componentize.version, "0.23.0");
		assert.throws(() => findTools([old]), /componentize-js 0\.19\.3 is not \^0\.23\.0/);
	});

	it("keeps what a failing tool said", async () => {
		const failing = `console.log("to stdout"); console.error("to stderr"); throw new Error("tool failure");`;
		const folder = await project({ ...standIn(failing), "app.ts": APP });
		const error = await refusal(buildComponent({ entry: join(folder, "app.ts") }), "build/failed");
		assert.equal(error.message, "Cannot build app.ts");
		for (const said of ["to stdout", "to stderr", "tool failure"]) assert.match(String(error.cause), new RegExp(said));
	});

	it("ends a top level that never ends", async () => {
		const endless = `const { signal } = spawnSync(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" });
throw new Error("Process was killed by signal: " + signal);`;
		const folder = await project({ ...standIn(endless), "app.ts": APP });
		const error = await refusal(buildComponent({ entry: join(folder, "app.ts"), deadlineMs: 100 }), "build/failed");
		assert.equal(error.message, "Cannot build app.ts: its top level did not end within 100 ms");
	});
});

describe("buildComponent refuses, with the place in the source,", () => {
	const cases: { name: string; files: Record<string, string>; message: string; place: object; hint?: RegExp }[] = [
		{
			name: "a syntax error",
			files: { "src/app.ts": `${APP}const a = ;\n` },
			message: 'Cannot build src/app.ts: Unexpected ";"',
			place: { file: "src/app.ts", line: 2, column: 11 },
		},
		{
			name: "several errors together",
			files: {
				"src/app.ts": `import "./one.ts";\nimport "./two.ts";\n${APP}`,
				"src/one.ts": "\nconst = 1;\n",
				"src/two.ts": "const b = ;\n",
			},
			message: `Cannot build src/app.ts: 2 errors
  src/one.ts:2:7: Expected identifier but found "="
  src/two.ts:1:11: Unexpected ";"`,
			place: { file: "src/one.ts", line: 2, column: 7 },
		},
		{
			name: "an import that is not there",
			files: { "src/app.ts": `import "./no.ts";\n${APP}` },
			message: 'Cannot build src/app.ts: Could not resolve "./no.ts"',
			place: { file: "src/app.ts", line: 1, column: 8 },
		},
		{
			name: "a module of Node.js",
			files: { "src/app.ts": `import fs from "node:fs";\n${APP}console.log(fs);\n` },
			message: 'Cannot build src/app.ts: Could not resolve "node:fs"',
			place: { file: "src/app.ts", line: 1, column: 16 },
			hint: /not Node\.js's modules/,
		},
		{
			name: "an interface that the world has not",
			files: {
				"src/app.ts": `import "./store.ts";\n${APP}`,
				"src/store.ts": `import { open } from "wasi:keyvalue/store@0.2.0";\nconsole.log(open);\n`,
			},
			message: 'Cannot build src/app.ts: the import "wasi:keyvalue/store@0.2.0" is not supported',
			place: { file: "src/store.ts" },
			hint: /wasi:cli\/environment@0\.2\.10/,
		},
		{
			name: "a script that neither exports a handler nor listens",
			files: { "src/app.ts": "export const a = 1;\n" },
			message: "Cannot build src/app.ts: it has no default export",
			place: { file: "src/app.ts" },
			hint: /export default \{ fetch/,
		},
		{
			name: "an entry that is not there",
			files: {},
			message: "Cannot build src/app.ts: there is no such file",
			place: { file: "src/app.ts" },
		},
	];
	for (const { name, files, message, place, hint } of cases) {
		it(name, async () => {
			const folder = await project({ ...standIn(COPY), ...files });
			const entry = join(folder, "src/app.ts");
			const error = await refusal(buildComponent({ entry, folder }), "build/failed");
			assert.equal(error.message, message);
			const { file } = place as { file: string };
			assert.deepEqual(error.place, { ...place, file: join(folder, file) });
			if (hint !== undefined) assert.match(error.hint ?? "", hint);
		});
	}

	it("but not a script that listens to the fetch event itself, which it leaves as it is", async () => {
		const own = `addEventListener("fetch", (event) => event.respondWith(new Response("own")));\n`;
		const folder = await project({ ...standIn(COPY), "app.js": own });
		const { component } = await buildComponent({ entry: join(folder, "app.js") });
		assert.match(Buffer.from(component).toString(), /new Response\("own"\)/);
	});
});
