/** What a JavaScript app sees of its environment: read late, yet an ordinary object. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildComponent } from "../../src/build/mod.ts";
import { RunningServer } from "./running-server.ts";

const APP = `const seen = (env) => ({
	get: env.NAME, missing: env.MISSING === undefined, has: ["NAME" in env, "MISSING" in env, Object.hasOwn(env, "NAME")],
	keys: Object.keys(env), spread: { ...env }, json: JSON.stringify(env), loop: (() => { const all = []; for (const k in env) all.push(k); return all; })(),
	text: String(env), descriptor: Object.getOwnPropertyDescriptor(env, "NAME"),
	set: (() => { env.MORE = "mine"; delete env.OTHER; return Object.entries(env); })(),
});
export default { fetch: (request, env) => Response.json(seen(env)) };
`;

test("the environment is an ordinary object, the same in each request", async () => {
	const folder = await mkdtemp(join(tmpdir(), "skerry-env-"));
	try {
		const entry = join(folder, "app.js");
		await writeFile(entry, APP);
		const { file } = await buildComponent({ entry, folder, onProgress: () => {} });
		const bytes = new Uint8Array(await readFile(file));
		await using running = await RunningServer.start({ bytes, env: { NAME: "skerry", OTHER: "x" } });
		for (let i = 0; i < 2; i++) {
			const { status, text } = await running.ask("/");
			assert.equal(status, 200, text);
			assert.deepEqual(JSON.parse(text), {
				get: "skerry",
				missing: true,
				has: [true, false, true],
				keys: ["NAME", "OTHER"],
				spread: { NAME: "skerry", OTHER: "x" },
				json: '{"NAME":"skerry","OTHER":"x"}',
				loop: ["NAME", "OTHER"],
				text: "[object Object]",
				descriptor: { value: "skerry", writable: true, enumerable: true, configurable: true },
				set: [
					["NAME", "skerry"],
					["MORE", "mine"],
				],
			});
		}
		await running.assertIdle();
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
});
