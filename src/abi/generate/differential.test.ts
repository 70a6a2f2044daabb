/** Generated code against the interpreter: equal results, traps, calls of realloc and memories, for random types, values and lies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import { type FlatType, type FunctionType, type ValueType } from "../../component/mod.ts";
import { Context } from "../context.ts";
import { FlatWriter } from "../flat.ts";
import { hostFunction } from "../host-function.ts";
import { InterpretedLift, type Lift } from "../interpret-lift.ts";
import { InterpretedLower, type Lower } from "../interpret-lower.ts";
import { layoutOf } from "../layout.ts";
import { lowerFlat } from "../lower-flat.ts";
import { type Signature, signatureOf } from "../signature.ts";
import type { CanonicalOptions, CoreFunction, CoreValue } from "../store.ts";
import { storeValue } from "../store-value.ts";
import { GuestResource } from "../values.ts";
import { Dice, type Memory, randomFlat, randomValue, RESOURCES, World } from "./differential.fixture.ts";
import { generateLift, generateLower, generateNestedLift } from "./mod.ts";

/** Cases of each kind; several share a type. */
const RUNS = Number(process.env["SKERRY_FUZZ_RUNS"] ?? 3000);
const CASES_PER_TYPE = 20;

type Encoding = CanonicalOptions["encoding"];

const PRIMITIVES = [
	"bool",
	"u8",
	"s8",
	"u16",
	"s16",
	"u32",
	"s32",
	"u64",
	"s64",
	"f32",
	"f64",
	"char",
	"string",
] as const;
const named = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

const types: fc.Arbitrary<ValueType> = fc.letrec<{ any: ValueType }>((tie) => ({
	any: fc.oneof(
		{ depthSize: "small", withCrossShrink: true },
		{ weight: 6, arbitrary: fc.constantFrom(...PRIMITIVES).map((kind): ValueType => ({ kind })) },
		fc.constantFrom(...RESOURCES).map((resource): ValueType => ({ kind: "own", resource })),
		fc.constantFrom(...RESOURCES).map((resource): ValueType => ({ kind: "borrow", resource })),
		fc.constantFrom(1, 3, 9, 260).map((n): ValueType => ({ kind: "enum", names: named("e-", n) })),
		fc
			.constantFrom(1, 7, 8, 9, 17, 32)
			.map((n): ValueType => ({ kind: "flags", names: named("f-", n), keys: named("f", n) })),
		fc
			.tuple(tie("any"), fc.option(fc.integer({ min: 1, max: 4 }), { freq: 3, nil: undefined }))
			.map(([element, length]): ValueType =>
				length === undefined ? { kind: "list", element } : { kind: "list", element, length },
			),
		fc.array(tie("any"), { minLength: 1, maxLength: 5 }).map((fields): ValueType => ({
			kind: "record",
			fields: fields.map((type, i) => ({ name: `f-${i}`, key: `f${i}`, type })),
		})),
		fc.array(tie("any"), { minLength: 1, maxLength: 4 }).map((elements): ValueType => ({ kind: "tuple", elements })),
		fc
			.array(fc.option(tie("any")), { minLength: 1, maxLength: 11 })
			.map((cases): ValueType => ({ kind: "variant", cases: cases.map((type, i) => ({ name: `c-${i}`, type })) })),
		tie("any").map((element): ValueType => ({ kind: "option", element })),
		// Without padding, as numbers are of one size: these are packed.
		fc
			.tuple(
				fc.constantFrom<(typeof PRIMITIVES)[number][]>(
					["bool", "u8", "s8"],
					["u16", "s16"],
					["u32", "s32", "f32"],
					["u64", "s64", "f64"],
				),
				fc.integer({ min: 1, max: 5 }),
			)
			.map(([kinds, n]): ValueType => {
				const numbers = Array.from({ length: n }, (_, i): ValueType => ({ kind: kinds[i % kinds.length]! }));
				const pair: ValueType = { kind: "tuple", elements: [numbers[0]!, numbers[0]!] };
				const fields = [...numbers, pair].map((type, i) => ({ name: `f-${i}`, key: `f${i}`, type }));
				return { kind: "list", element: { kind: "record", fields } };
			}),
		fc.tuple(fc.option(tie("any")), fc.option(tie("any"))).map(([ok, err]): ValueType => ({ kind: "result", ok, err })),
		fc
			.tuple(fc.constantFrom("u8", "s64", "char", "string"), tie("any"))
			.map(([key, value]): ValueType => ({ kind: "map", key: { kind: key } as ValueType, value })),
	),
})).any;

