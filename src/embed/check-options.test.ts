/** What JavaScript says to the engine: each slip is told, all of one call together, and nothing is done then. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { type Component, Engine } from "./mod.ts";

const here = fileURLToPath(new URL(".", import.meta.url));

let bytes: Uint8Array;
before(async () => {
	bytes = await parse(`(module (global $g (mut i32) (i32.const 0))
		(func (export "count") (local $i i32)
			(loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 9)))))
		(func (export "bump") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))`);
});

const refused = (message: string): object => ({ name: "SkerryError", code: "engine/options", message });

/** What is wrong in options of any kind of guest. */
const WRONG: readonly [options: object, problem: string][] = [
	[{ limits: { memroy: 5 } }, "there is no limits.memroy (did you mean memory?)"],
	[{ limit: { memory: 5 } }, "there is no limit (did you mean limits?)"],
	[{ limits: { cpu: "50ms" } }, 'limits.cpu must be a number of milliseconds, or Infinity, and is "50ms"'],
	[{ limits: { cpu: NaN } }, "limits.cpu must be a number of milliseconds, or Infinity, and is NaN"],
	[{ limits: { memory: -1 } }, "limits.memory must be a number of bytes, or Infinity, and is -1"],
	[{ limits: { tables: null } }, "limits.tables must be a number of elements, or Infinity, and is null"],
	[{ limits: 5 }, "limits must be an object, and is 5"],
	[{ limits: { ["__proto__"]: 5 } }, "there is no limits.__proto__"],
	[{ metering: "slow" }, 'metering must be one of yield, trap, fuel, off, and is "slow"'],
	[{ features: { threds: true } }, "there is no features.threds (did you mean threads?)"],
	[{ features: { threads: 1 } }, "features.threads must be true or false, and is 1"],
	[{ onStreamError: "log" }, 'onStreamError must be a function, and is "log"'],
];

suite("of an engine", () => {
	const cases: typeof WRONG = [
		...WRONG,
		[{ cache: 5 }, "cache must be a folder's path or false, and is 5"],
		[{ wasi: {} }, "there is no wasi"],
		[
			{ limits: { cpu: [] }, metering: "slow" },
			[
				"2 problems",
				"limits.cpu must be a number of milliseconds, or Infinity, and is an array",
				'metering must be one of yield, trap, fuel, off, and is "slow"',
			].join("\n  - "),
		],
	];
	for (const [options, problem] of cases) {
		test(problem, () => {
			assert.throws(() => new Engine(options), refused(`Cannot make the engine: ${problem}`));
		});
	}

	test("none at all", () => {
		assert.throws(
			() => new Engine(null as never),
			refused("Cannot make the engine: the options must be an object, and is null"),
		);
	});
});

suite("of a guest", () => {
	const cases: typeof WRONG = [
		...WRONG,
		[{ imports: { env: null } }, "imports.env must be an object of functions, or a function, and is null"],
		[{ wasi: { arg: [] } }, "there is no wasi.arg (did you mean args?)"],
		[{ wasi: { args: "x" } }, 'wasi.args must be an array of strings, and is "x"'],
		[{ wasi: { env: { TOKEN: undefined } } }, "wasi.env.TOKEN must be a string, and is undefined"],
		[{ wasi: { folders: { "/x": { path: 5 } } } }, "wasi.folders./x.path must be a string, and is 5"],
		[{ wasi: { stderr: "inherit" } }, 'wasi.stderr must be a Writable of node:stream, and is "inherit"'],
		[{ wasi: { stdout: new WritableStream() } }, "wasi.stdout must be a Writable of node:stream, and is an object"],
		[
			{ wasi: { stdin: new Blob(["x"]).stream() } },
			"wasi.stdin must be a string, bytes, a Readable of node:stream, or a function that gives one, and is an object",
		],
		[{ warm: 1.5 }, "warm must be a number of sandboxes, and is 1.5"],
	];
	for (const [options, problem] of cases) {
		test(problem, async () => {
			const expected = refused(`Cannot load the guest: ${problem}`);
			await assert.rejects(new Engine({ cache: false }).load(bytes, options), expected);
			await assert.rejects(new Engine({ cache: false }).compose({ nodes: {}, edges: [] }, options), expected);
		});
	}

	test("what may be left out may be undefined, and no limit may be none", async () => {
		const options = { limits: { cpu: Infinity, wall: undefined }, wasi: { env: {}, args: undefined }, app: undefined };
		const component = await new Engine({ cache: false }).load(bytes, options as object);
		assert.equal(await component.exports["bump"](), 1);
	});

	test("fuel that nothing counts", async () => {
		const fuel = { limits: { fuel: 1 } };
		const error = {
			code: "engine/options",
			message: "Cannot count fuel with metering trap",
			hint: 'the limit "fuel" needs metering "fuel"',
		};
		await assert.rejects(new Engine({ cache: false }).load(bytes, fuel), error);
		await assert.rejects(new Engine({ cache: false, ...fuel }).load(bytes), error);
		const component = await new Engine({ cache: false }).load(bytes);
		assert.throws(() => component.instantiate(fuel), error);
		const counted: Component = await new Engine({ cache: false }).load(bytes, { ...fuel, metering: "fuel" });
		await assert.rejects(counted.exports["count"](), { code: "guest/killed" });
	});

	test("a limit on cpu with metering off, of which nothing would know", async () => {
		const limits = { limits: { cpu: 5 } };
		const off = { metering: "off" } as const;
		const error = refused("Cannot limit cpu with metering off: nothing would stop the guest");
		await assert.rejects(new Engine({ cache: false, ...off }).load(bytes, limits), error);
		await assert.rejects(new Engine({ cache: false, ...limits }).load(bytes, off), error);
		const component: Component = await new Engine({ cache: false, ...off }).load(bytes);
		assert.throws(() => component.instantiate(limits), error);
		component.instantiate({ limits: { cpu: Infinity, wall: 5 } })[Symbol.dispose]();
	});
});

