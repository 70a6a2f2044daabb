import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { createLinuxPageMapper } from "./linux-pages.ts";

const found = createLinuxPageMapper();
const skip = typeof found === "string" ? found : false;

/** Has an image that nobody disposes of, and one that somebody does. */
const THREAD = `
	import { createLinuxPageMapper } from ${JSON.stringify(new URL("./linux-pages.ts", import.meta.url).href)};
	const mapper = createLinuxPageMapper();
	const images = [1, 2].map((byte) => mapper.createImage(new Uint8Array(65536).fill(byte)));
	const memory = new WebAssembly.Memory({ initial: 1 });
	images[0].map(memory);
	images[1][Symbol.dispose]();
	images[1][Symbol.dispose]();
	globalThis.kept = images;
	if (new Uint8Array(memory.buffer)[5] !== 1) throw new Error("not mapped");`;

for (const [how, rest] of [
	["end", ""],
	["are terminated", `(await import("node:worker_threads")).parentPort.on("message", () => {}).postMessage("ready");`],
] as const)
	test(`threads that ${how} leave nothing open`, { skip }, async () => {
		const counts: number[] = [];
		for (let i = 0; i < 4; i++) {
			const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(THREAD + rest)}`));
			worker.once("message", () => void worker.terminate());
			const status = await new Promise((resolve, reject) => {
				worker.once("exit", resolve).once("error", reject);
			});
			assert.equal(status, rest === "" ? 0 : 1);
			counts.push(readdirSync("/proc/self/fd").length);
		}
		// The first may bring what the process keeps.
		assert.equal(counts[3], counts[1], counts.join());
	});
