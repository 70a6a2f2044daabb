import assert from "node:assert/strict";
import { test } from "node:test";
import { SkerryError, Trap } from "../fault/mod.ts";
import { createGuest, func, type Guest, lowerSync, t } from "./guest.fixture.ts";
import { canonLift, type CanonicalOptions, type CoreValue, hostFunction } from "./mod.ts";

type Encoding = CanonicalOptions["encoding"];
const TAG = 2 ** 31;
const takes = func([t("string")]);
const gives = func([], t("string"));

function encode(encoding: "utf8" | "utf16" | "latin1", text: string): Uint8Array {
	if (encoding === "utf8") return new TextEncoder().encode(text);
	if (encoding === "latin1") return Uint8Array.from(text, (char) => char.charCodeAt(0));
	return new Uint8Array(Uint16Array.from(text.split(""), (unit) => unit.charCodeAt(0)).buffer);
}

/** A core function that takes a string; `read` returns the bytes that arrived and the length as it was told. */
function receiver(guest: Guest): {
	core: (...flat: CoreValue[]) => undefined;
	read: () => { bytes: Uint8Array; length: number };
} {
	let pointer = 0;
	let length = 0;
	return {
		core: (p, l) => {
			pointer = Number(p) >>> 0;
			length = Number(l) >>> 0;
		},
		read: () => ({ bytes: new Uint8Array(guest.memory.buffer).slice(pointer), length }),
	};
}

/** Old size, alignment and new size of each call of realloc. */
function sizes(guest: Guest): (readonly number[])[] {
	return guest.reallocs.map(([, old, alignment, size]) => [old!, alignment!, size!]);
}

interface Way {
	/** `latin1` and `tagged` are the two forms of the encoding latin1+utf16. */
	readonly from: "host" | "utf8" | "utf16" | "latin1" | "tagged";
	readonly to: Encoding;
	readonly text: string;
	readonly arrives: "utf8" | "utf16" | "latin1";
	readonly length: number;
	readonly reallocs: readonly (readonly number[])[];
}

const WAYS: Way[] = [
	// to utf8
	{ from: "host", to: "utf8", text: "abc", arrives: "utf8", length: 3, reallocs: [[0, 1, 3]] },
	{ from: "host", to: "utf8", text: "", arrives: "utf8", length: 0, reallocs: [[0, 1, 0]] },
	{
		from: "host",
		to: "utf8",
		text: "hö☃🍰",
		arrives: "utf8",
		length: 10,
		reallocs: [[0, 1, 10]],
	},
	{
		from: "host",
		to: "utf8",
		text: "☃☃",
		arrives: "utf8",
		length: 6,
		reallocs: [[0, 1, 6]],
	},
	{ from: "utf8", to: "utf8", text: "hö☃🍰", arrives: "utf8", length: 10, reallocs: [[0, 1, 10]] },
	{
		from: "utf16",
		to: "utf8",
		text: "aö",
		arrives: "utf8",
		length: 3,
		reallocs: [
			[0, 1, 2],
			[2, 1, 6],
			[6, 1, 3],
		],
	},
	{
		from: "latin1",
		to: "utf8",
		text: "aö",
		arrives: "utf8",
		length: 3,
		reallocs: [
			[0, 1, 2],
			[2, 1, 4],
			[4, 1, 3],
		],
	},
	{
		from: "tagged",
		to: "utf8",
		text: "a☃",
		arrives: "utf8",
		length: 4,
		reallocs: [
			[0, 1, 2],
			[2, 1, 6],
			[6, 1, 4],
		],
	},
	// to utf16
	{ from: "host", to: "utf16", text: "hö☃🍰", arrives: "utf16", length: 5, reallocs: [[0, 2, 10]] },
	{ from: "utf16", to: "utf16", text: "hö☃🍰", arrives: "utf16", length: 5, reallocs: [[0, 2, 10]] },
	{ from: "latin1", to: "utf16", text: "hö", arrives: "utf16", length: 2, reallocs: [[0, 2, 4]] },
	{ from: "tagged", to: "utf16", text: "☃", arrives: "utf16", length: 1, reallocs: [[0, 2, 2]] },
	{ from: "utf8", to: "utf16", text: "abc", arrives: "utf16", length: 3, reallocs: [[0, 2, 6]] },
	{
		from: "utf8",
		to: "utf16",
		text: "hö☃🍰",
		arrives: "utf16",
		length: 5,
		reallocs: [
			[0, 2, 20],
			[20, 2, 10],
		],
	},
	// to latin1+utf16
	{ from: "host", to: "latin1+utf16", text: "hö", arrives: "latin1", length: 2, reallocs: [[0, 2, 2]] },
	{
		from: "host",
		to: "latin1+utf16",
		text: "hö☃🍰",
		arrives: "utf16",
		length: TAG + 5,
		reallocs: [
			[0, 2, 5],
			[5, 2, 10],
		],
	},
	{
		from: "utf8",
		to: "latin1+utf16",
		text: "hö",
		arrives: "latin1",
		length: 2,
		reallocs: [
			[0, 2, 3],
			[3, 2, 2],
		],
	},
	{
		from: "utf8",
		to: "latin1+utf16",
		text: "hö☃",
		arrives: "utf16",
		length: TAG + 3,
		reallocs: [
			[0, 2, 6],
			[6, 2, 12],
			[12, 2, 6],
		],
	},
	{ from: "latin1", to: "latin1+utf16", text: "hö", arrives: "latin1", length: 2, reallocs: [[0, 2, 2]] },
	{ from: "tagged", to: "latin1+utf16", text: "h☃", arrives: "utf16", length: TAG + 2, reallocs: [[0, 2, 4]] },
	{
		from: "tagged",
		to: "latin1+utf16",
		text: "AB",
		arrives: "latin1",
		length: 2,
		reallocs: [
			[0, 2, 4],
			[4, 2, 2],
		],
	},
];