/** Results hold no borrows. */
const resultTypes = types.filter((type) => !/"borrow"/.test(JSON.stringify(type)));
const functions: fc.Arbitrary<FunctionType> = fc
	.tuple(
		fc.oneof(
			{ weight: 4, arbitrary: fc.array(types, { maxLength: 4 }) },
			fc.array(types, { minLength: 5, maxLength: 20 }),
		),
		fc.option(resultTypes, { nil: null }),
	)
	.map(([params, result]) => ({
		kind: "func",
		async: false,
		params: params.map((type, i) => ({ name: `p${i}`, type })),
		result,
	}));
const encodings = fc.constantFrom<Encoding[]>("utf8", "utf16", "latin1+utf16");
const seeds = fc.array(fc.integer(), { minLength: CASES_PER_TYPE, maxLength: CASES_PER_TYPE });

/** How often the interpreter was called for: only wrong values of hosts do that. */
let interpreted = 0;
let generated = 0;
/** Types too large for code of their own. */
let rare = 0;
/** Calls that nobody was told of. */
let unclocked = 0;
let brieflyCalled = 0;

interface Outcome {
	readonly value?: unknown;
	readonly error?: unknown;
	readonly state: unknown;
}

function outcomeOf(world: World, run: () => unknown): Outcome {
	let error: unknown;
	let value: unknown;
	try {
		value = run();
		assert.ok(!(value instanceof Promise));
	} catch (thrown) {
		if (!(thrown instanceof Error)) throw thrown;
		error = { name: thrown.name, code: (thrown as { code?: unknown }).code, message: thrown.message };
	}
	return { value, error, state: world.state(error !== undefined) };
}

function assertEqual(oracle: World, fast: World, expected: Outcome, got: Outcome): void {
	assert.deepEqual(got, expected);
	for (const which of ["memory", "otherMemory"] as const) assertEqualMemories(oracle, fast, expected, which);
}

function assertEqualMemories(oracle: World, fast: World, expected: Outcome, which: "memory" | "otherMemory"): void {
	const memories = [oracle, fast].map((world) => world[which].contents());
	if (Buffer.compare(memories[0]!, memories[1]!) === 0) return;
	const different = memories[0]!.findIndex((byte, i) => byte !== memories[1]![i]);
	assert.fail(`the memories differ at ${different}: ${inspect([expected, oracle.log], { depth: 5 })}`);
}

/** What the guest has in its memory before it passes `type`: a value of it, now and then damaged; its flat values or a pointer. */
function place(
	dice: Dice,
	world: World,
	encoding: Encoding,
	type: ValueType,
	slots: readonly FlatType[] | null,
	memory: Memory = world.memory,
): CoreValue[] {
	if (dice.once(6)) return (slots ?? (["i32"] as const)).map((slot) => randomFlat(dice, slot));
	// What puts it there is honest: the lies come after.
	const scribe = new World(dice.roll(2 ** 31), true, [memory, memory]);
	const cx = new Context({ ...scribe.options(encoding, false), memory }, scribe.instance, true);
	let next = 64;
	cx.realloc = (_old, _oldSize, alignment, size) => {
		const pointer = Math.ceil(next / alignment) * alignment;
		if (pointer + size > 2048) throw new RangeError("no room");
		next = pointer + size;
		return pointer;
	};
	cx.scope = { borrows: 0 } as Context["scope"];
	cx.refresh();
	const value = randomValue(dice, type, scribe);
	let flat: CoreValue[];
	try {
		if (slots === null) {
			const { size, alignment } = layoutOf(type);
			const pointer = cx.realloc(0, 0, alignment, size);
			storeValue(cx, type, value, pointer);
			flat = [pointer];
		} else {
			const writer = new FlatWriter(slots);
			lowerFlat(cx, type, value, writer);
			flat = writer.values;
		}
	} catch (error) {
		if (!(error instanceof RangeError)) throw error;
		return (slots ?? (["i32"] as const)).map((slot) => randomFlat(dice, slot));
	}
	if (dice.once(3)) {
		for (let i = dice.roll(4); i >= 0; i--) cx.bytes[64 + dice.roll(Math.max(1, next - 64))] = dice.roll(256);
	}
	return flat;
}

