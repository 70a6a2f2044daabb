/** Two guests of random types, of which one calls the other with random values: some are out of range, and some callees lie. */
import { PassedSides } from "../abi/mod.ts";
import { call, link } from "./guest.fixture.ts";
import { instantiate } from "./instance/instantiate.ts";

const PAGE = 0x1_0000;
const INTEGERS = { u8: 1, s8: 1, u16: 2, s16: 2, u32: 4, s32: 4, u64: 8, s64: 8 } as const;
const SCALARS = ["bool", ...Object.keys(INTEGERS), "f32", "f64"];
/** What the caller has in its memory, and where. */
const REGIONS = { ascii: 0, utf8: 0x4000, any: 0x8000 } as const;
const CALLS = 6;

/** Numbers from a seed: xorshift. */
class Random {
	#state: number;

	constructor(seed: number) {
		this.#state = Math.imul(seed + 1, 0x9e37_79b1) | 1;
		for (let i = 0; i < 4; i++) this.below(2);
	}

	below(end: number): number {
		let s = this.#state;
		s ^= s << 13;
		s ^= s >>> 17;
		s ^= s << 5;
		this.#state = s;
		return (s >>> 0) % end;
	}

	once(times: number): boolean {
		return this.below(times) === 0;
	}

	pick<T>(items: readonly T[]): T {
		return items[this.below(items.length)]!;
	}
}

interface Param {
	readonly type: string;
	/** Core types. */
	readonly slots: readonly string[];
	/** Bytes of an element; 0 where it is a scalar. */
	readonly size: number;
}

const slotOf = (kind: string): string =>
	kind === "u64" || kind === "s64" ? "i64" : kind === "f32" || kind === "f64" ? kind : "i32";

function param(random: Random): Param {
	if (random.once(3)) return { type: "string", slots: ["i32", "i32"], size: 1 };
	if (random.once(2)) {
		const [kind, size] = random.pick(Object.entries(INTEGERS));
		return { type: `(list ${kind})`, slots: ["i32", "i32"], size };
	}
	const kind = random.pick(SCALARS);
	return { type: kind, slots: [slotOf(kind)], size: 0 };
}

/** An i32 of what a local has. */
function mixed(slot: string, get: string): string {
	switch (slot) {
		case "i32":
			return get;
		case "f32":
			return `(i32.reinterpret_f32 ${get})`;
		case "f64":
			return mixed("i64", `(i64.reinterpret_f64 ${get})`);
		default:
			return `(i32.wrap_i64 (i64.xor ${get} (i64.shr_u ${get} (i64.const 32))))`;
	}
}

function constant(random: Random, slot: string): string {
	if (slot === "f32") return `(f32.reinterpret_i32 (i32.const ${random.pick([0, 0x7fa0_0001, -1, 0x3fc0_0000])}))`;
	if (slot === "f64") return `(f64.reinterpret_i64 (i64.const ${random.pick(["0", "0x7ff4000000000001", "-1", "1"])}))`;
	return `(${slot}.const ${random.pick([0, 1, 2, 200, 0x1ff, 0x1_fffe, -1, -2, 0x7fff_ffff])})`;
}

/** JavaScript does not keep the bits of a NaN, which only post-return is to see as they were. */
function returns(random: Random, slot: string, post: boolean): string {
	return post && slot.startsWith("f") ? `(${slot}.const ${random.pick(["-0", "1.5", "inf"])})` : constant(random, slot);
}

function range(random: Random, size: number): string {
	const base = random.pick([REGIONS.ascii, REGIONS.ascii, REGIONS.ascii, REGIONS.utf8, REGIONS.any]);
	let pointer = base + 8 * random.below(16);
	let length = random.pick([0, 1, 3, 16, 60, 100, 500]);
	if (random.once(12)) pointer += 1 + random.below(7);
	if (random.once(12)) pointer = PAGE - size * length + random.pick([0, 0, size, 1]);
	const wrong: readonly (readonly [number, number])[] = [
		[-1, 1],
		[PAGE, 0],
		[PAGE + 8, 0],
		[0, -1],
		[8, 0x2000_0001],
	];
	if (random.once(40)) [pointer, length] = random.pick(wrong);
	return `(i32.const ${pointer}) (i32.const ${length})`;
}

