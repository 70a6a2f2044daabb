import assert from "node:assert/strict";
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { suite, test } from "node:test";
import { WatchedResponse } from "./watched-response.ts";

type Handle = (response: WatchedResponse, log: string[]) => void;

/** What a response tells while `handle` answers a request, until it is closed; `null`: it is not watched. */
async function logOf(handle: Handle, options: { readonly cut?: boolean; readonly watched?: boolean } = {}) {
	const log: string[] = [];
	const closed = Promise.withResolvers<void>();
	const begun = Promise.withResolvers<void>();
	const server = createServer({ ServerResponse: WatchedResponse }, (_, response) => {
		response.once("close", () => setImmediate(closed.resolve));
		if (options.watched !== false) {
			response.watcher = {
				onResponseFinished: () => log.push("finished"),
				onResponseClosed: () => log.push("closed"),
			};
		}
		handle(response, log);
		begun.resolve();
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as AddressInfo;
	const request = get({ port, host: "127.0.0.1", agent: false }, (response) => response.resume());
	request.on("error", () => {});
	await begun.promise;
	if (options.cut === true) request.destroy();
	await closed.promise;
	request.destroy();
	await new Promise((resolve) => server.close(resolve));
	return log;
}

suite("WatchedResponse", () => {
	test("one that is sent has finished, and is closed after that", async () => {
		assert.deepEqual(await logOf((response) => void response.end("all")), ["finished", "closed"]);
	});

	test("one whose client goes away is closed, once", async () => {
		assert.deepEqual(await logOf((response) => void response.write("some"), { cut: true }), ["closed"]);
	});

	test("its listeners hear what its watcher hears, and so do they without one", async () => {
		const handle: Handle = (response, log) => {
			response.once("finish", () => log.push("finish"));
			response.once("close", () => log.push("close"));
			response.end();
		};
		assert.deepEqual(await logOf(handle), ["finished", "finish", "closed", "close"]);
		assert.deepEqual(await logOf(handle, { watched: false }), ["finish", "close"]);
	});

	test("an error nobody listens to is none when it is watched, and thrown when it is not", async () => {
		const lost = new Error("lost the race");
		const emit: Handle = (response, log) => {
			try {
				log.push(`emitted: ${response.emit("error", lost)}`);
			} catch (error) {
				log.push(error === lost ? "thrown" : String(error));
			}
			response.end();
		};
		assert.deepEqual(await logOf(emit), ["emitted: false", "finished", "closed"]);
		assert.deepEqual(await logOf(emit, { watched: false }), ["thrown"]);
		const listened: Handle = (response, log) => {
			response.once("error", (error) => log.push(error.message));
			emit(response, log);
		};
		assert.deepEqual(await logOf(listened), ["lost the race", "emitted: true", "finished", "closed"]);
	});
});
