/** What callbacks of asynchronous functions return and do that they should not; and that the next call finds a sandbox as new. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Engine } from "./engine.ts";

/** A function's own code, and what its callback does; `$return` is told the result. Memory at 0 counts what ran in this sandbox. */
interface Row {
	readonly first: string;
	readonly next?: string;
	/** What it returns, or why it fails. */
	readonly gives: number | RegExp;
}

const ANSWER = "(call $return (i32.load (i32.const 0)))";
const HIGH = 0xffff_fff0 | 0;

const ROWS: Readonly<Record<string, Row>> = {
	"exit, and bits above": { first: `${ANSWER} (i32.const ${HIGH})`, gives: 1 },
	"yield, and bits above; then exit, and bits above": {
		first: `(i32.const ${HIGH | 1})`,
		next: `${ANSWER} (i32.const ${HIGH})`,
		gives: 2,
	},
	"wait for the highest index": { first: `(i32.const ${HIGH | 2})`, gives: /^unknown handle index 268435455$/ },
	"wait for what is no set": { first: "(i32.const 2)", gives: /^unknown handle index 0$/ },
	"a code that there is not": { first: `(i32.const ${HIGH | 3})`, gives: /^unsupported callback code: 3$/ },
	"the highest code, of a callback": {
		first: "(i32.const 1)",
		next: "(i32.const -1)",
		gives: /^unsupported callback code: 15$/,
	},
	"exit without a result": {
		first: "(i32.const 1)",
		next: `(i32.const ${HIGH})`,
		gives: /^async-lifted export failed to produce a result$/,
	},
	"a callback that loops": {
		first: "(i32.const 1)",
		next: "(loop $on (br $on)) unreachable",
		gives: /^killed: cpu 50 ms /,
	},
	// Before its caller hears of the result
	"a callback that loops behind the result": {
		first: "(i32.const 1)",
		next: `${ANSWER} (loop $on (br $on)) unreachable`,
		gives: /^killed: cpu 50 ms /,
	},
	"a callback that traps": { first: "(i32.const 1)", next: "unreachable", gives: /^unreachable$/ },
	"a callback that traps behind the result": {
		first: "(i32.const 1)",
		next: `${ANSWER} unreachable`,
		gives: /^unreachable$/,
	},
	"a callback without a bottom": { first: "(i32.const 1)", next: "(call $deep)", gives: /^call stack exhausted$/ },
};

const rows = Object.entries(ROWS);
const RAN = "(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))";

const WAT = `(component
	(core func $return (canon task.return (result u32)))
	(core module $m
		(import "" "return" (func $return (param i32)))
		(memory 1)
		(func $deep (result i32) (i32.add (call $deep) (call $deep)))
		${rows
			.map(
				([, { first, next = "unreachable" }], i) => `
		(func (export "f${i}") (result i32) ${RAN} ${first})
		(func (export "c${i}") (param i32 i32 i32) (result i32) ${RAN} ${next})`,
			)
			.join("\n")})
	(core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
	${rows.map((_, i) => `(func (export "f${i}") async (result u32) (canon lift (core func $i "f${i}") async (callback (core func $i "c${i}"))))`).join("\n")})`;

for (const metering of ["trap", "yield", "fuel"] as const) {
	suite(`callbacks, metering ${metering}`, { timeout: 60_000 }, async () => {
		const engine = new Engine({ cache: false, metering, limits: { cpu: 50 } });
		const component = await engine.load(await parse(WAT));
		for (const [i, [name, { gives }]] of rows.entries()) {
			test(name, async () => {
				// Again and again, so that one gets what another left
				for (let round = 0; round < 3; round++) {
					const called = (async (): Promise<unknown> => await component.call([`f${i}`], []))();
					if (typeof gives === "number") assert.equal(await called, gives);
					else await assert.rejects(called, (error: Error) => gives.test(error.message) || assert.fail(error.message));
					assert.equal(await component.call(["f0"], []), 1);
				}
			});
		}
	});
}
