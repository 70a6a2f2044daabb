import { Writer } from "../../bytes/mod.ts";

const PREAMBLE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** A module of several functions of one type, of which the first is exported. */
function functionsOf(bodies: readonly Writer[], tables: Writer | undefined, exports: Writer | undefined): Uint8Array {
	const out = new Writer().raw(PREAMBLE);
	out.section(1, new Writer().u32(1).u8(0x60).u8(0).u8(0));
	const functions = new Writer().u32(bodies.length);
	for (let i = 0; i < bodies.length; i++) functions.u32(0);
	out.section(3, functions);
	if (tables !== undefined) out.section(4, tables);
	out.section(7, exports ?? new Writer().u32(1).name("f").u8(0).u32(0));
	const code = new Writer().u32(bodies.length);
	for (const body of bodies) code.sized(new Writer().u32(0).raw(body.finish()).u8(0x0b).finish());
	return out.section(10, code).finish();
}

/** A module of one function without parameters or results, and what it holds; `before` are sections that stand before the code, `after` those behind it. */
function moduleOf(code: Writer, before: Writer = new Writer(), after: Writer = new Writer()): Uint8Array {
	const out = new Writer().raw(PREAMBLE);
	// One type, one function of it, exported
	out.section(1, new Writer().u32(1).u8(0x60).u8(0).u8(0));
	out.section(3, new Writer().u32(1).u32(0));
	out.section(5, new Writer().u32(1).u8(0).u32(1));
	out.section(7, new Writer().u32(1).name("f").u8(0).u32(0));
	out.raw(before.finish());
	const body = new Writer().u32(0).raw(code.finish()).u8(0x0b);
	out.section(10, new Writer().u32(1).sized(body.finish()));
	return out.raw(after.finish()).finish();
}

const times = (count: number, write: (i: number) => void): void => {
	for (let i = 0; i < count; i++) write(i);
};

/** Of a type of a function. */
const MOST_VALUES = 1000;

const BLOCK = [0x02, 0x40];
const LOOP = [0x03, 0x40];
const END = 0x0b;
const bytes = (out: Writer, ...items: readonly number[]): Writer => out.raw(Uint8Array.from(items));