for (const way of WAYS) {
	test(`rule 22: ${JSON.stringify(way.text)} from ${way.from} to ${way.to}`, async () => {
		const target = await createGuest();
		const { core, read } = receiver(target);
		const lifted = canonLift(takes, core, target.options({ encoding: way.to }), target.instance);
		if (way.from === "host") {
			lifted.call([way.text]);
		} else {
			const source = await createGuest("", {}, target.store);
			const form = way.from === "tagged" ? "utf16" : way.from;
			const encoding = way.from === "latin1" || way.from === "tagged" ? "latin1+utf16" : way.from;
			const bytes = encode(form, way.text);
			new Uint8Array(source.memory.buffer).set(bytes, 64);
			const units = form === "utf16" ? bytes.length / 2 : bytes.length;
			const options = source.options({ encoding, realloc: null });
			// The length as core code passes it: an i32 of either sign.
			lowerSync(takes, lifted, options, source.instance)(64, way.from === "tagged" ? (units + TAG) | 0 : units);
		}
		const expected = encode(way.arrives, way.text);
		const { bytes, length } = read();
		assert.deepEqual(bytes.slice(0, expected.length), expected);
		assert.equal(length, way.length);
		assert.deepEqual(sizes(target), way.reallocs);
	});
}

const BAD: [what: string, encoding: Encoding, pointer: number, length: number, bytes: number[], message: RegExp][] = [
	["a byte that never occurs", "utf8", 64, 1, [0xff], /^invalid utf-8$/],
	["an overlong form", "utf8", 64, 2, [0xc0, 0x80], /^invalid utf-8$/],
	["a surrogate", "utf8", 64, 3, [0xed, 0xa0, 0x80], /^invalid utf-8$/],
	["beyond U+10FFFF", "utf8", 64, 4, [0xf4, 0x90, 0x80, 0x80], /^invalid utf-8$/],
	["an unfinished sequence", "utf8", 64, 1, [0xc3], /^incomplete utf-8 byte sequence$/],
	["an unfinished sequence after 40 bytes", "utf8", 24, 41, [0xc3], /^incomplete utf-8/],
	["a high surrogate alone", "utf16", 64, 1, [0x3c, 0xd8], /unpaired surrogate/],
	["a low surrogate alone", "utf16", 64, 1, [0x70, 0xdf], /unpaired surrogate/],
	["surrogates swapped", "utf16", 64, 2, [0x70, 0xdf, 0x3c, 0xd8], /unpaired surrogate/],
	["a high surrogate alone, tagged", "latin1+utf16", 64, TAG + 1, [0x3c, 0xd8], /unpaired surrogate/],
	["a pointer outside, length 0", "utf8", 0xdeadbeef, 0, [], /string pointer\/length out of bounds of memory/],
	["one byte outside", "utf8", 65535, 2, [], /string content out-of-bounds/],
	["a length near 2^28", "utf8", 64, 2 ** 28 - 1, [], /string content out-of-bounds/],
	["a length of 2^28", "utf8", 64, 2 ** 28, [], /longer than 2\^28 - 1/],
	["a length near 2^32", "utf8", 64, 2 ** 32 - 1, [], /longer than 2\^28 - 1/],
	["a length near 2^32", "utf16", 64, 2 ** 32 - 1, [], /longer than 2\^28 - 1/],
	["an odd pointer, length 0", "utf16", 1, 0, [], /unaligned pointer/],
	["an odd pointer, latin1", "latin1+utf16", 1, 0, [], /unaligned pointer/],
	["an odd pointer, tagged", "latin1+utf16", 1, TAG, [], /unaligned pointer/],
];