const MIX = (value: string): string => `(global.set $h (i32.add (i32.mul (global.get $h) (i32.const 31)) ${value}))`;

function write(seed: number): string {
	const random = new Random(seed);
	const params = Array.from({ length: 1 + random.below(5) }, () => param(random));
	const result = random.once(4) ? null : random.pick(SCALARS);
	const returned = result === null ? null : slotOf(result);
	const type = `${params.map(({ type: each }, i) => `(param "p${i}" ${each})`).join(" ")} ${result === null ? "" : `(result ${result})`}`;
	const slots = params.flatMap((each) => each.slots);
	const core = `(param ${slots.join(" ")}) ${returned === null ? "" : `(result ${returned})`}`;
	const post = random.once(2);
	let at = 0;
	const seen = params.map(({ slots: own, size }) => {
		const first = at;
		at += own.length;
		const mix = own.map((slot, i) => MIX(mixed(slot, `(local.get ${first + i})`))).join("\n");
		if (size === 0) return mix;
		const bytes = `(i32.mul (local.get ${first + 1}) (i32.const ${size}))`;
		return `${mix} (call $hash (local.get ${first}) ${bytes})`;
	});
	const lie = random.pick(["(i32.const -8)", "unreachable", `(i32.const ${PAGE - 3})`, "(i32.const 57)", "(throw $e)"]);
	const lies = random.once(4)
		? `(if (i32.eq (local.get 3) (i32.const ${random.pick([3, 60, 100, 400, 0])})) (then (return ${lie})))`
		: "";
	const ends = random.once(16) ? random.pick(["unreachable", "(throw $e)"]) : "";
	const bits = result === "f32" ? "(i32.reinterpret_f32 " : result === "f64" ? "(i64.reinterpret_f64 " : "(";
	const outer = result === null ? "" : `(result ${result === "f32" ? "u32" : result === "f64" ? "u64" : result})`;
	const outerCore =
		returned === null ? "" : `(result ${returned === "f32" ? "i32" : returned === "f64" ? "i64" : returned})`;
	const runs = Array.from({ length: CALLS }, (_, i) => {
		const args = params.map(({ slots: own, size }) => (size === 0 ? constant(random, own[0]!) : range(random, size)));
		const calling = `call $f ${args.join(" ")}`;
		const body = bits === "(" ? `(${calling})` : `${bits}(${calling}))`;
		return {
			core: `(func (export "run${i}") ${outerCore} ${body})`,
			lift: `(func (export "run${i}") ${outer} (canon lift (core func $i "run${i}")))`,
		};
	});
	const data = (from: number, text: string): string => `(data (i32.const ${from}) "${text}")`;
	const any = Array.from(
		{ length: 4096 },
		() => `\\${(random.below(3) === 0 ? random.below(256) : random.below(128)).toString(16).padStart(2, "0")}`,
	);
	return `(component
	(component $callee
		(core module $m
			(memory (export "memory") 1)
			(tag $e)
			(global $h (mut i32) (i32.const 17))
			(global $next (mut i32) (i32.const ${random.pick([1024, PAGE - 300])}))
			(func $hash (param $p i32) (param $n i32)
				(block $out (loop $more
					(br_if $out (i32.eqz (local.get $n)))
					${MIX("(i32.load8_u (local.get $p))")}
					(i32.store8 (local.get $p) (i32.const 0x5a))
					(local.set $p (i32.add (local.get $p) (i32.const 1)))
					(local.set $n (i32.sub (local.get $n) (i32.const 1)))
					(br $more))))
			(func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
				${[0, 1, 2, 3].map((i) => MIX(`(local.get ${i})`)).join("\n")}
				${lies}
				(local.set $p (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
				(global.set $next (i32.add (local.get $p) (local.get 3)))
				(if (i32.gt_u (global.get $next) (i32.shl (memory.size) (i32.const 16)))
					(then (drop (memory.grow (i32.const 1)))))
				(local.get $p))
			(func (export "f") ${core}
				${seen.join("\n")}
				${ends}
				${returned === null ? "" : returns(random, returned, post)})
			(func (export "post") ${returned === null ? "" : `(param ${returned})`}
				${MIX(returned === null ? "(i32.const 5)" : mixed(returned, "(local.get 0)"))})
			(func (export "hash") (result i32) (global.get $h)))
		(core instance $i (instantiate $m))
		(func (export "f") ${type} (canon lift (core func $i "f") (memory (core memory $i "memory"))
			(realloc (core func $i "realloc")) ${post ? '(post-return (core func $i "post"))' : ""}))
		(func (export "hash") (result u32) (canon lift (core func $i "hash"))))
	(instance $callee (instantiate $callee))
	(component $caller
		(import "f" (func $f ${type}))
		(core module $memory (memory (export "memory") 1)
			${data(REGIONS.ascii, "plain text ".repeat(400))}
			${data(REGIONS.utf8, "gr\\c3\\bc\\c3\\9fe\\e2\\82\\ac\\f0\\9f\\92\\a9 ".repeat(200))}
			${data(REGIONS.any, any.join(""))})
		(core instance $mem (instantiate $memory))
		(core func $f' (canon lower (func $f) (memory (core memory $mem "memory"))))
		(core module $m
			(import "" "f" (func $f ${core}))
			${runs.map((run) => run.core).join("\n")})
		(core instance $i (instantiate $m (with "" (instance (export "f" (func $f'))))))
		${runs.map((run) => run.lift).join("\n")})
	(instance $caller (instantiate $caller (with "f" (func $callee "f"))))
	${runs.map((_, i) => `(export "run${i}" (func $caller "run${i}"))`).join("\n")}
	(export "hash" (func $callee "hash")))`;
}