test("of a sandbox", async () => {
	const component = await new Engine({ cache: false }).load(bytes);
	assert.throws(
		() => component.instantiate({ limits: { cpu: 5 }, app: "x" } as object),
		refused("Cannot make the sandbox: there is no app"),
	);
});

test("the stack is one limit of the process", async () => {
	const stack = { limits: { stack: 65_536 } };
	const error = refused("Cannot load the guest: limits.stack is of the whole process: it is given to Engine");
	await assert.rejects(new Engine({ cache: false }).load(bytes, stack), error);
	const depth = (options: string): number => {
		const script = `
			import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
			import { Engine } from ${JSON.stringify(new URL("./mod.ts", import.meta.url).href)};
			const module = await parse(\`(module (import "env" "f" (func $f)) (global $d (mut i32) (i32.const 0))
				(func $r (global.set $d (i32.add (global.get $d) (i32.const 1))) (call $r) (call $f))
				(func (export "run") (call $r)) (func (export "depth") (result i32) (global.get $d)))\`);
			const component = await new Engine(${options}).load(module, { imports: { env: { f() {} } } });
			const sandbox = component.instantiate();
			await sandbox.exports.run().catch(() => {});
			console.log(await sandbox.exports.depth());`;
		return Number(execFileSync(process.execPath, ["--input-type=module", "--eval", script], { cwd: here }));
	};
	const whole = depth("{ cache: false }");
	const small = depth("{ cache: false, limits: { stack: 128 * 1024 } }");
	assert.ok(small > 0 && small < whole / 4, `${small} of ${whole} calls`);
	assert.equal(depth("{ cache: false, limits: { stack: Infinity } }"), whole);
});

test("of a composition", async () => {
	await assert.rejects(
		new Engine({ cache: false }).compose({ nods: {}, edges: [5] } as never),
		refused(
			"Cannot compose: 3 problems\n  - there is no nods (did you mean nodes?)\n  - edges must be an array of objects, and is an array\n  - nodes is missing",
		),
	);
});

test("no source", async () => {
	for (const source of [undefined, null, 5, {}]) {
		await assert.rejects(new Engine({ cache: false }).load(source as never), {
			code: "call/bad-value",
			message: "Cannot load the guest: there is no source",
		});
	}
});

test("a URL of the network", async () => {
	await assert.rejects(new Engine({ cache: false }).load(new URL("http://127.0.0.1:1/x.wasm")), {
		code: "cli/file-not-found",
		message: "Cannot read http://127.0.0.1:1/x.wasm: only file: URLs are read",
		hint: 'engine.load(await fetch("http://127.0.0.1:1/x.wasm")) loads what a server has',
	});
});

test("a call by what is no path, or with what are no arguments", async () => {
	const component = await new Engine({ cache: false }).load(bytes);
	const wrong = (message: string): object => ({ code: "call/bad-value", message: `Cannot call bump: ${message}` });
	await assert.rejects(component.call("bump" as never, []), wrong("the path of an export is an array of names"));
	await assert.rejects(component.call(["bump"], undefined as never), wrong("its arguments are an array"));
});

test("a call with options that are none, of which no sandbox is left", async () => {
	const component = await new Engine({ cache: false, limits: { instances: 1 } }).load(bytes);
	using sandbox = component.instantiate();
	const table: readonly (readonly [options: unknown, problem: string])[] = [
		[{ signal: {} }, "signal must be an AbortSignal, and is an object"],
		[{ signall: AbortSignal.abort() }, "there is no signall (did you mean signal?)"],
		[null, "the options must be an object, and is null"],
	];
	for (const [options, problem] of table) {
		const error = { code: "engine/options", message: `Cannot call the guest: ${problem}` };
		await assert.rejects(component.call(["bump"], [], options as never), error);
		await assert.rejects(sandbox.call(["bump"], [], options as never), error);
	}
	assert.equal(await component.call(["bump"], [], { signal: new AbortController().signal }), 1);
	assert.equal(await sandbox.call(["bump"], [], {}), 1);
});

test("a sandbox that was disposed is not called without a promise either", async () => {
	const component = await new Engine({ cache: false }).load(bytes);
	const sandbox = component.instantiate();
	const { bump } = sandbox.sync;
	assert.equal(bump(), 1);
	sandbox[Symbol.dispose]();
	const error = { code: "guest/killed", message: "Cannot call bump: the sandbox was disposed" };
	assert.throws(() => bump(), error);
	assert.throws(() => sandbox.sync["bump"](), error);
	await assert.rejects(sandbox.exports["bump"](), error);
});
