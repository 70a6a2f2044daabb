import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { BUNDLE_NAME, ENTRY_MODULE, WORLD_IMPORTS } from "./guest.ts";

/** As StarlingMonkey has it. */
interface FetchEvent {
	readonly request: Request;
	respondWith(response: Response | Promise<Response>): void;
	waitUntil(promise: Promise<unknown>): void;
}

let root: string;
before(async () => {
	root = await mkdtemp(join(tmpdir(), "skerry-guest-"));
});
after(() => rm(root, { recursive: true }));

/** Evaluates the module around an app here, with this process's `Request` and `Response`; what it listens with. */
async function evaluate(app: string): Promise<(event: FetchEvent) => void> {
	const folder = await mkdtemp(join(root, "app-"));
	const environment = `export const getEnvironment = () => { globalThis.environmentReads++; return [["NAME", "value"]]; };`;
	await writeFile(join(folder, "environment.mjs"), environment);
	await writeFile(join(folder, "app.mjs"), app);
	const module = ENTRY_MODULE.replaceAll(WORLD_IMPORTS[0] as string, "./environment.mjs").replace(
		`./${BUNDLE_NAME}`,
		"./app.mjs",
	);
	await writeFile(join(folder, "entry.mjs"), module);
	const listeners: [string, (event: FetchEvent) => void][] = [];
	Object.assign(globalThis, {
		environmentReads: 0,
		addEventListener: (...listener: [string, (event: FetchEvent) => void]) => void listeners.push(listener),
	});
	await import(pathToFileURL(join(folder, "entry.mjs")).href);
	const [[name, listener] = ["", () => {}]] = listeners;
	assert.deepEqual([listeners.length, name], [1, "fetch"]);
	return listener;
}

interface Outcome {
	/** Whether the response was given at once, without a promise. */
	readonly sync: boolean;
	readonly status: number;
	readonly body: string;
	readonly waitedFor: number;
	/** First lines of what was written to the console. */
	readonly errors: string[];
}

async function ask(app: string): Promise<Outcome> {
	const listener = await evaluate(app);
	const responses: (Response | Promise<Response>)[] = [];
	const waitedFor: Promise<unknown>[] = [];
	const errors: string[] = [];
	const { error } = console;
	console.error = (text: unknown) => void errors.push(String(text).split("\n", 1)[0] ?? "");
	try {
		listener({
			request: new Request("http://localhost/path"),
			respondWith: (response) => void responses.push(response),
			waitUntil: (promise) => void waitedFor.push(promise),
		});
		assert.equal(responses.length, 1);
		const [given] = responses;
		const response = (await given) as Response;
		const { status } = response;
		return {
			sync: given instanceof Response,
			status,
			body: await response.text(),
			waitedFor: waitedFor.length,
			errors,
		};
	} finally {
		console.error = error;
	}
}

const FAILED = { status: 500, body: "Internal Server Error\n", waitedFor: 0 };

describe("the module around an app's default export", () => {
	const cases: { name: string; fetch: string; outcome: Outcome }[] = [
		{
			name: "answers at once what is there at once",
			fetch: `fetch: (request) => new Response(request.url)`,
			outcome: { sync: true, status: 200, body: "http://localhost/path", waitedFor: 0, errors: [] },
		},
		{
			name: "waits for a promise",
			fetch: `async fetch() { return new Response("later", { status: 201 }); }`,
			outcome: { sync: false, status: 201, body: "later", waitedFor: 0, errors: [] },
		},
		{
			name: "calls fetch as a method of the default export",
			fetch: `text: "own", fetch() { return new Response(this.text); }`,
			outcome: { sync: true, status: 200, body: "own", waitedFor: 0, errors: [] },
		},
		{
			name: "gives the environment, which looks like an object",
			fetch: `fetch: (_, env) => new Response(JSON.stringify([env, "NAME" in env, env.NAME, environmentReads]))`,
			outcome: { sync: true, status: 200, body: `[{"NAME":"value"},true,"value",1]`, waitedFor: 0, errors: [] },
		},
		{
			name: "does not read an environment that nobody looks into",
			fetch: `fetch: () => new Response(String(environmentReads))`,
			outcome: { sync: true, status: 200, body: "0", waitedFor: 0, errors: [] },
		},
		{
			name: "gives a context whose waitUntil is the event's, also on its own",
			fetch: `fetch(_, env, { waitUntil }) { waitUntil(Promise.resolve()); return new Response("ok"); }`,
			outcome: { sync: true, status: 200, body: "ok", waitedFor: 1, errors: [] },
		},
		{
			name: "answers for a fetch that throws",
			fetch: `fetch() { throw new RangeError("thrown"); }`,
			outcome: { ...FAILED, sync: true, errors: ["RangeError: thrown"] },
		},
		{
			name: "answers for a fetch that throws what is no error",
			fetch: `fetch() { throw "text"; }`,
			outcome: { ...FAILED, sync: true, errors: ["text"] },
		},
		{
			name: "answers for a promise that is rejected",
			fetch: `async fetch() { throw new RangeError("rejected"); }`,
			outcome: { ...FAILED, sync: false, errors: ["RangeError: rejected"] },
		},
		{
			name: "answers for what is no response",
			fetch: `fetch: () => ({ status: 200 })`,
			outcome: { ...FAILED, sync: false, errors: ["TypeError: fetch returned no Response"] },
		},
	];
	for (const { name, fetch, outcome } of cases) {
		it(name, async () => {
			assert.deepEqual(await ask(`export default { ${fetch} };\n`), outcome);
		});
	}

	it("does not call an app's fetch while it is built", async () => {
		await evaluate(
			`globalThis.calls = 0; export default { fetch() { globalThis.calls++; return new Response(""); } };`,
		);
		assert.equal((globalThis as { calls?: number }).calls, 0);
	});
});
