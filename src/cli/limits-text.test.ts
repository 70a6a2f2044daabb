import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import { LIMIT_NAMES } from "../fault/mod.ts";
import { describeLimits, tableOfLimits } from "./limits-text.ts";

const DOCUMENT = new URL("../../docs/limits.md", import.meta.url);
const TABLE = /(?<=<!-- limits: [^\n]*\n)[^]*(?=\n<!-- \/limits -->)/;

test("the document has the table as it is", () => {
	const text = readFileSync(DOCUMENT, "utf8");
	const current = text.replace(TABLE, () => tableOfLimits());
	if (process.env["SKERRY_BLESS"] === "1") writeFileSync(DOCUMENT, current);
	else assert.equal(text, current, "docs/limits.md is out of date: SKERRY_BLESS=1 npm test -- src/cli");
	assert.match(text, TABLE);
});

test("every limit is listed, with its default", () => {
	const text = describeLimits();
	for (const name of LIMIT_NAMES) assert.match(text, new RegExp(`^  --limit\\.${name} `, "m"));
	assert.match(text, /--limit\.memory +256 MiB/);
	assert.match(text, /--limit\.fuel +none/);
});
