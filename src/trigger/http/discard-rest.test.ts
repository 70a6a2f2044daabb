import assert from "node:assert/strict";
import { request as send } from "node:http";
import { test } from "node:test";
import { answerTo, type Handle, serving } from "../../../test/http-site.ts";

test("100 Continue is sent when the guest reads, and an unread body does not hold the connection", async () => {
	const handle: Handle = async (guest, request, outparam) => {
		const path = guest.call("[method]incoming-request.path-with-query", request);
		if (path === "/echo") {
			const incoming = guest.ok("[method]incoming-request.consume", request);
			const source = guest.ok("[method]incoming-body.stream", incoming);
			const { body } = guest.start(outparam);
			const sink = guest.ok("[method]outgoing-body.write", body);
			await new Promise(setImmediate);
			await guest.readAll(source, (chunk) => guest.write(sink, chunk));
			guest.drop("input-stream", source);
			guest.drop("output-stream", sink);
			guest.ok("[static]outgoing-body.finish", body, undefined);
			return;
		}
		await guest.respond(outparam, 200, path === "/read" ? (await guest.consume(request, "request")).text : "unread");
	};
	await serving(
		handle,
		async ({ url, idle }) => {
			for (const [path, text, continued] of [
				["/read", "hello", true],
				["/echo", "hello", true],
				["/ignore", "unread", false],
			] as const) {
				const request = send(`${url}${path}`, {
					method: "POST",
					agent: false,
					headers: { expect: "100-continue", "content-length": "5" },
				});
				let seen = false;
				request.on("continue", () => {
					seen = true;
					request.end("hello");
				});
				request.flushHeaders();
				const answer = await answerTo(request);
				request.destroy();
				assert.deepEqual([answer.text, seen], [text, continued]);
			}
			await idle();
		},
		{ discardTime: 50 },
	);
	await serving(
		handle,
		async ({ url }) => {
			// More than is thrown away: answered all the same, then closed.
			const request = send(url, { method: "POST", agent: false });
			const answer = answerTo(request);
			request.write(Buffer.alloc(200_000));
			assert.equal((await answer).text, "unread");
			const closed = new Promise((resolve) => request.on("close", resolve));
			const pump = setInterval(() => request.write(Buffer.alloc(100_000)), 1);
			await closed;
			clearInterval(pump);
		},
		{ discardBytes: 300_000, discardTime: 10_000 },
	);
});
