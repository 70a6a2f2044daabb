/** `npm run acceptance`: the loads that a release must bear, at full size, with their figures. Takes about two minutes. */
import assert from "node:assert/strict";
import { buildQuickstart, loadDisconnects, loadEcho, loadRequests } from "../server/loads.ts";
import { RunningServer } from "../server/running-server.ts";

const REQUESTS = 2_000;
const CONCURRENCY = 32;
const ECHO_MEBIBYTES = 256;
/** Sent before anything is measured: V8 has its code and its young generation by then. */
const WARM_MEBIBYTES = 16;
const ECHO_GROWTH_MEBIBYTES = 64;
const DISCONNECTS = 200;

const bytes = await buildQuickstart();
const limits = { wall: 300_000 };

async function measured(name: string, load: (running: RunningServer) => Promise<string>): Promise<void> {
	await using running = await RunningServer.start({ bytes, limits });
	await loadEcho(running, WARM_MEBIBYTES);
	const from = performance.now();
	const figures = await load(running);
	await running.assertIdle();
	const seconds = ((performance.now() - from) / 1000).toFixed(1);
	const { now, peak } = running.memory();
	console.log(`${name}: ${figures}; ${seconds} s, RSS ${now.toFixed(0)} MiB, peak ${peak.toFixed(0)} MiB`);
}

await measured(`counter, ${REQUESTS} requests at concurrency ${CONCURRENCY}`, async (running) => {
	const rate = await loadRequests(running, "/counter", "1\n", REQUESTS, CONCURRENCY);
	return `every answer is 1, ${rate.toFixed(0)} requests/s`;
});

await measured(`echo of ${ECHO_MEBIBYTES} MiB`, async (running) => {
	const before = running.memory().now;
	const rate = await loadEcho(running, ECHO_MEBIBYTES);
	const growth = running.memory().peak - before;
	assert.ok(growth < ECHO_GROWTH_MEBIBYTES, `peak RSS grew by ${growth} MiB`);
	return `equal SHA-256, ${rate.toFixed(1)} MiB/s, peak RSS grew by ${growth.toFixed(0)} MiB`;
});

await measured(`${DISCONNECTS} clients that go away`, async (running) => {
	await loadDisconnects(running, DISCONNECTS, 16);
	return "nothing in use and no connection left";
});
