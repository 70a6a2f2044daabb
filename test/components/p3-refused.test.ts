/** Components for WASI 0.3, which is not supported yet: each is refused by name when it is loaded, none crashes or loads by halves. */
import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import path from "node:path";
import { suite, test } from "node:test";

import { Engine, type Imports, SkerryError } from "../../src/index.ts";

const SUITE = path.resolve(import.meta.dirname, "../../../shared/suites/p3");
const COUNT = 56;
const absent = existsSync(SUITE) ? false : `p3: ${COUNT} components are absent from ${SUITE}`;

/** What the components of `general` and `round-trip` import from each other; never called. */
const never = (): never => assert.fail("a component that is refused calls nothing");
const NEIGHBOURS: Imports = {
	"local:local/borrowing-types": {
		X: class {
			foo(): never {
				return never();
			}
		},
	},
	"local:local/borrowing": { foo: never },
	"local:local/post-return": { foo: never, getPostReturnValue: never },
	"local:local/transmit": { exchange: never },
	"local:local/many": { foo: never },
	"local:local/baz": { foo: never },
};

suite("p3", { skip: absent }, () => {
	const engine = new Engine();
	const files = absent === false ? globSync("**/*.wasm", { cwd: SUITE }).sort() : [];

	test("each file is here", () => assert.equal(files.length, COUNT));

	for (const file of files) {
		test(file, async () => {
			const error = await refusal(engine, path.join(SUITE, file));
			assert.equal(error.place?.file, path.join(SUITE, file));
			if (error.code === "link/missing-imports") {
				assert.match(error.message, /wasi:[a-z-]+\/[a-z-]+@0\.3\.0: WASI 0\.3 is not supported yet/);
			} else {
				assert.equal(error.code, "link/unsupported");
				assert.match(error.message, /^Cannot link .+ \(asynchronous components\): not supported yet$/);
				assert.ok((error.place?.offset ?? 0) > 0, "the offset of what is not supported");
			}
		});
	}
});

/** The error of loading the file, with as many of its neighbours' exports as it imports. */
async function refusal(engine: Engine, file: string): Promise<SkerryError> {
	const imports: Record<string, Imports[string]> = {};
	for (;;) {
		try {
			await engine.load(file, { imports });
			assert.fail("it was accepted");
		} catch (error) {
			if (!(error instanceof SkerryError)) throw error;
			const wanted = Object.keys(NEIGHBOURS).filter((name) => error.message.includes(`- ${name}:`));
			if (error.code !== "link/missing-imports" || wanted.length === 0) return error;
			for (const name of wanted) imports[name] = NEIGHBOURS[name]!;
		}
	}
}
