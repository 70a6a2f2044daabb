/** Components for WASI 0.3, which is not supported yet: each is refused by name when it is loaded, none crashes or loads by halves. Those without it are in `p3-async.test.ts`. */
import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import path from "node:path";
import { suite, test } from "node:test";

import { Engine, SkerryError } from "../../src/index.ts";

const SUITE = path.resolve(import.meta.dirname, "../../../shared/suites/p3");
const COUNT = 37;
const absent = existsSync(SUITE) ? false : `p3: ${COUNT} components are absent from ${SUITE}`;

suite("p3", { skip: absent }, () => {
	const engine = new Engine();
	const files = absent === false ? globSync("{cli,clocks,fs,http,random,sockets}/*.wasm", { cwd: SUITE }).sort() : [];

	test("each file is here", () => assert.equal(files.length, COUNT));

	for (const file of files) {
		test(file, async () => {
			const error = await refusal(engine, path.join(SUITE, file));
			assert.equal(error.place?.file, path.join(SUITE, file));
			assert.equal(error.code, "link/missing-imports");
			assert.match(error.message, /wasi:[a-z-]+\/[a-z-]+@0\.3\.0: WASI 0\.3 is not supported yet/);
		});
	}
});

async function refusal(engine: Engine, file: string): Promise<SkerryError> {
	try {
		await engine.load(file);
	} catch (error) {
		if (error instanceof SkerryError) return error;
		throw error;
	}
	assert.fail("it was accepted");
}
