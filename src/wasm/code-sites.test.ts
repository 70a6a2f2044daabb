import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { encodeSites, originOf } from "./code-sites.ts";
import { CodeWriter } from "./code-writer.ts";
import { type Code, encodeCode } from "./section/code.ts";
import { Writer } from "../bytes/mod.ts";

/** Code whose bytes each know where in the oldest code they come from. */
interface Traced {
	readonly code: Code;
	readonly origins: readonly number[];
}

/** An edit: how far behind the last it is, how many bytes it leaves out and puts in. */
type Edit = readonly [skip: number, removed: number, added: number];

function original(sizes: readonly number[]): Traced {
	let at = 3;
	const starts = sizes.map((size) => (at += size + 1) - size);
	const bytes = Uint8Array.from({ length: at }, (_, i) => i);
	return {
		code: {
			bytes,
			offset: 50,
			starts: Uint32Array.from(starts),
			ends: Uint32Array.from(starts, (start, i) => start + (sizes[i] ?? 0)),
		},
		origins: Array.from(bytes, (_, i) => i),
	};
}

function edit({ code, origins }: Traced, edits: readonly (readonly Edit[])[]): Traced {
	const writer = new CodeWriter(code);
	const made: number[] = [];
	for (const [body, start] of code.starts.entries()) {
		const end = code.ends[body] ?? 0;
		let at = start;
		writer.begin(start);
		for (const [skip, removed, added] of edits[body] ?? []) {
			if (at + skip + removed >= end) break;
			made.push(...origins.slice(at, at + skip));
			at += skip;
			if (removed === 0) writer.insert(at);
			else writer.replace(at, at + removed);
			for (let i = 0; i < added; i++) {
				writer.out.u8(0xff);
				made.push(origins[at] ?? -1);
			}
			at += removed;
		}
		made.push(...origins.slice(at, end));
		writer.finishBody(end);
	}
	return { code: writer.finish(), origins: made };
}

const pass = fc.array(fc.array(fc.tuple(fc.nat(6), fc.nat(3), fc.nat(5)), { maxLength: 8 }), { maxLength: 5 });

test("after any edits in up to three passes, each byte leads to where it was, and what was put in to what it stands for", () => {
	fc.assert(
		fc.property(
			fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 }),
			fc.array(pass, { minLength: 1, maxLength: 3 }),
			(sizes, passes) => {
				let traced = original(sizes);
				for (const edits of passes) traced = edit(traced, edits);
				const { code, origins } = traced;
				const { sites } = code;
				assert.ok(sites !== undefined);
				assert.deepEqual(
					origins.map((_, i) => originOf(sites, i)),
					origins,
				);
				// As it is encoded, with the sizes of bodies in between
				const writer = new Writer();
				encodeCode(writer, code);
				const moved = encodeSites(sites, code);
				let at = 0;
				for (const [body, start] of code.starts.entries()) {
					const size = (code.ends[body] ?? 0) - start;
					at += body === 0 ? 1 : 0;
					at += size < 128 ? 1 : 2;
					for (let i = 0; i < size; i++) assert.equal(originOf(moved, at + i), origins[start + i]);
					at += size;
				}
				assert.equal(at, writer.length);
			},
		),
		{ numRuns: 300 },
	);
});

test("code that someone has made by hand has no sites, nor has what is written from it", () => {
	const { code } = original([4]);
	const unknown = { bytes: code.bytes, offset: 0, starts: code.starts, ends: code.ends };
	const writer = new CodeWriter(unknown).begin(code.starts[0] ?? 0);
	writer.finishBody(code.ends[0] ?? 0);
	assert.equal(writer.finish().sites, undefined);
});
