/** Real programs under hundreds of mixed requests: after each the slot is compared with a new instance, byte by byte. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { buildComponent } from "../../src/build/mod.ts";
import { CompileCache, type CoreSnapshot, createLinuxPageMapper } from "../../src/engine/mod.ts";
import { type Linked, linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool } from "../../src/pool/mod.ts";
import { WASI_HOST } from "../../src/wasi/mod.ts";
import { Dice } from "./dice.ts";
import { callHandler, type HttpAnswer, type HttpCall } from "./http-call.ts";

const REQUESTS = Number(process.env["SKERRY_RESET_REQUESTS"] ?? 120);
const OVER = new Error("the request is over");

type Request = Omit<HttpCall, "path"> & {
	/** What is due; a request without an answer is ended in the middle. */
	readonly answer?: { readonly status: number; readonly body: string };
};

const RUST = fileURLToPath(new URL("../../../shared/suites/http/rust-hello-0.2.wasm", import.meta.url));
const QUICKSTART = fileURLToPath(new URL("../../examples/quickstart", import.meta.url));

function quickstartRequest(dice: Dice): Request {
	const body = dice.times(dice.below(6), () => Buffer.alloc(1 + dice.below(20_000), 97 + dice.below(26)));
	return dice.pick<Request>([
		{ target: "/", answer: { status: 200, body: "Hello from a sandbox of its own!\n" } },
		{ target: "/counter", answer: { status: 200, body: "1\n" } },
		{ target: `/nowhere/${"x".repeat(dice.below(3000))}`, answer: { status: 404, body: "404 Not Found" } },
		{ target: "/throw", answer: { status: 500, body: "Internal Server Error" } },
		{ target: "/fetch", answer: { status: 400, body: "Which URL? Ask for /fetch?url=https://example.com\n" } },
		{ target: "/echo", method: "POST", body, answer: { status: 200, body: Buffer.concat(body).toString() } },
		{ target: "/echo", method: "POST", body, stalls: true },
	]);
}

const PROGRAMS: readonly {
	name: string;
	skip: string | false;
	file: () => Promise<string>;
	request: (dice: Dice) => Request;
}[] = [
	{
		name: "rust-hello",
		skip: existsSync(RUST) ? false : `there is no ${RUST}`,
		file: () => Promise.resolve(RUST),
		request: (dice) => ({ target: `/${dice.bits()}`, answer: { status: 200, body: "hello world" } }),
	},
	{
		name: "quickstart",
		skip: false,
		file: async () => {
			const { file } = await buildComponent({
				entry: `${QUICKSTART}/src/app.ts`,
				folder: QUICKSTART,
				onProgress: () => {},
			});
			return file;
		},
		request: quickstartRequest,
	},
];

async function link(file: string): Promise<{ linked: Linked; path: string[] }> {
	const loaded = loadComponent(readFileSync(file));
	const handler = [...loaded.type.exports.keys()].find((name) => name.startsWith("wasi:http/incoming-handler@"));
	assert.ok(handler);
	return { linked: await linkComponent(loaded, WASI_HOST, new CompileCache()), path: [handler, "handle"] };
}

/** Every byte and every global; the first difference is told. */
function assertSame(now: readonly CoreSnapshot[], due: readonly CoreSnapshot[]): void {
	for (const [core, { memories, globals }] of due.entries()) {
		assert.deepEqual(now[core]?.globals, globals, `globals of core instance ${core}`);
		for (const [i, bytes] of memories.entries()) {
			const found = now[core]?.memories[i] ?? new Uint8Array();
			if (Buffer.compare(found, bytes) === 0) continue;
			const at = bytes.findIndex((byte, offset) => byte !== found[offset]);
			assert.fail(`memory ${i} of core instance ${core} differs at ${at} (${found.length} of ${bytes.length} bytes)`);
		}
	}
}

function copyOf(snapshot: readonly CoreSnapshot[]): CoreSnapshot[] {
	return snapshot.map(({ memories, globals }) => ({ memories: memories.map((bytes) => bytes.slice()), globals }));
}

/** One request in a sandbox of its own; resolves when the instance is back in the pool. */
async function serve(pool: SandboxPool, path: readonly string[], request: Request): Promise<HttpAnswer | undefined> {
	const sandbox = await pool.acquire();
	const call = callHandler(sandbox, { ...request, path });
	if (request.answer === undefined) {
		const ended = assert.rejects(call, OVER);
		for (let turns = 0; turns < 4; turns++) await turn();
		sandbox.end(OVER);
		await ended;
		await turn();
		await turn();
		return undefined;
	}
	const answer = await call;
	sandbox.end(OVER);
	return answer;
}

const found = createLinuxPageMapper();
const STRATEGIES = [
	{ strategy: "copy", mapper: undefined, absent: false as const },
	{
		strategy: "cow",
		mapper: typeof found === "string" ? undefined : found,
		absent: typeof found === "string" ? `no copy-on-write memory here: ${found}` : (false as const),
	},
];

for (const { strategy, mapper, absent } of STRATEGIES) {
	suite(`real programs in one slot: ${strategy}`, { skip: absent }, () => {
		for (const { name, skip, file, request } of PROGRAMS) {
			test(`${name}: ${REQUESTS} requests`, { skip, timeout: 600_000 }, async () => {
				const { linked, path } = await link(await file());
				const fresh = new SandboxPool(linked, { wasi: () => ({}), warm: 0 });
				const model = await fresh.acquire();
				const due = copyOf(model.snapshot());
				model.end(OVER);
				const pool = new SandboxPool(linked, { wasi: () => ({}), mapper });
				const dice = new Dice(REQUESTS);
				for (let i = 0; i < REQUESTS; i++) {
					const next = request(dice);
					assert.deepEqual(
						await serve(pool, path, next),
						next.answer,
						`request ${i}: ${next.method ?? "GET"} ${next.target}`,
					);
					const probe = await pool.acquire();
					assertSame(probe.snapshot(), due);
					probe.end(OVER);
				}
				const { created, reset, discarded } = pool.counts;
				// A guest that grows its memory is thrown away: allowed, yet it must not be the rule.
				assert.equal(created, discarded + 1);
				assert.ok(reset > 10 * discarded, `${reset} resets, ${discarded} discarded`);
				assert.deepEqual(pool.usage(), { sandboxes: 0, handles: 0 });
				pool.close(OVER);
				fresh.close(OVER);
			});
		}
	});
}