/** What the calls of a seed return, or trap with, and what the callee has seen after each. */
export interface Outcome {
	readonly calls: readonly string[];
	/** Calls that asked whether they may go without JavaScript. */
	readonly asked: number;
}

async function outcomeOf(call: Promise<unknown>): Promise<string> {
	try {
		const value = await call;
		return typeof value === "bigint" ? `${value}n` : Object.is(value, -0) ? "-0" : String(value);
	} catch (error) {
		return `${(error as Error).name}: ${(error as Error).message}`;
	}
}

/** @param direct whether calls may go in Wasm; otherwise all go through JavaScript */
export async function outcomeOfSeed(seed: number, direct: boolean): Promise<Outcome> {
	const linked = await link(write(seed));
	const plan = direct ? linked.plan : { ...linked.plan, leaves: linked.plan.leaves.map(() => false) };
	const limits = seed % 11 === 0 ? { values: 300 } : seed % 7 === 0 ? { hostCalls: 9 } : {};
	let asked = 0;
	const { prototype } = PassedSides;
	const asItWas = Object.getOwnPropertyDescriptor(prototype, "mayEnter")!;
	const mayEnter = asItWas.value as typeof prototype.mayEnter;
	prototype.mayEnter = function (most) {
		asked++;
		return mayEnter.call(this, most);
	};
	try {
		const instance = instantiate({ ...linked, plan }, undefined, limits);
		const calls: string[] = [];
		// Some ways are only made for what is used often.
		const times = seed % 23 === 0 ? 60 : 2;
		for (let i = 0; i < CALLS * times; i++) {
			const outcome = await outcomeOf(call(instance, `run${i % CALLS}`));
			calls.push(
				`run${i % CALLS}: ${outcome}, ${await outcomeOf(call(instance, "hash"))}, ${instance.usage.hostCalls}`,
			);
			if (outcome.includes("cannot enter")) break;
		}
		return { calls, asked };
	} finally {
		Object.defineProperty(prototype, "mayEnter", asItWas);
	}
}

// In a process that allows no code from strings, the interpreter serves: see the test.
if (process.argv[2] === "interpret") {
	const [first, count] = process.argv.slice(3).map(Number) as [number, number];
	const all: (readonly string[])[] = [];
	for (let seed = first; seed < first + count; seed++) all.push((await outcomeOfSeed(seed, false)).calls);
	process.stdout.write(JSON.stringify(all));
}
