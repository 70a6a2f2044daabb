import assert from "node:assert/strict";
import { get, type IncomingMessage, request as send } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { assertOwn, fetchText, type Handle, rawAnswer, serving, until } from "../../../test/http-site.ts";
import { SimulatedGuest } from "../../../test/simulated-guest.ts";
import { Trap } from "../../fault/mod.ts";
import { createWasiContext } from "../../wasi/mod.ts";
import { createHttpHandler } from "./http-handler.ts";
import { listen } from "./listen.ts";
import type { RequestRecord } from "./record.ts";

test("a client that does not read stops the guest; one that does not send makes it wait", async () => {
	let written = 0;
	const handle: Handle = async (guest, _request, outparam) => {
		const { body } = guest.start(outparam);
		const stream = guest.ok("[method]outgoing-body.write", body);
		for (;;) {
			const result = await guest.write(stream, new Uint8Array(16_384));
			if (result.tag === "err") return;
			written += 16_384;
		}
	};
	await serving(handle, async ({ url, idle, ended }) => {
		const request = get(url, { agent: false });
		request.on("error", () => {});
		const response = await new Promise<IncomingMessage>((resolve) => request.on("response", resolve));
		response.on("error", () => {});
		response.pause();
		// The kernel's buffers take a few megabytes; then nothing moves.
		let before = -1;
		await until(() => {
			const still = written === before;
			before = written;
			return still;
		}, "the guest is stopped");
		assert.ok(written < 16 * 1024 * 1024);
		assert.equal(ended.length, 0);
		request.destroy();
		const [record] = await idle();
		assert.equal(record?.outcome, "client-gone");
		assert.equal(record?.status, 200);
		assert.equal(ended.length, 1);
	});
});

test("a client that goes away in the middle of its request ends the guest", async () => {
	let end: any;
	const handle: Handle = async (guest, request) => {
		const body = guest.ok("[method]incoming-request.consume", request);
		const stream = guest.ok("[method]incoming-body.stream", body);
		end = await guest.readAll(stream, () => {});
		if (end.val.tag === "last-operation-failed") end = guest.call("http-error-code", end.val.val);
		await new Promise(() => {});
	};
	await serving(handle, async ({ url, idle, ended, handler }) => {
		const request = send(url, { method: "POST", agent: false, headers: { "content-length": "100" } });
		request.on("error", () => {});
		request.write("half");
		await until(() => handler.usage().guestsInUse === 1, "the guest runs");
		request.destroy();
		const [record] = await idle();
		assert.deepEqual([record?.outcome, record?.status], ["client-gone", undefined]);
		assert.equal(ended.length, 1);
		await until(() => end !== undefined, "the guest's stream has ended");
		assert.ok(["connection-terminated", "err"].includes(end.tag), JSON.stringify(end));
	});
});

test("the limit wall ends a guest that never answers, or never comes to an end", async () => {
	const never = new Promise(() => {});
	// Enough to begin an answer on a busy machine
	const limits = { wall: 800 };
	await serving(
		() => never,
		async ({ url, idle, ended }) => {
			const answer = await fetchText(url);
			const [record] = await idle();
			assertOwn(answer, record, 504);
			assert.equal(record?.outcome, "timed-out");
			assert.match(String(ended[0]), /^LimitExceeded: killed: wall 800 ms \(limit "wall"\)$/);
		},
		limits,
	);
	await serving(
		async (guest, _request, outparam) => {
			const stream = guest.ok("[method]outgoing-body.write", guest.start(outparam).body);
			await guest.write(stream, Buffer.from("begun"));
			await never;
		},
		async ({ url, idle }) => {
			const answer = await fetchText(url);
			assert.deepEqual([answer.text, answer.broken], ["begun", "ECONNRESET"]);
			assert.equal((await idle())[0]?.outcome, "timed-out");
		},
		limits,
	);
	// What was finished stays finished.
	await serving(
		async (guest, _request, outparam) => {
			await guest.respond(outparam, 200, "all of it");
			await never;
		},
		async ({ url, idle, ended }) => {
			const answer = await fetchText(url);
			assert.deepEqual([answer.text, answer.broken], ["all of it", undefined]);
			const [record] = await idle();
			assert.deepEqual([record?.outcome, record?.status], ["answered", 200]);
			assert.match(record?.reason ?? "", /^killed: wall 800 ms \(limit "wall"\)$/);
			assert.equal(ended.length, 1);
		},
		limits,
	);
});

