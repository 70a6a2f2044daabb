import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { assert as check, asyncProperty, integer } from "fast-check";
import {
	CodeReader,
	CodeWriter,
	countImports,
	decodeModule,
	encodeModule,
	OP,
	type OpName,
	operatorOf,
} from "../../wasm/mod.ts";
import { FUEL_CELL } from "./check.ts";
import { TestEngine } from "./engine.fixture.ts";
import { createRandomProgram } from "./random-program.fixture.ts";

const { WebAssembly } = globalThis as any;

const RUNS = Number(process.env["SKERRY_METERING_RUNS"] ?? 400);
const GIVEN = 1n << 40n;

const FREE = new Set<OpName>(
	"nop drop block loop try try_table else catch catch_all delegate end return unreachable".split(" ") as OpName[],
);

/** What fuel is measured against: one is taken from the cell before each instruction, and nothing is merged. */
function countEach(bytes: Uint8Array): Uint8Array {
	const module = decodeModule(bytes);
	const memory = countImports(module).memory + module.memories.length;
	const reader = new CodeReader(module.code);
	const writer = new CodeWriter(module.code);
	for (let body = 0; body < module.code.starts.length; body++) {
		reader.enter(body);
		writer.begin(reader.bodyStart);
		while (reader.next()) {
			if (FREE.has(operatorOf(reader.op)?.name ?? "nop")) continue;
			writer.insert(reader.start);
			writer.op(OP["i32.const"]).out.s32(0).u8(0x41).s32(0);
			writer.op(OP["i64.load"]).out.u8(0x43).u32(memory).u32(FUEL_CELL);
			writer.op(OP["i64.const"]).out.s64(1n);
			writer.op(OP["i64.sub"]).op(OP["i64.store"]).out.u8(0x43).u32(memory).u32(FUEL_CELL);
		}
		writer.finishBody(reader.end);
	}
	const limits = { minimum: 1n, maximum: 1n, shared: true, index: "i32" } as const;
	// The memory that it counts in is made here, behind the others, and looked at through an export.
	return encodeModule({
		...module,
		code: writer.finish(),
		memories: [...module.memories, { kind: "memory", limits }],
		exports: [...module.exports, { name: "count", kind: "memory", index: memory }],
	});
}

interface Outcome {
	readonly result: unknown;
	readonly used: bigint;
}

/** Calls all functions, one after the other, in one instance. */
function callAll(
	exports: Record<string, any>,
	functions: readonly string[],
	cell: (value?: bigint) => bigint,
): Outcome[] {
	return functions.flatMap((name) =>
		[3, 200].map((argument): Outcome => {
			cell(GIVEN);
			let result: unknown;
			try {
				result = exports[name](argument, 7);
			} catch (error) {
				result = error instanceof WebAssembly.RuntimeError ? `trap: ${(error as Error).message}` : "exception";
			}
			return { result, used: GIVEN - cell() };
		}),
	);
}

const hash = (exports: Record<string, any>): string =>
	Buffer.from(exports["memory"].buffer, 0, 4096).toString("base64");

suite("random programs", () => {
	test(`${RUNS} of them do the same with every metering, and use the fuel that was counted one by one`, async () => {
		const seen = { ended: 0, trapped: 0, thrown: 0, polls: 0, threaded: 0 };
		await check(
			asyncProperty(integer(), async (seed) => {
				const { text, functions } = createRandomProgram(seed);
				const bytes = await parse(text);
				const plain = new TestEngine().instantiate(bytes, "off");
				const due = callAll(plain, functions, () => 0n).map(({ result }) => result);
				const oracle = new WebAssembly.Instance(new WebAssembly.Module(countEach(bytes))).exports;
				const counter = new DataView(oracle.count.buffer);
				const counted = callAll(oracle, functions, (value) => {
					if (value !== undefined) counter.setBigInt64(FUEL_CELL, value, true);
					return counter.getBigInt64(FUEL_CELL, true);
				});
				for (const metering of ["trap", "yield"] as const) {
					const engine = new TestEngine();
					engine.poll = () => (engine.lower(), 0);
					const exports = engine.instantiate(bytes, metering);
					const found = callAll(exports, functions, () => {
						if (metering === "yield") engine.raise();
						return 0n;
					});
					assert.deepEqual(
						found.map(({ result }) => result),
						due,
						metering,
					);
					assert.equal(hash(exports), hash(plain), metering);
					seen.polls += engine.polls;
				}
				// Once in one piece, and once in slices of a few instructions
				const runs = [GIVEN, 13n].map((slice) => {
					const engine = new TestEngine();
					let handed = 0n;
					engine.poll = () => {
						while (engine.fuel < 0n) {
							engine.fuel += slice;
							handed += slice;
						}
						return 0;
					};
					const exports = engine.instantiate(bytes, "fuel");
					seen.threaded += engine.threaded;
					const outcomes = callAll(exports, functions, (value) => {
						if (value !== undefined) {
							handed = slice;
							engine.fuel = slice;
						}
						return GIVEN - (handed - engine.fuel);
					});
					assert.deepEqual(
						outcomes.map(({ result }) => result),
						due,
					);
					assert.equal(hash(exports), hash(plain), "fuel");
					return outcomes.map(({ used }) => used);
				});
				assert.deepEqual(runs[0], runs[1], "slices change nothing");
				// Whoever is given what it uses is never found to have used it up
				const engine = new TestEngine();
				let asked = 0;
				engine.poll = () => {
					asked++;
					engine.fuel += GIVEN;
					return 0;
				};
				const given = [...(runs[0] ?? [])];
				const enough = callAll(engine.instantiate(bytes, "fuel"), functions, (value) => {
					if (value === undefined) return BigInt(asked);
					asked = 0;
					engine.fuel = given.shift() ?? 0n;
					return 0n;
				});
				for (const [i, { result, used }] of enough.entries()) {
					assert.deepEqual(result, due[i]);
					if (typeof result !== "string") assert.equal(GIVEN - used, 0n, "is not asked");
				}
				for (const [i, { result, used }] of counted.entries()) {
					const found = runs[0]?.[i] ?? 0n;
					if (typeof result === "string" && result.startsWith("trap")) {
						seen.trapped++;
						// What was paid since the cell was last written is not in it: the same in slices of any size, as shown above
						continue;
					}
					seen[result === "exception" ? "thrown" : "ended"]++;
					assert.equal(found, used);
				}
			}),
			{ numRuns: RUNS },
		);
		assert.ok(
			seen.ended > RUNS && seen.trapped > RUNS / 20 && seen.thrown > 0 && seen.polls > RUNS / 2 && seen.threaded > RUNS,
			JSON.stringify(seen),
		);
	});
});