/** Code of which each part costs little by itself, and much to whoever looks at all the others for each: `n` parts. */
export const LARGE: Readonly<Record<string, (n: number) => Uint8Array>> = {
	"branches out of deep blocks": (n) => {
		const out = new Writer();
		times(n, () => bytes(out, ...BLOCK));
		// br_if to the outermost, from the innermost
		times(n, () => bytes(out, 0x41, 0, 0x0d).u32(n - 1));
		times(n, () => out.u8(END));
		return moduleOf(out);
	},
	"branches out of a loop in deep blocks": (n) => {
		const out = new Writer();
		times(n, () => bytes(out, ...BLOCK));
		bytes(out, ...LOOP);
		times(n, () => bytes(out, 0x41, 0, 0x0d).u32(n));
		out.u8(END);
		times(n, () => out.u8(END));
		return moduleOf(out);
	},
	"loops in deep blocks": (n) => {
		const out = new Writer();
		bytes(out, ...LOOP);
		times(n, () => bytes(out, ...BLOCK));
		times(n, () => bytes(out, ...LOOP, 0x41, 0, 0x0d, 0, END));
		times(n, () => out.u8(END));
		out.u8(END);
		return moduleOf(out);
	},
	"loops in loops": (n) => {
		const out = new Writer();
		times(n, () => bytes(out, ...LOOP));
		times(n, () => bytes(out, 0x41, 0, 0x0d).u32(n - 1));
		times(n, () => bytes(out, 0x41, 0, 0x0d, 0, END));
		return moduleOf(out);
	},
	"arms in arms": (n) => {
		const out = new Writer();
		times(n, () => bytes(out, 0x41, 0, 0x04, 0x40));
		times(n, () => bytes(out, 0x05, 0x41, 0, 0x1a, END));
		return moduleOf(out);
	},
	"returns and throws in deep blocks": (n) => {
		const out = new Writer();
		times(n, () => bytes(out, ...BLOCK));
		times(n, () => bytes(out, 0x41, 0, 0x04, 0x40, 0x0f, END));
		times(n, () => bytes(out, 0x1f, 0x40, 1, 0x02).u32(n).u8(END));
		times(n, () => out.u8(END));
		return moduleOf(out);
	},
	"tables of branches": (n) => {
		const out = new Writer();
		times(n, () => bytes(out, ...BLOCK));
		times(20, () => {
			bytes(out, ...BLOCK, 0x41, 0, 0x0e).u32(n);
			times(n + 1, (i) => out.u32(i));
			out.u8(END);
		});
		times(n, () => out.u8(END));
		return moduleOf(out);
	},
	"branches that take along as many values as there may be": (n) => {
		const types = new Writer().u32(3).u8(0x60).u8(0).u8(0);
		const values = Uint8Array.from({ length: MOST_VALUES }, () => 0x7f);
		types.u8(0x60).u8(0).u32(MOST_VALUES).raw(values);
		types.u8(0x60).u32(MOST_VALUES).raw(values).u32(MOST_VALUES).raw(values);
		const code = new Writer();
		const drop = (): void => times(MOST_VALUES, () => code.u8(0x1a));
		times(MOST_VALUES, () => bytes(code, 0x41, 0));
		// Blocks in blocks, all of these parameters and results: tables of branches out of them
		const depth = Math.min(n, 40);
		times(depth, () => bytes(code, 0x02, 2));
		times(Math.ceil(n / 2_000), () => {
			bytes(code, 0x02, 2, 0x41, 0, 0x0e).u32(n);
			times(n + 1, (i) => code.u32(i % (depth + 1)));
			code.u8(END);
		});
		times(depth, () => code.u8(END));
		drop();
		const out = new Writer().raw(PREAMBLE).section(1, types).section(3, new Writer().u32(1).u32(0));
		out.section(7, new Writer().u32(1).name("f").u8(0).u32(0));
		return out.section(10, new Writer().u32(1).sized(new Writer().u32(0).raw(code.finish()).u8(END).finish())).finish();
	},
	"branch hints": (n) => {
		const out = new Writer();
		const hints = new Writer();
		times(n, (i) => {
			bytes(out, ...LOOP, 0x41, 0, 0x0d, 0, END);
			// Behind the count of locals, and `loop` and `i32.const` of its own
			hints
				.u32(1 + 7 * i + 4)
				.u32(1)
				.u8(0);
		});
		const content = new Writer().name("metadata.code.branch_hint").u32(1).u32(0).u32(n).raw(hints.finish());
		return moduleOf(out, new Writer().section(0, content));
	},
	"drops of segments": (n) => {
		const out = new Writer();
		times(n, (i) => bytes(out, 0xfc, 0x09).u32(i));
		const data = new Writer().u32(n);
		times(n, () => bytes(data, 1, 0));
		return moduleOf(out, new Writer().section(12, new Writer().u32(n)), new Writer().section(11, data));
	},
	"data in segments": (n) => {
		const data = new Writer().u32(n);
		times(n, (i) => bytes(data, 0, 0x41).s32(i).u8(END).u8(1).u8(7));
		return moduleOf(bytes(new Writer(), ...LOOP, 0x0b), new Writer(), new Writer().section(11, data));
	},
	"calls of the next function": (n) =>
		functionsOf(
			Array.from({ length: n }, (_, i) => new Writer().u8(0x10).u32((i + 1) % n)),
			undefined,
			undefined,
		),
	"calls of all functions that call": (n) => {
		const all = new Writer();
		times(n, (i) => all.u8(0x10).u32(i));
		return functionsOf(
			Array.from({ length: n }, (_, i) => (i === n >> 1 ? all : new Writer().u8(0x10).u32(n >> 1))),
			undefined,
			undefined,
		);
	},
	"tables that are called through": (n) => {
		const code = new Writer();
		times(n, (i) => bytes(code, 0x41, 0, 0x11, 0).u32(i));
		const tables = new Writer().u32(n);
		times(n, () => bytes(tables, 0x70, 0, 0));
		const exports = new Writer().u32(n);
		times(n, (i) =>
			exports
				.name(`t${i}`)
				.u8(1)
				.u32(n - 1 - i),
		);
		return functionsOf([code], tables, exports);
	},
};