/** A core function that notes what it was given, and returns what is in its memory. */
function core(
	world: World,
	seed: number,
	signature: Signature,
	encoding: Encoding,
	memory: Memory = world.memory,
): CoreFunction {
	return (...flat) => {
		world.log.push(["core", flat]);
		const { result, resultSlots, resultSpilled } = signature;
		if (result === null) return undefined;
		const placed = place(new Dice(seed), world, encoding, result, resultSpilled ? null : resultSlots, memory);
		return placed[0];
	};
}

/** Two equal worlds; `run` is called with each and with whether it is the oracle. */
function both(seed: number, honest: boolean, run: (world: World, oracle: boolean) => () => unknown): void {
	using oracle = new World(seed, honest);
	using fast = new World(seed, honest);
	const expected = outcomeOf(oracle, run(oracle, true));
	assertEqual(oracle, fast, expected, outcomeOf(fast, run(fast, false)));
}

function rareShape(run: () => unknown): () => unknown {
	rare++;
	return run;
}

function check(
	name: string,
	run: (type: FunctionType, encoding: Encoding, other: Encoding, seed: number) => void,
	ran?: (cases: number) => void,
): void {
	test(name, () => {
		interpreted = 0;
		generated = 0;
		rare = 0;
		unclocked = 0;
		brieflyCalled = 0;
		let cases = 0;
		fc.assert(
			fc.property(functions, encodings, encodings, seeds, (type, encoding, other, chosen) => {
				for (const seed of chosen) {
					run(type, encoding, other, seed);
					cases++;
				}
			}),
			// A type is told well enough by its text; to shrink it takes hours.
			{ numRuns: Math.ceil(RUNS / CASES_PER_TYPE), endOnFailure: true },
		);
		assert.equal(generated + rare, cases);
		assert.ok(rare < cases / 4, "the fast path ran");
		assert.ok(interpreted < cases / 2, "and was not left for the interpreter");
		ran?.(cases);
	});
}

check(
	"a host calls a guest",
	(type, encoding, _, seed) => {
		const dice = new Dice(seed);
		const wrong = dice.once(4);
		const postReturn = dice.once(2);
		both(seed, dice.once(2), (world, oracle) => {
			const values = new Dice(seed);
			const args = type.params.map((param) => randomValue(values, param.type, world, wrong));
			const options = world.options(encoding, postReturn);
			const run = core(world, seed, signatureOf(type), encoding);
			const { turn, brief } = world;
			const leased = values.once(2);
			// It is not attended to, its lease is over, or the watchdog has seen it.
			const unlike = values.roll(6);
			if (unlike === 0) brief.lease.attended = 2;
			else if (unlike === 1) brief.lease.last = values.once(2) ? -500 : 0x3fff_ffff;
			else if (unlike === 2) brief.words[brief.seen] = 501;
			const isBrief = values.once(3);
			const bareParts = { turn, core: run, realloc: options.realloc, brief: leased ? brief : null, isBrief };
			const bare = values.once(3) ? null : bareParts;
			const lift: Lift = { type, core: run, nested: run, nestedBare: null, options, instance: world.instance, bare };
			if (oracle) return () => new InterpretedLift(lift).call(args);
			const fast = generateLift(lift, () => {
				interpreted++;
				assert.ok(wrong, "right values are served by the fast path");
				return new InterpretedLift(lift);
			});
			if (fast === null) return rareShape(() => new InterpretedLift(lift).call(args));
			generated++;
			return () => {
				try {
					return fast(...args);
				} finally {
					assert.equal(turn.held, false, "the thread is free again");
					const [entry, call] = brief.words;
					const untold = entry !== 0;
					assert.equal(call, untold ? -501 : -500);
					assert.equal(entry, untold ? 501 << 16 : 0);
					assert.ok(!untold || (bare?.brief === brief && unlike > 1 && turn.told === 0));
					if (untold) unclocked++;
					if (bare?.isBrief === true && turn.told === 0) brieflyCalled++;
				}
			};
		});
	},
	(cases) => {
		assert.ok(unclocked > cases / 20, "calls went by untold");
		assert.ok(brieflyCalled > cases / 50, "and some of those that are brief");
	},
);