test("a sandbox that cannot be had, or comes too late", async () => {
	const records: RequestRecord[] = [];
	let ended = 0;
	let acquire: () => any = () => {
		throw new Error("no sandbox is free");
	};
	const handler = createHttpHandler({
		acquire: () => acquire(),
		limits: { wall: 60 },
		onRequest: (record) => records.push(record),
	});
	const listener = await listen({ host: "127.0.0.1", port: 0, handler });
	try {
		assertOwn(await fetchText(listener.url), records[0], 503);
		assert.deepEqual([records[0]?.outcome, records[0]?.reason], ["refused", "no sandbox is free"]);
		acquire = () => Promise.reject(new Trap("start function: unreachable"));
		assertOwn(await fetchText(listener.url), records[1], 500);
		assert.equal(records[1]?.outcome, "failed");
		const late = Promise.withResolvers<unknown>();
		acquire = () => late.promise;
		assertOwn(await fetchText(listener.url), records[2], 504);
		late.resolve({ context: createWasiContext(), call: () => assert.fail("it is too late"), end: () => ended++ });
		await until(() => ended === 1, "the late sandbox is given back");
		assert.deepEqual(handler.usage(), {
			requests: 3,
			requestsInFlight: 0,
			guestsInUse: 0,
			outgoingInFlight: 0,
			bufferedBytes: 0,
			bufferedPeak: 0,
		});
	} finally {
		await listener.close(0);
	}
});

test("a guest that fetches while it is served: a proxy of one site before another", async () => {
	const origin: Handle = async (guest, request, outparam) => {
		const { text } = await guest.consume(request, "request");
		await guest.respond(outparam, 418, text.toUpperCase(), { "x-origin": "yes" });
	};
	await serving(origin, async ({ url: originUrl }) => {
		const proxy: Handle = async (guest, request, outparam) => {
			const outgoing = guest.request("POST", originUrl);
			const body = guest.ok("[method]outgoing-request.body", outgoing);
			const future = guest.ok("handle", outgoing, undefined);
			await guest.writeBody(body, (await guest.consume(request, "request")).text);
			const { val: response } = await guest.response(future);
			const status = guest.call("[method]incoming-response.status", response);
			const { text } = await guest.consume(response, "response");
			await guest.respond(outparam, status, text);
		};
		await serving(proxy, async ({ url }) => {
			const answer = await fetchText(url, { method: "POST" }, "tea");
			assert.deepEqual([answer.status, answer.text], [418, "TEA"]);
		});
	});
});

test("requests that were sent one after another on a connection are all released when it goes", async () => {
	const never = new Promise(() => {});
	await serving(
		() => never,
		async ({ listener, idle, handler, ended }) => {
			const socket = connect(listener.port, "127.0.0.1");
			socket.write("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n".repeat(12));
			await until(() => handler.usage().guestsInUse === 12, "all have arrived");
			socket.destroy();
			const records = await idle();
			assert.deepEqual(new Set(records.map(({ outcome }) => outcome)), new Set(["client-gone"]));
			assert.equal(ended.length, 12);
		},
	);
	await serving(
		(guest, _request, outparam) => guest.respond(outparam, 200, "in turn"),
		async ({ listener }) => {
			const head = "GET / HTTP/1.1\r\nHost: h\r\n";
			const answer = await rawAnswer(listener.port, `${`${head}\r\n`.repeat(3)}${head}Connection: close\r\n\r\n`);
			assert.equal(answer.match(/in turn/g)?.length, 4);
		},
	);
});

test("the end of a sandbox drops handles in any order, even those of living children", async () => {
	let ends = 0;
	const records: RequestRecord[] = [];
	const handler = createHttpHandler({
		acquire() {
			const context = createWasiContext();
			const guest = new SimulatedGuest(context);
			const held: [string, unknown][] = [];
			return {
				context,
				async call(request, outparam) {
					const incoming = guest.ok("[method]incoming-request.consume", request);
					const input = guest.ok("[method]incoming-body.stream", incoming);
					const { body } = guest.start(outparam);
					const output = guest.ok("[method]outgoing-body.write", body);
					held.push(["incoming-request", request], ["incoming-body", incoming], ["input-stream", input]);
					held.push(["outgoing-body", body], ["output-stream", output]);
					await guest.call("[method]output-stream.blocking-write-and-flush", output, Buffer.from("begun"));
					throw new Trap("unreachable");
				},
				end() {
					for (const [resource, rep] of held) guest.drop(resource, rep);
					ends++;
				},
			};
		},
		onRequest: (record) => records.push(record),
	});
	const listener = await listen({ host: "127.0.0.1", port: 0, handler });
	try {
		const answer = await fetchText(listener.url, { method: "POST" }, "body");
		assert.deepEqual([answer.text, answer.broken], ["begun", "ECONNRESET"]);
		await until(() => records.length === 1, "the request is over");
		assert.deepEqual([records[0]?.outcome, records[0]?.reason, ends], ["truncated", "unreachable", 1]);
	} finally {
		await listener.close(0);
	}
});
