import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeHttp } from "./peers/node-http.ts";
import type { PeerFound, Workload } from "./peers/peer.ts";
import { serve } from "./served.ts";

const WORKLOAD: Workload = { name: "test", component: "/none", path: "/", answer: "right" };

async function found(): Promise<PeerFound> {
	const peer = await nodeHttp.find();
	assert.ok("command" in peer);
	return peer;
}

describe("serve", () => {
	it("gives a server that answers, and ends it", async () => {
		let url: string;
		{
			await using server = await serve(await found(), WORKLOAD, []);
			({ url } = server);
			assert.ok(server.startMs > 0);
			assert.equal(await (await fetch(url)).text(), "right");
		}
		await assert.rejects(fetch(url), /fetch failed/);
	});

	it("ends what the server has started, too", async () => {
		const peer = await found();
		const command: PeerFound["command"] = (...args) => ["sh", "-c", '"$@" & wait', "sh", ...peer.command(...args)];
		const server = await serve({ ...peer, command }, WORKLOAD, []);
		await server[Symbol.asyncDispose]();
		await assert.rejects(fetch(server.url), /fetch failed/);
	});

	it("refuses a wrong answer", async () => {
		const peer = await found();
		const command: PeerFound["command"] = (workload, ...rest) =>
			peer.command({ ...workload, answer: "wrong" }, ...rest);
		await assert.rejects(serve({ ...peer, command }, WORKLOAD, []), /it answered 200 "wrong"/);
	});

	it("says how a server ended that does not start, and what it printed", async () => {
		const peer = await found();
		const command = (): string[] => [process.execPath, "-e", "console.error('no luck'); process.exit(3)"];
		await assert.rejects(
			serve({ ...peer, command }, WORKLOAD, []),
			/it ended with 3 before it answered; it printed: no luck/,
		);
		const absent = (): string[] => ["/nonexistent/program"];
		await assert.rejects(serve({ ...peer, command: absent }, WORKLOAD, []), /ENOENT/);
	});
});
