import assert from "node:assert/strict";
import { test } from "node:test";
import { printable } from "./terminal.ts";

test("text cannot steer the terminal", () => {
	const cases: readonly [string, string][] = [
		["plain ünïcode 漢字 😀\n\tindented", "plain ünïcode 漢字 😀\n\tindented"],
		["\x1b[31mred\x07", "\\u{1b}[31mred\\u{7}"],
		["\x9b2J\x7f\r\0", "\\u{9b}2J\\u{7f}\\u{d}\\u{0}"],
		["abc\u202Edef\u2066", "abc\\u{202e}def\\u{2066}"],
	];
	for (const [text, expected] of cases) assert.equal(printable(text), expected);
});
