import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { CollectingSink } from "./memory-stream.ts";
import { TailSink } from "./tail-sink.ts";

suite("the end of what is written", () => {
	const cases: readonly (readonly [string, readonly string[], string | undefined])[] = [
		["nothing", [], undefined],
		["empty writes", ["", ""], undefined],
		["one line", ["gone wrong\n"], "gone wrong"],
		["empty lines at its end", ["a\n\nb\n\n"], "a\n\nb"],
		["its line ends as on Windows", ["a\r\nb\r\n"], "a\r\nb"],
		["exactly as much as is kept", ["0123456789", "abcde\n"], "0123456789abcde"],
		["one byte more", ["0123456789", "abcdef\n"], "…123456789abcdef"],
		["whole lines only", ["first\nsecond\n", "third\n"], "…\nsecond\nthird"],
		["a write that is longer than all", ["before\n", "x".repeat(100), "\nlast\n"], "…\nlast"],
		["a line that is longer than all", ["a".repeat(40)], `…${"a".repeat(16)}`],
		["no half characters", ["x" + "ä".repeat(9)], `…${"ä".repeat(8)}`],
		["no quarters of one", ["😀".repeat(4) + "abc"], "…😀😀😀abc"],
		["many small writes", Array.from({ length: 1000 }, (_, i) => `${i % 10}`), "…4567890123456789"],
	];
	for (const [name, writes, text] of cases)
		test(name, () => {
			const inner = new CollectingSink();
			const tail = new TailSink(inner, 16);
			for (const write of writes) tail.write(new TextEncoder().encode(write));
			assert.deepEqual([tail.text(), inner.text()], [text, writes.join("")]);
			tail.forget();
			assert.equal(tail.text(), undefined);
			tail.write(new TextEncoder().encode("anew"));
			assert.equal(tail.text(), "anew");
		});
});
