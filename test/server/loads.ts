import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { fileURLToPath } from "node:url";
import { buildComponent } from "../../src/build/mod.ts";
import { type RunningServer, until } from "./running-server.ts";

const QUICKSTART = fileURLToPath(new URL("../../examples/quickstart", import.meta.url));
const MEBIBYTE = 2 ** 20;

/** The quickstart's component, built or from its cache. */
export async function buildQuickstart(): Promise<Uint8Array> {
	const { component } = await buildComponent({ entry: `${QUICKSTART}/src/app.ts`, folder: QUICKSTART });
	return component;
}

/** Asks `path` `count` times, `concurrency` at a time; every answer must be 200 with `text`. Requests per second. */
export async function loadRequests(
	running: RunningServer,
	path: string,
	text: string,
	count: number,
	concurrency: number,
): Promise<number> {
	const wrong: string[] = [];
	let left = count;
	const from = performance.now();
	await Promise.all(
		Array.from({ length: concurrency }, async () => {
			while (left > 0) {
				left--;
				const answer = await running.ask(path);
				if (answer.status !== 200 || answer.text !== text) wrong.push(`${answer.status} ${answer.text}`);
			}
		}),
	);
	assert.deepEqual(wrong, []);
	return (count * 1000) / (performance.now() - from);
}

/** Sends a body to `/echo`, and compares what comes back while both are under way. MiB per second. */
export async function loadEcho(running: RunningServer, mebibytes: number): Promise<number> {
	const sent = createHash("sha256");
	const received = createHash("sha256");
	let bytes = 0;
	const from = performance.now();
	const request = httpRequest(`${running.url}/echo`, { method: "POST", agent: false });
	const done = new Promise<void>((resolve, reject) => {
		request.on("error", reject);
		request.on("response", (response) => {
			assert.equal(response.statusCode, 200);
			response.on("data", (chunk: Buffer) => {
				received.update(chunk);
				bytes += chunk.length;
			});
			response.on("end", resolve);
			response.on("error", reject);
		});
	});
	const write = async (): Promise<void> => {
		for (let i = 0; i < mebibytes; i++) {
			const chunk = Buffer.alloc(MEBIBYTE, `block ${i} of a body that does not repeat `);
			sent.update(chunk);
			if (!request.write(chunk)) await new Promise((resolve) => request.once("drain", resolve));
		}
		request.end();
	};
	await Promise.all([write(), done]);
	assert.equal(bytes, mebibytes * MEBIBYTE);
	assert.equal(received.digest("hex"), sent.digest("hex"));
	return (mebibytes * 1000) / (performance.now() - from);
}

/** Where a client goes away. */
const DEPARTURES: readonly ((request: ClientRequest) => Promise<void>)[] = [
	// In the middle of the request, before the guest has read any of it.
	async (request) => {
		request.flushHeaders();
		await new Promise((resolve) => request.once("socket", (socket) => socket.once("connect", resolve)));
	},
	// In the middle of the request, with some of it read.
	async (request) => {
		request.write(Buffer.alloc(50_000, "a"));
		await responseOf(request);
	},
	// In the middle of both.
	async (request) => {
		request.write(Buffer.alloc(500_000, "b"));
		const response = await responseOf(request);
		await new Promise((resolve) => response.once("data", resolve));
	},
	// In the middle of the response, of which nothing is read any more.
	async (request) => {
		request.end(Buffer.alloc(MEBIBYTE, "c"));
		const response = await responseOf(request);
		await new Promise((resolve) => response.once("readable", resolve));
		response.read(1000);
	},
];

function responseOf(request: ClientRequest): Promise<IncomingMessage> {
	return new Promise((resolve) => request.once("response", resolve));
}

/** Clients of `/echo` that go away at different points, `concurrency` at a time. Each must be in the log, and their connections closed. */
export async function loadDisconnects(running: RunningServer, count: number, concurrency: number): Promise<void> {
	const before = running.records.length;
	let next = 0;
	await Promise.all(
		Array.from({ length: concurrency }, async () => {
			while (next < count) {
				const depart = DEPARTURES[next++ % DEPARTURES.length]!;
				const request = httpRequest(`${running.url}/echo`, { method: "POST", agent: false });
				request.on("error", () => {});
				await depart(request);
				request.destroy();
			}
		}),
	);
	// A client that went before its head had arrived leaves no record.
	await running.assertIdle();
	const outcomes = running.records.slice(before).map(({ outcome }) => outcome);
	// What the kernel had taken whole counts as answered.
	assert.deepEqual(
		[...new Set(outcomes)].filter((outcome) => outcome !== "answered"),
		["client-gone"],
	);
	const gone = outcomes.filter((outcome) => outcome === "client-gone").length;
	assert.ok(gone >= count / 2, `${gone} of ${count} clients seen to go`);
	running.closeConnections();
	await until(() => running.connections() === 0, "all connections to be closed");
}
