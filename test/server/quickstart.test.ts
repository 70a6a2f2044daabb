/** The quickstart under load, with clients that go away, and calling out: small sizes of what `npm run acceptance` does in full. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { before, suite, test } from "node:test";
import { buildQuickstart, loadDisconnects, loadEcho, loadRequests } from "./loads.ts";
import { RunningServer } from "./running-server.ts";

suite("the quickstart", () => {
	let bytes: Uint8Array;
	before(async () => {
		bytes = await buildQuickstart();
	});

	test("counts to 1 in each of 320 requests, 32 at a time", async () => {
		await using running = await RunningServer.start({ bytes });
		await loadRequests(running, "/counter", "1\n", 320, 32);
		assert.deepEqual([...new Set(running.records.map(({ outcome }) => outcome))], ["answered"]);
		await running.assertIdle();
	});

	test("echoes 160 MiB, and takes no memory for it", async () => {
		await using running = await RunningServer.start({ bytes });
		await loadEcho(running, 1);
		const { now } = running.memory();
		await loadEcho(running, 160);
		const growth = running.memory().peak - now;
		// How far V8 lets it grow before it collects depends on what else the machine does: by up to 75 MiB
		assert.ok(growth < 112, `peak RSS grew by ${growth} MiB`);
		await running.assertIdle();
	});

	test("gives everything back when clients go away, in requests and in responses", async () => {
		await using running = await RunningServer.start({ bytes });
		await loadDisconnects(running, 48, 8);
		assert.equal((await running.ask("/counter")).text, "1\n");
	});

	test("asks for a body that the client holds back until it is asked", async () => {
		await using running = await RunningServer.start({ bytes });
		const { promise: answered, resolve, reject } = Promise.withResolvers<IncomingMessage>();
		const asking = request(`${running.url}/echo`, {
			method: "POST",
			agent: false,
			headers: { expect: "100-continue" },
		});
		let asked = false;
		asking.on("response", resolve).on("error", reject);
		asking.on("continue", () => {
			asked = true;
			asking.end("held back");
		});
		asking.flushHeaders();
		const answer = await answered;
		assert.deepEqual([asked, answer.statusCode, await text(answer)], [true, 200, "held back"]);
		await running.assertIdle();
	});

	test("throws, and the server goes on", async () => {
		await using running = await RunningServer.start({ bytes });
		assert.equal((await running.ask("/throw")).status, 500);
		assert.ok(running.output.some((line) => line.startsWith("stderr") && line.includes("thrown by the guest")));
		assert.equal((await running.ask("/counter")).text, "1\n");
		await running.assertIdle();
	});

	test("calls out only where that is granted, and passes on a body while it arrives", async () => {
		const responses: ServerResponse[] = [];
		const other = createServer((_, response) => {
			responses.push(response);
			response.setHeader("content-type", "text/x-parts");
			response.write("first ");
		});
		await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
		const origin = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
		const path = `/fetch?url=${encodeURIComponent(`${origin}/parts`)}`;
		try {
			{
				await using refused = await RunningServer.start({ bytes, allowOutbound: ["https://example.com"] });
				assert.equal((await refused.ask(path)).status, 502);
				assert.equal(refused.denied.length, 1);
				assert.match(refused.denied[0]!, new RegExp(`--allow-outbound ${origin}`));
				assert.equal(responses.length, 0);
				await refused.assertIdle();
			}
			await using granted = await RunningServer.start({ bytes, allowOutbound: [origin] });
			const answer = await fetch(`${granted.url}${path}`);
			assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "text/x-parts"]);
			const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
			assert.equal((await reader.read()).value, "first ");
			responses[0]!.end("second");
			assert.equal((await reader.read()).value, "second");
			assert.equal((await reader.read()).done, true);
			await granted.assertIdle();

			// A client that goes away takes the guest and its own request with it.
			const gone = new AbortController();
			await fetch(`${granted.url}${path}`, { signal: gone.signal });
			assert.equal((await granted.usage()).outgoing, 1);
			gone.abort();
			await granted.assertIdle();
			assert.deepEqual(granted.denied, []);
		} finally {
			other.closeAllConnections();
			other.close();
		}
	});
});

test("a Rust component answers 1,000 requests, 32 at a time", async (t) => {
	const file = process.env["SKERRY_SUITES"] ?? "/work/shared/suites";
	const bytes = await readFile(`${file}/http/rust-hello-0.2.wasm`).catch(() => undefined);
	if (bytes === undefined) return t.skip("the suites are not here");
	await using running = await RunningServer.start({ bytes });
	await loadRequests(running, "/", "hello world", 1_000, 32);
	await running.assertIdle();
	const { now } = running.memory();
	await loadRequests(running, "/", "hello world", 1_000, 32);
	assert.ok(running.memory().now - now < 64, "memory grows with the number of requests");
});
