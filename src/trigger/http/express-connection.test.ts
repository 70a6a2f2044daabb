import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { mock, suite, test } from "node:test";
import { until } from "../../../test/http-site.ts";
import { SimulatedGuest } from "../../../test/simulated-guest.ts";
import { BufferMeter } from "../../sys/mod.ts";
import { createWasiContext } from "../../wasi/mod.ts";
import { ExpressLane } from "./express-connection.ts";
import { createHttpHandler, type HttpUsage } from "./http-handler.ts";
import type { HttpHandlerOptions } from "./guest-handler.ts";
import { SERVER_LIMITS } from "./limits.ts";
import type { RequestRecord } from "./record.ts";
import { WatchedResponse } from "./watched-response.ts";

/** What a guest does with a request; it waits when it returns a promise. */
type Handle = (guest: SimulatedGuest, outparam: any, path: string) => unknown;

interface Site {
	readonly port: number;
	/** Who took which request: `express`, `node`, or `replay` for one that went from the first to the second. */
	readonly log: string[];
	readonly records: RequestRecord[];
	readonly lane: ExpressLane;
	readonly usage: () => HttpUsage;
}

const NOTHING_USED = { requestsInFlight: 0, guestsInUse: 0, outgoingInFlight: 0, bufferedBytes: 0 };

/** Serves for the time of a test; afterwards nothing may be in use. */
async function serving(
	handle: Handle,
	use: (site: Site) => Promise<void>,
	{ onTake, ...options }: Pick<HttpHandlerOptions, "troubleOnly"> & { readonly onTake?: (path: string) => void } = {},
): Promise<void> {
	const log: string[] = [];
	const records: RequestRecord[] = [];
	const meter = new BufferMeter();
	const handler = createHttpHandler({
		acquire() {
			const context = createWasiContext({ http: { meter } });
			const guest = new SimulatedGuest(context);
			return {
				context,
				call: (request, outparam) =>
					handle(guest, outparam, guest.call("[method]incoming-request.path-with-query", request)),
				end: () => context.end(),
			};
		},
		onRequest: (record) => records.push(record),
		meter,
		...options,
	});
	const server = createServer({ ...SERVER_LIMITS, ServerResponse: WatchedResponse }, (request, response) => {
		const claimed = lane.claims(response);
		log.push(`${claimed ? "replay" : "node"} ${request.url}`);
		if (!claimed) handler.handle(request, response);
	});
	const lane = new ExpressLane(server, (head, reply) => {
		log.push(`express ${head.url}`);
		onTake?.(head.url ?? "");
		handler.handle(head, reply);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	try {
		await use({ port: (server.address() as AddressInfo).port, log, records, lane, usage: () => handler.usage() });
		const used = (): object => ({ ...handler.usage(), requests: 0, bufferedPeak: 0 });
		await until(
			() => Object.values(used()).every((count) => count === 0),
			() => JSON.stringify(used()),
		);
		assert.deepEqual(used(), { ...NOTHING_USED, requests: 0, bufferedPeak: 0 });
		if (options.troubleOnly !== true) assert.equal(records.length, handler.usage().requests);
	} finally {
		server.close();
		server.closeAllConnections();
		lane.close();
	}
}

/** Answers with its whole body, without a wait. */
function answer(
	guest: SimulatedGuest,
	outparam: unknown,
	text: string | Uint8Array,
	headers: Record<string, string> = {},
): void {
	const { body } = guest.start(outparam, 200, headers);
	const stream = guest.ok("[method]outgoing-body.write", body);
	guest.ok("[method]output-stream.check-write", stream);
	guest.ok("[method]output-stream.write", stream, Buffer.from(text));
	guest.drop("output-stream", stream);
	guest.ok("[static]outgoing-body.finish", body, undefined);
}

/** A client that sends what it is told, and keeps what it gets. */
class Client {
	readonly socket: Socket;
	received = "";
	ended = false;
	closed = false;

	constructor(port: number, allowHalfOpen = false) {
		this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen });
		this.socket.setEncoding("latin1").setNoDelay(true);
		this.socket.on("data", (text: string) => (this.received += text.replace(/^Date: .*\r\n/gm, "")));
		this.socket.on("error", () => {});
		this.socket.on("end", () => (this.ended = true));
		this.socket.on("close", () => (this.closed = true));
	}

	/** Sends a text and gives what comes until `count` more heads of responses, and `end`, are there. */
	async ask(text: string, end: string, count = 1): Promise<string> {
		const before = this.received.length;
		this.socket.write(text, "latin1");
		const fresh = (): string => this.received.slice(before);
		await until(
			() => fresh().endsWith(end) && fresh().split("HTTP/1.1 ").length > count,
			() => `an answer, not ${JSON.stringify(fresh())}`,
		);
		return fresh();
	}
}

