import assert from "node:assert/strict";
import { it } from "node:test";
import { parse } from "smol-toml";
import { findKeyLines } from "./key-lines.ts";

it("finds the line of every key, through tables, arrays of tables, dotted and quoted keys, and texts of several lines", () => {
	const text = `# a comment
top = 1
dotted.key = 2

[a]
"quo ted" = '''
[not.a.header]
k = 1
'''
after = 3
[[list]]
x = 1
[list.inner]
y = 2
[[list.deep]]
[[list.deep]]
z = { p = 1, q = 2 }
[[list]]
x = [
  1,

  2, # two
]
w = 1`;
	parse(text);
	assert.deepEqual(
		[...findKeyLines(text)],
		[
			["top", 2],
			["dotted", 3],
			["dotted.key", 3],
			["a", 5],
			['a."quo ted"', 6],
			["a.after", 10],
			["list", 11],
			["list[0]", 11],
			["list[0].x", 12],
			["list[0].inner", 13],
			["list[0].inner.y", 14],
			["list[0].deep", 15],
			["list[0].deep[0]", 15],
			["list[0].deep[1]", 16],
			["list[0].deep[1].z", 17],
			["list[1]", 18],
			["list[1].x", 19],
			["list[1].w", 24],
		],
	);
});
