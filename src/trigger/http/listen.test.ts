import assert from "node:assert/strict";
import { Agent, get, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { SkerryError } from "../../fault/mod.ts";
import { createWasiContext } from "../../wasi/mod.ts";
import { createHttpHandler } from "./http-handler.ts";
import { listen } from "./listen.ts";

const refusing = createHttpHandler({
	acquire: () => {
		throw new Error("none");
	},
});

test("an address that cannot be listened on is named, with what to do", async () => {
	const first = await listen({ host: "127.0.0.1", port: 0, handler: refusing });
	try {
		await assert.rejects(
			listen({ host: "127.0.0.1", port: first.port, handler: refusing }),
			(error) =>
				error instanceof SkerryError &&
				error.code === "cli/port-in-use" &&
				error.message === `Cannot listen on 127.0.0.1:${first.port}: the port is in use` &&
				/--listen 127\.0\.0\.1:\d+/.test(error.hint ?? ""),
		);
		await assert.rejects(
			listen({ host: "192.0.2.1", port: 8080, handler: refusing }),
			(error) =>
				error instanceof SkerryError &&
				error.code === "cli/port-in-use" &&
				/no address of this machine/.test(error.message),
		);
	} finally {
		await first.close(0);
	}
});

test("closing waits for what is under way, within bounds, and for no idle connection", async () => {
	for (const [grace, finishes] of [
		[2000, true],
		[30, false],
	] as const) {
		const { promise: go, resolve: proceed } = Promise.withResolvers<void>();
		const begun = Promise.withResolvers<void>();
		let ends = 0;
		const handler = createHttpHandler({
			acquire: () => ({
				context: createWasiContext(),
				async call(_request, outparam) {
					begun.resolve();
					await go;
					outparam.drop();
				},
				end: () => ends++,
			}),
		});
		const listener = await listen({ host: "127.0.0.1", port: 0, handler });
		const agent = new Agent({ keepAlive: true });
		const outcome = new Promise<number | string | undefined>((resolve) => {
			const request = get(listener.url, { agent }, (response: IncomingMessage) => {
				response.resume().on("end", () => resolve(response.statusCode));
			});
			request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
		});
		await begun.promise;
		const closed = listener.close(grace);
		assert.equal(listener.close(), closed);
		if (finishes) proceed();
		assert.equal(await outcome, finishes ? 500 : "ECONNRESET");
		await closed;
		for (let i = 0; i < 100 && handler.usage().requestsInFlight > 0; i++) {
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
		assert.equal(ends, 1);
		assert.equal(handler.usage().requestsInFlight, 0);
		await assert.rejects(fetch(listener.url));
		agent.destroy();
		proceed();
	}
});
