import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { generateTypes, TYPES_FILE } from "./wit.ts";

test("the generated types are those of the installed WIT", async () => {
	const committed = readFileSync(TYPES_FILE, "utf8");
	assert.ok((await generateTypes()) === committed, "types.generated.ts is stale: run `node tools/wit.ts`");
});