for (const [what, encoding, pointer, length, bytes, message] of BAD) {
	test(`rules 22 and 25: ${encoding} with ${what} traps`, async () => {
		const guest = await createGuest();
		new Uint8Array(guest.memory.buffer).set(bytes, 64);
		const view = new DataView(guest.memory.buffer);
		view.setUint32(16, pointer, true);
		view.setUint32(20, length, true);
		const lifted = canonLift(gives, () => 16, guest.options({ encoding }), guest.instance);
		assert.throws(
			() => lifted.call([]),
			(error) => error instanceof Trap && message.test(error.message),
		);
		assert.ok(guest.store.poison instanceof Trap);
	});
}

test("strings are lifted from each encoding, short and long, with a byte order mark kept", async () => {
	const texts = ["", "a", "\uFEFFa", "hö", "x".repeat(23), "x".repeat(24), `${"x".repeat(25)}ö`, "ÿ".repeat(10_000)];
	for (const text of [...texts, "☃🍰", "🍰".repeat(50)]) {
		for (const form of ["utf8", "utf16", "latin1", "tagged"] as const) {
			if (form === "latin1" && /[^\0-ÿ]/u.test(text)) continue;
			const guest = await createGuest();
			const bytes = encode(form === "tagged" ? "utf16" : form, text);
			new Uint8Array(guest.memory.buffer).set(bytes, 64);
			const units = form === "utf8" || form === "latin1" ? bytes.length : bytes.length / 2;
			const view = new DataView(guest.memory.buffer);
			view.setUint32(16, 64, true);
			view.setUint32(20, form === "tagged" ? units + TAG : units, true);
			const encoding = form === "latin1" || form === "tagged" ? "latin1+utf16" : form;
			assert.equal(canonLift(gives, () => 16, guest.options({ encoding }), guest.instance).call([]), text);
		}
	}
});

test("short strings are lifted from anywhere in memory, up to its end", async () => {
	const guest = await createGuest();
	const lifted = canonLift(gives, () => 16, guest.options(), guest.instance);
	const bytes = new Uint8Array(guest.memory.buffer);
	const view = new DataView(guest.memory.buffer);
	for (let length = 0; length <= 20; length++) {
		const plain = "abcdefghijklmnopqrst".slice(0, length);
		for (const text of [plain, `${plain}ö`, `ö${plain}`]) {
			const encoded = encode("utf8", text);
			for (const pointer of [64, bytes.length - encoded.length]) {
				bytes.fill(0xff, 64);
				bytes.set(encoded, pointer);
				view.setUint32(16, pointer, true);
				view.setUint32(20, encoded.length, true);
				assert.equal(lifted.call([]), text, `at ${pointer}`);
			}
		}
	}
});

test("a string that a host returns is lowered through the lowering side's realloc, across growth of the memory", async () => {
	const guest = await createGuest();
	const text = "ö".repeat(100_000);
	const lowered = lowerSync(
		gives,
		hostFunction(gives, () => text),
		guest.options(),
		guest.instance,
	);
	assert.equal(lowered(16), undefined);
	const view = new DataView(guest.memory.buffer);
	const [pointer, length] = [view.getUint32(16, true), view.getUint32(20, true)];
	assert.equal(length, 200_000);
	assert.equal(new TextDecoder().decode(new Uint8Array(guest.memory.buffer, pointer, length)), text);
});

test("strings of a host take one call of realloc, whichever unit is the first that is not ASCII", async () => {
	const piece = 2 ** 18;
	const ascii = (units: number): string => "abcdefg".repeat(Math.ceil(units / 7)).slice(0, units);
	for (const units of [24, 25, piece, piece + 1, 2 * piece, 2 * piece + 30]) {
		for (const other of [-1, 0, 23, 24, piece - 1, piece, piece + 1, 2 * piece, units - 1]) {
			if (other >= units) continue;
			const text = other < 0 ? ascii(units) : `${ascii(other)}ö${ascii(units - other - 1)}`;
			const guest = await createGuest();
			const { core, read } = receiver(guest);
			const lifted = canonLift(takes, core, guest.options(), guest.instance);
			// Once more, where another text of that length came in between
			for (const each of [text, ascii(units), text]) lifted.call([each]);
			const { bytes, length } = read();
			assert.equal(length, other < 0 ? units : units + 1);
			assert.equal(new TextDecoder().decode(bytes.subarray(0, length)), text);
			const size = other < 0 ? units : units + 1;
			assert.deepEqual(sizes(guest), [
				[0, 1, size],
				[0, 1, units],
				[0, 1, size],
			]);
		}
	}
});

test("lone surrogates of a host are refused before the guest is entered", async () => {
	const guest = await createGuest();
	const lifted = canonLift(takes, () => undefined, guest.options(), guest.instance);
	for (const text of ["a\ud83c", `${"a".repeat(30)}\ud83c`, `\ud83c${"a".repeat(2 ** 18)}`]) {
		assert.throws(
			() => lifted.call([text]),
			(error) => error instanceof SkerryError && error.code === "call/bad-value",
		);
	}
	assert.equal(guest.reallocs.length, 0);
	assert.equal(guest.instance.entered, false);
});