/** So that what was sent is there, and nothing else is: the event loop looks at its sockets in each turn, however long one takes. */
async function turns(): Promise<void> {
	for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
}

const get = (path: string, fields = ""): string => `GET ${path} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;
const echo: Handle = (guest, outparam, path) => answer(guest, outparam, path);
const KEPT = "Connection: keep-alive\r\nKeep-Alive: timeout=";

suite("ExpressLane", () => {
	test("plain requests are answered with what Node would send, byte for byte", async () => {
		const cases: [string, Handle][] = [
			["text", (guest, outparam) => answer(guest, outparam, "all of it \xff", { "X-A": "1", "x-b": "\xe4 b" })],
			["nothing", (guest, outparam) => answer(guest, outparam, "")],
			["its own length", (guest, outparam) => answer(guest, outparam, "12345", { "content-length": "5" })],
			["its own date", (guest, outparam) => answer(guest, outparam, "x", { DATE: "Tue, 01 Jan 2030 00:00:00 GMT" })],
			["long", (guest, outparam) => answer(guest, outparam, Buffer.alloc(40_000, "long\xff"))],
		];
		for (const [name, handle] of cases) {
			await serving(handle, async ({ port, log, records }) => {
				const express = new Client(port);
				const node = new Client(port);
				// Node's, as it comes in two pieces.
				await until(() => node.socket.readyState === "open", "it is connected");
				node.socket.write("GE");
				await turns();
				node.socket.write(get("/a").slice(2));
				await until(() => records.length === 1, "Node's answer");
				await turns();
				const expected = node.received;
				assert.ok(expected.startsWith("HTTP/1.1 200 OK\r\n"));
				for (let i = 1; i <= 3; i++) {
					express.socket.write(get("/a"));
					await until(() => express.received.length >= expected.length * i, "all of it");
				}
				assert.equal(express.received, expected.repeat(3), name);
				assert.deepEqual(log, ["node /a", "express /a", "express /a", "express /a"], name);
				for (const { outcome, status, reason } of records) {
					assert.deepEqual([outcome, status, reason], ["answered", 200, undefined]);
				}
				express.socket.destroy();
				node.socket.destroy();
			});
		}
	});

	test("a connection becomes Node's with the first request that is not plain, and stays so", async () => {
		const cases: [string, string, string[]][] = [
			["pipelined", get("/a") + get("/b"), ["node /a", "node /b"]],
			["body", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy", ["node /a"]],
			["HEAD", "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", ["node /a"]],
			["large head", get("/a", `X: ${"x".repeat(9_000)}\r\n`), ["node /a"]],
		];
		for (const [name, text, seen] of cases) {
			await serving(echo, async ({ port, log }) => {
				const client = new Client(port);
				assert.match(await client.ask(get("/first"), "/first"), /^HTTP\/1\.1 200 OK\r\n/);
				await client.ask(text, name === "HEAD" ? "\r\n\r\n" : (seen.at(-1)?.slice(5) ?? ""), seen.length);
				await client.ask(get("/last"), "/last");
				assert.deepEqual(log, ["express /first", ...seen, "node /last"], name);
				client.socket.destroy();
			});
		}
	});

	test("what cannot be answered at once goes on in Node's hands, and the guest is called once", async () => {
		const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
		const cases: [string, Handle, RegExp, string][] = [
			[
				"waits",
				async (guest, outparam) => {
					await later();
					answer(guest, outparam, "late");
				},
				/content-length: 4\r\n[^]*\r\n\r\nlate$/,
				"late",
			],
			[
				"streams",
				async (guest, outparam) => {
					const { body } = guest.start(outparam);
					await later();
					await guest.writeBody(body, "streamed");
				},
				/Transfer-Encoding: chunked\r\n[^]*\r\n8\r\nstreamed\r\n0\r\n\r\n$/,
				"0\r\n\r\n",
			],
			[
				"fills the bound",
				(guest, outparam) => {
					const { body } = guest.start(outparam);
					const stream = guest.ok("[method]outgoing-body.write", body);
					guest.ok("[method]output-stream.check-write", stream);
					guest.ok("[method]output-stream.write", stream, Buffer.alloc(65_536, "b"));
					guest.drop("output-stream", stream);
					guest.ok("[static]outgoing-body.finish", body, undefined);
				},
				/\r\n10000\r\nb{65536}\r\n0\r\n\r\n$/,
				"0\r\n\r\n",
			],
			[
				"has no body",
				(guest, outparam) => {
					const response = guest.call("[constructor]outgoing-response", guest.fields());
					guest.ok("[method]outgoing-response.set-status-code", response, 204);
					guest.call("[static]response-outparam.set", outparam, { tag: "ok", val: response });
				},
				/^HTTP\/1\.1 204 No Content\r\n/,
				"\r\n\r\n",
			],
			[
				"fails",
				() => {
					throw new Error("broken");
				},
				/^HTTP\/1\.1 500 [^]*request id: /,
				"\n",
			],
		];
		for (const [name, handle, expected, end] of cases) {
			let calls = 0;
			const counted: Handle = (guest, outparam, path) => {
				calls++;
				return path === "/next" ? answer(guest, outparam, path) : handle(guest, outparam, path);
			};
			await serving(counted, async ({ port, log, records }) => {
				const client = new Client(port);
				assert.match(await client.ask(get("/a"), end), expected, name);
				await client.ask(get("/next"), "/next");
				assert.deepEqual(log, ["express /a", "replay /a", "node /next"], name);
				assert.equal(calls, 2);
				assert.equal(records[0]?.outcome, name === "fails" ? "failed" : "answered", name);
				client.socket.destroy();
			});
		}
	});

	test("a guest may go on after its answer, and hold up nobody", async () => {
		const { promise: go, resolve: proceed } = Promise.withResolvers<void>();
		const handle: Handle = (guest, outparam, path) => {
			answer(guest, outparam, path);
			return path === "/a" ? go : undefined;
		};
		await serving(handle, async ({ port, log, records, usage }) => {
			const client = new Client(port);
			await client.ask(get("/a"), "/a");
			await client.ask(get("/b"), "/b");
			assert.equal(usage().guestsInUse, 1);
			assert.deepEqual(
				records.map(({ path }) => path),
				["/b"],
			);
			proceed();
			await until(() => records.length === 2, "the guest has ended");
			assert.deepEqual(log, ["express /a", "express /b"]);
			client.socket.destroy();
		});
	});

	test("a client that asks and does not read is held back, and one that goes away is noticed", async () => {
		const handle: Handle = (guest, outparam) => answer(guest, outparam, Buffer.alloc(60_000, "z"));
		for (const gone of [false, true]) {
			await serving(handle, async ({ port, log, records, usage }) => {
				const client = new Client(port);
				client.socket.pause();
				let asked = 0;
				// One at a time, until the kernel takes no more.
				for (; usage().bufferedBytes === 0; asked++) {
					client.socket.write(get("/"));
					await until(() => usage().requests === asked + 1, "it is taken");
					assert.ok(asked < 5_000, "the kernel takes everything");
				}
				assert.ok(log.every((line) => line === "express /"));
				// The next one is Node's, which stops reading a few later.
				for (let i = 0; i < 10; i++, asked++) {
					client.socket.write(get("/"));
					await turns();
				}
				assert.ok(usage().bufferedBytes <= 6 * 65_536, `${usage().bufferedBytes} bytes are held`);
				assert.equal(log.at(-1), "node /");
				if (gone) {
					client.socket.destroy();
					await until(() => records.some(({ outcome }) => outcome === "client-gone"), "it is noticed");
				} else {
					client.socket.resume();
					await until(
						() => records.length === asked,
						() => `${records.length} of ${asked}`,
					);
					await until(() => client.received.split("HTTP/1.1 200").length === asked + 1, "all are received");
					assert.ok(records.every(({ outcome }) => outcome === "answered"));
					client.socket.destroy();
				}
			});
		}
	});

	test("a client that sends no more gets its answer, and the end", async () => {
		await serving(echo, async ({ port, log }) => {
			const client = new Client(port, true);
			client.socket.end(get("/a"));
			await until(() => client.ended, "the end");
			assert.match(client.received, /\r\n\r\n\/a$/);
			assert.deepEqual(log, ["express /a"]);
		});
	});

	test("requests that came in one turn are answered in their order, though one breaks, is slow, or waits", async () => {
		const handle: Handle = async (guest, outparam, path) => answer(guest, outparam, path);
		const kinds: Record<string, Handle> = {
			"/broken": () => {
				throw new Error("broken");
			},
			"/slow": (guest, outparam, path) => {
				answer(guest, outparam, path);
				for (const start = performance.now(); performance.now() - start < 5;);
			},
			"/late": async (guest, outparam, path) => {
				await new Promise((resolve) => setTimeout(resolve, 5));
				await handle(guest, outparam, path);
			},
		};
		const paths = ["/a", "/broken", "/b", "/slow", "/c", "/late", "/d"];
		const serve: Handle = (guest, outparam, path) => (kinds[path] ?? echo)(guest, outparam, path);
		await serving(serve, async ({ port, log, records }) => {
			const clients = paths.map(() => new Client(port));
			await until(() => clients.every(({ socket }) => socket.readyState === "open"), "all are connected");
			for (const [i, client] of clients.entries()) client.socket.write(get(paths[i] as string));
			await until(() => records.length === paths.length, "all are over");
			await until(() => clients.every(({ received }) => received.includes("\r\n\r\n")), "all are answered");
			for (const [i, path] of paths.entries()) {
				const [head = "", body] = clients[i]?.received.split("\r\n\r\n") ?? [];
				assert.match(head, path === "/broken" ? /^HTTP\/1.1 500 / : /^HTTP\/1.1 200 /);
				if (path !== "/broken") assert.equal(body, path);
			}
			const express = log.filter((line) => line.startsWith("express"));
			assert.deepEqual(
				express,
				paths.map((path) => `express ${path}`),
			);
			for (const { socket } of clients) socket.destroy();
		});
	});

	test("a server that is closed in the midst of a turn answers those whose turn is to come, and closes their connections", async () => {
		let close = (): void => {};
		const handle: Handle = (guest, outparam, path) => {
			if (path === "/close") close();
			answer(guest, outparam, path);
		};
		await serving(handle, async ({ port, lane, records }) => {
			close = () => lane.closeIdle();
			const paths = ["/a", "/close", "/b", "/c"];
			const idle = new Client(port);
			const clients = paths.map(() => new Client(port));
			await until(() => clients.every(({ socket }) => socket.readyState === "open"), "all are connected");
			for (const [i, client] of clients.entries()) client.socket.write(get(paths[i] as string));
			await until(() => [idle, ...clients].every(({ closed }) => closed), "all are closed");
			for (const [i, { received }] of clients.entries()) assert.ok(received.endsWith(`\r\n\r\n${paths[i]}`), received);
			assert.deepEqual(
				records.map(({ path, outcome }) => [path, outcome]),
				paths.map((path) => [path, "answered"]),
			);
		});
	});

	test("what goes wrong in the server with one request keeps no other from being answered", async () => {
		const { promise: caught, resolve } = Promise.withResolvers<unknown>();
		const onTake = (path: string): void => {
			if (path === "/wrong") throw new Error("wrong");
		};
		const ask = async ({ port }: Site): Promise<void> => {
			const clients = ["/a", "/wrong", "/b", "/c"].map((path) => ({ path, client: new Client(port) }));
			await until(() => clients.every(({ client }) => client.socket.readyState === "open"), "all are connected");
			for (const { path, client } of clients) client.socket.write(get(path));
			assert.match(String(await caught), /wrong/);
			for (const { path, client } of clients) {
				if (path !== "/wrong") await until(() => client.received.endsWith(`\r\n\r\n${path}`), path);
				client.socket.destroy();
			}
		};
		process.setUncaughtExceptionCaptureCallback(resolve);
		try {
			await serving(echo, ask, { onTake });
		} finally {
			process.setUncaughtExceptionCaptureCallback(null);
		}
	});

	test("who asks for trouble only hears of what failed, not of what was answered", async () => {
		const handle: Handle = (guest, outparam, path) => {
			if (path === "/broken") throw new Error("broken");
			answer(guest, outparam, path);
			if (path === "/late") throw new Error("late");
		};
		const hear = async ({ port, records }: Site): Promise<void> => {
			const client = new Client(port);
			await client.ask(get("/a"), "/a");
			await client.ask(get("/late"), "/late");
			await client.ask(get("/broken"), "\n");
			await client.ask(get("/b"), "/b");
			client.socket.destroy();
			await until(() => records.length >= 2, "both are told");
			assert.deepEqual(
				records.map(({ path, outcome, reason }) => [path, outcome, reason]),
				[
					["/late", "answered", "late"],
					["/broken", "failed", "broken"],
				],
			);
		};
		await serving(handle, hear, { troubleOnly: true });
	});

	test("idle connections are closed: in time, and when the server closes", async () => {
		mock.timers.enable({ apis: ["setInterval"] });
		try {
			await serving(echo, async ({ port, lane }) => {
				const silent = new Client(port);
				const served = new Client(port);
				assert.ok((await served.ask(get("/a"), "/a")).includes(`${KEPT}30\r\n`));
				await until(() => silent.socket.readyState === "open", "it is connected");
				mock.timers.tick(20_000);
				await served.ask(get("/b"), "/b");
				assert.equal(silent.closed, false, "20 s are not over");
				mock.timers.tick(5_000);
				await until(() => silent.closed, "the silent one is closed");
				mock.timers.tick(25_000);
				await served.ask(get("/c"), "/c");
				mock.timers.tick(30_000);
				await turns();
				assert.equal(served.closed, false, "30 s were promised");
				mock.timers.tick(5_000);
				await until(() => served.closed, "the idle one is closed");
				const last = new Client(port);
				await last.ask(get("/d"), "/d");
				lane.closeIdle();
				await until(() => last.closed, "the last one is closed");
			});
		} finally {
			mock.timers.reset();
		}
	});
});