check("a guest calls a host", (type, encoding, _, seed) => {
	const dice = new Dice(seed);
	const wrong = dice.once(4);
	const kind = dice.roll(3);
	both(seed, dice.once(2), (world, oracle) => {
		const signature = signatureOf(type);
		const values = new Dice(seed);
		const { params, paramSlots, paramsSpilled, resultSpilled } = signature;
		const flat = place(values, world, encoding, params, paramsSpilled ? null : paramSlots);
		if (resultSpilled) flat.push(values.once(5) ? randomFlat(values, "i32") : 2048);
		const fn = (...args: unknown[]): unknown => {
			world.log.push(["host", structuredClone(args.map(plain))]);
			return type.result === null ? undefined : randomValue(values, type.result, world, wrong);
		};
		const host = hostFunction(type, fn, kind === 0 ? world.store : null, "a:b/c.d");
		const callee = kind === 2 ? { type, call: (args: readonly unknown[]) => fn(...args) } : host;
		const options = world.options(encoding, false);
		const lower: Lower = { type, callee, guest: null, options, instance: world.instance };
		if (oracle) return () => new InterpretedLower(lower).call(flat);
		const interpret = (): InterpretedLower => {
			interpreted++;
			assert.ok(wrong, "right values are served by the fast path");
			return new InterpretedLower(lower);
		};
		const fast = generateLower(lower, interpret, false);
		if (fast === null) return rareShape(() => new InterpretedLower(lower).call(flat));
		generated++;
		return () => fast(...flat);
	});
});

check("a guest calls a guest", (type, encoding, other, seed) => {
	both(seed, new Dice(seed).once(2), (world, oracle) => {
		const signature = signatureOf(type);
		const values = new Dice(seed);
		const { params, paramSlots, paramsSpilled, resultSpilled } = signature;
		const flat = place(values, world, encoding, params, paramsSpilled ? null : paramSlots);
		if (resultSpilled) flat.push(values.once(5) ? randomFlat(values, "i32") : 2048);
		const run = core(world, seed + 1, signature, other, world.otherMemory);
		const target = world.options(other, values.once(2), world.otherMemory);
		const nestedBare = values.once(2) ? null : { turn: world.turn, core: run, realloc: target.realloc };
		const instance = world.other;
		const lift: Lift = { type, core: run, nested: run, nestedBare, options: target, instance, bare: null };
		const slow = new InterpretedLift(lift);
		const callFrom = oracle ? null : generateNestedLift(lift);
		const guest = {
			callee: callFrom === null ? slow : { callFrom },
			entered: world.other.enteredFrom(world.instance),
		};
		const callee = { type, call: () => assert.fail("called as the host does") };
		const lower: Lower = { type, callee, guest, options: world.options(encoding, false), instance: world.instance };
		if (oracle) return () => new InterpretedLower(lower).call(flat);
		const fast = generateLower(lower, () => assert.fail("interpreted"), false);
		if (fast === null) return rareShape(() => new InterpretedLower(lower).call(flat));
		generated++;
		return () => fast(...flat);
	});
});

/** Without what makes two stores' resources differ. */
function plain(value: unknown): unknown {
	if (GuestResource.is(value)) return { rep: GuestResource.repOf(value) };
	if (Array.isArray(value)) return value.map(plain);
	if (value instanceof Map) return new Map([...value].map(([k, v]) => [k, plain(v)]));
	if (ArrayBuffer.isView(value)) return value;
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
}
