import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer, type Socket } from "node:net";
import { after, test } from "node:test";
import { type Outcome, SimulatedGuest } from "../../../test/simulated-guest.ts";
import { BufferMeter, createHttpClient } from "../../sys/mod.ts";
import { createWasiContext } from "../context.ts";
import type { HttpLimits } from "./limits.ts";
import { parseOutboundPolicy } from "./outbound-policy.ts";

const client = createHttpClient({ maxHeaderBytes: 8192 });
const meter = new BufferMeter();
after(() => client.close());

function createGuest(limits: Partial<HttpLimits> = {}, grants: string[] = ["http://127.0.0.1:*"]): SimulatedGuest {
	const policy = parseOutboundPolicy(grants);
	return new SimulatedGuest(createWasiContext({ http: { outbound: { policy, client }, limits, meter } }));
}

async function listening(server: Server | TcpServer): Promise<number> {
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return (server.address() as AddressInfo).port;
}

/** Serves HTTP for one test; afterwards nothing may be in flight, held or open. */
async function serving(listener: RequestListener, run: (url: string) => Promise<void>): Promise<void> {
	const server = createServer(listener);
	const port = await listening(server);
	try {
		await run(`http://127.0.0.1:${port}`);
		await until(() => client.inFlight === 0, "no exchange is in flight");
		assert.equal(meter.current, 0);
	} finally {
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	}
}

async function until(condition: () => boolean, what: string): Promise<void> {
	for (let i = 0; i < 2_000; i++) {
		if (condition()) return;
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	assert.fail(`not within twenty seconds: ${what}`);
}

async function textOf(message: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of message) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks).toString();
}

async function fails(guest: SimulatedGuest, request: unknown, options?: unknown): Promise<unknown> {
	const handled = guest.call("handle", request, options) as Outcome;
	const result = handled.tag === "err" ? handled : await guest.response(handled.val);
	assert.equal(result.tag, "err");
	return result.val;
}

test("a GET without a body, and its response with headers and trailers", async () => {
	const listener = (request: IncomingMessage, response: ServerResponse): void => {
		response.writeHead(203, [
			"X-Seen",
			`${request.method} ${request.url}`,
			"x-dup",
			"1",
			"X-Dup",
			"2",
			"trailer",
			"x-sum",
		]);
		response.write(JSON.stringify(request.rawHeaders));
		response.addTrailers({ "x-sum": "42" });
		response.end();
	};
	await serving(listener, async (url) => {
		const guest = createGuest();
		const future = guest.ok("handle", guest.request("GET", `${url}/a?b=c`, { "X-Mine": "yes" }), undefined);
		assert.equal(guest.context.http.outgoing, 1);
		const { tag, val: response } = await guest.response(future);
		assert.equal(tag, "ok");
		assert.equal(guest.call("[method]incoming-response.status", response), 203);
		const headers = guest.call("[method]incoming-response.headers", response);
		const get = (name: string): string[] =>
			guest.call("[method]fields.get", headers, name).map((value: Uint8Array) => Buffer.from(value).toString());
		assert.deepEqual(get("x-seen"), ["GET /a?b=c"]);
		assert.deepEqual(get("x-dup"), ["1", "2"]);
		assert.deepEqual(get("transfer-encoding"), []);
		assert.deepEqual(get("connection"), []);
		const { text, trailers } = await guest.consume(response, "response");
		assert.deepEqual(JSON.parse(text), ["host", url.slice(7), "X-Mine", "yes", "Connection", "keep-alive"]);
		assert.equal(trailers.tag, "ok");
		assert.deepEqual(guest.call("[method]fields.get", trailers.val, "X-Sum"), [Uint8Array.from(Buffer.from("42"))]);
		assert.deepEqual(guest.call("[method]incoming-response.consume", response), { tag: "err", val: undefined });
		await until(() => guest.context.http.outgoing === 0, "the guest's count is down");
	});
});

test("how the body of a request is framed", async () => {
	interface Seen {
		readonly text: string;
		readonly length: string | undefined;
		readonly coding: string | undefined;
		readonly trailers: NodeJS.Dict<string>;
	}
	let seen: Seen | undefined;
	const listener = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
		const text = await textOf(request);
		const { "content-length": length, "transfer-encoding": coding } = request.headers;
		seen = { text, length, coding, trailers: request.trailers };
		response.end();
	};
	type Step = (guest: SimulatedGuest, request: any, send: () => void) => Promise<void>;
	const taken = (guest: SimulatedGuest, request: any): any => guest.ok("[method]outgoing-request.body", request);
	const cases: [string, string, Step, Seen][] = [
		[
			"POST without a body",
			"POST",
			async (_g, _r, send) => send(),
			{ text: "", length: "0", coding: undefined, trailers: {} },
		],
		[
			"GET with an empty body",
			"GET",
			async (guest, request, send) => {
				const body = taken(guest, request);
				send();
				assert.equal((await guest.writeBody(body, "")).tag, "ok");
			},
			{ text: "", length: undefined, coding: undefined, trailers: {} },
		],
		[
			"finished before it is sent",
			"POST",
			async (guest, request, send) => {
				await guest.writeBody(taken(guest, request), "abc");
				send();
			},
			{ text: "abc", length: "3", coding: undefined, trailers: {} },
		],
		[
			"finished before anything is asked for",
			"POST",
			async (guest, request, send) => {
				const body = taken(guest, request);
				send();
				await guest.writeBody(body, "abcd");
			},
			{ text: "abcd", length: "4", coding: undefined, trailers: {} },
		],
		[
			"flushed before it is finished",
			"POST",
			async (guest, request, send) => {
				const body = taken(guest, request);
				send();
				const stream = guest.ok("[method]outgoing-body.write", body);
				const text = Buffer.from("streamed");
				assert.equal((await guest.call("[method]output-stream.blocking-write-and-flush", stream, text)).tag, "ok");
				guest.drop("output-stream", stream);
				guest.ok("[static]outgoing-body.finish", body, undefined);
			},
			{ text: "streamed", length: undefined, coding: "chunked", trailers: {} },
		],
		[
			"with trailers",
			"POST",
			async (guest, request, send) => {
				const body = taken(guest, request);
				send();
				await guest.writeBody(body, "t", guest.fields({ "x-check": "7" }));
			},
			{ text: "t", length: undefined, coding: "chunked", trailers: { "x-check": "7" } },
		],
	];
	await serving(
		(request, response) => void listener(request, response),
		async (url) => {
			for (const [name, method, step, expected] of cases) {
				const guest = createGuest();
				const request = guest.request(method, url);
				let future: unknown;
				await step(guest, request, () => {
					future = guest.ok("handle", request, undefined);
				});
				const { val: response } = await guest.response(future);
				await guest.consume(response, "response");
				assert.deepEqual({ ...seen, trailers: { ...seen?.trailers } }, expected, name);
			}
		},
	);
});

test("16 MB go out and come back through bounded buffers", async () => {
	const total = 16 * 1024 * 1024;
	await serving(
		(request, response) => request.pipe(response),
		async (url) => {
			const guest = createGuest();
			const request = guest.request("PUT", url, { "content-length": String(total) });
			const body = guest.ok("[method]outgoing-request.body", request);
			const future = guest.ok("handle", request, undefined);
			meter.peak = 0;
			const writing = guest.writeBody(body, new Uint8Array(total).fill(7));
			const { val: response } = await guest.response(future);
			const incoming = guest.ok("[method]incoming-response.consume", response);
			const stream = guest.ok("[method]incoming-body.stream", incoming);
			let received = 0;
			let wrong = 0;
			await guest.readAll(stream, (chunk) => {
				received += chunk.length;
				if (chunk.some((byte) => byte !== 7)) wrong++;
			});
			assert.deepEqual(await writing, { tag: "ok", val: undefined });
			assert.deepEqual({ received, wrong }, { received: total, wrong: 0 });
			assert.ok(meter.peak > 0 && meter.peak <= 65_536, `at most 64 KiB were held, not ${meter.peak}`);
			guest.drop("input-stream", stream);
			assert.deepEqual(await guest.trailers(incoming), { tag: "ok", val: undefined });
		},
	);
});

test("content-length binds the guest", async () => {
	await serving(
		(request, response) => {
			request.on("error", () => {});
			request.resume().on("end", () => response.end());
		},
		async (url) => {
			const guest = createGuest();
			const tooMuch = guest.request("POST", url, { "content-length": "3" });
			const body = guest.ok("[method]outgoing-request.body", tooMuch);
			const future = guest.ok("handle", tooMuch, undefined);
			const stream = guest.ok("[method]outgoing-body.write", body);
			const written = await guest.write(stream, Buffer.from("four"));
			assert.equal(written.val.tag, "last-operation-failed");
			assert.deepEqual(guest.call("http-error-code", written.val.val), { tag: "HTTP-request-body-size", val: 4n });
			guest.drop("output-stream", stream);
			guest.drop("outgoing-body", body);
			assert.equal((await guest.response(future)).tag, "err");

			const tooLittle = guest.request("POST", url, { "content-length": "5" });
			const short = guest.ok("[method]outgoing-request.body", tooLittle);
			const shortFuture = guest.ok("handle", tooLittle, undefined);
			assert.deepEqual(await guest.writeBody(short, "four"), {
				tag: "err",
				val: { tag: "HTTP-request-body-size", val: 4n },
			});
			assert.equal((await guest.response(shortFuture)).tag, "err");

			const none = guest.request("POST", url, { "content-length": "5" });
			assert.deepEqual(await fails(guest, none), { tag: "HTTP-request-body-size", val: 0n });
			const nonsense = guest.request("POST", url, { "content-length": "five" });
			assert.deepEqual(guest.call("[method]outgoing-request.body", nonsense), { tag: "err", val: undefined });
			assert.deepEqual(await fails(guest, nonsense), { tag: "HTTP-protocol-error" });
		},
	);
});

test("a body that is dropped unfinished breaks the connection", async () => {
	let aborted: Promise<boolean> | undefined;
	await serving(
		(request) => {
			aborted = new Promise((resolve) => {
				request
					.on("error", () => resolve(true))
					.on("end", () => resolve(false))
					.resume();
			});
		},
		async (url) => {
			const guest = createGuest();
			const request = guest.request("POST", url);
			const body = guest.ok("[method]outgoing-request.body", request);
			const future = guest.ok("handle", request, undefined);
			const stream = guest.ok("[method]outgoing-body.write", body);
			await guest.call("[method]output-stream.blocking-write-and-flush", stream, Buffer.from("half"));
			await until(() => aborted !== undefined, "the server has the request");
			assert.throws(
				() => guest.drop("outgoing-body", body),
				/outgoing-body.drop: the output-stream child is still alive/,
			);
			assert.throws(() => guest.call("[static]outgoing-body.finish", body), /still alive/);
			guest.drop("output-stream", stream);
			guest.drop("outgoing-body", body);
			assert.equal(await aborted, true);
			assert.deepEqual((await guest.response(future)).val, { tag: "connection-terminated" });
		},
	);
});

test("what is malformed, denied or too much is refused before anything is sent", async () => {
	const denied: (string | undefined)[][] = [];
	const policy = parseOutboundPolicy(["http://127.0.0.1:1"]);
	const guest = new SimulatedGuest(
		createWasiContext({
			http: { outbound: { policy, client } },
			onDenied: (...told) => denied.push(told),
		}),
	);
	for (let i = 0; i < 2; i++) {
		assert.deepEqual(await fails(guest, guest.request("GET", "https://api.example.com/x")), {
			tag: "HTTP-request-denied",
		});
	}
	assert.deepEqual(denied, [
		[
			"an HTTP request to https://api.example.com",
			"grant it with --allow-outbound https://api.example.com",
			"https://api.example.com",
		],
	]);
	for (let i = 0; i < 40; i++) await fails(guest, guest.request("GET", `https://host${i}.example.com/`));
	assert.equal(denied.length, 15, "a guest cannot flood the log");
	assert.deepEqual(await fails(guest, guest.request("CONNECT", "http://127.0.0.1:1/")), {
		tag: "HTTP-request-method-invalid",
	});
	const bare = guest.call("[constructor]outgoing-request", guest.fields());
	assert.deepEqual(await fails(guest, bare), { tag: "HTTP-request-URI-invalid" });
	const gopher = guest.request("GET", "http://127.0.0.1:1/");
	guest.ok("[method]outgoing-request.set-scheme", gopher, { tag: "other", val: "gopher" });
	assert.deepEqual(await fails(guest, gopher), { tag: "HTTP-protocol-error" });

	const ungranted = new SimulatedGuest(createWasiContext({}));
	assert.deepEqual(await fails(ungranted, ungranted.request("GET", "http://127.0.0.1:1/")), {
		tag: "HTTP-request-denied",
	});
	assert.equal(guest.context.http.outgoing, 0);
});

test("setters refuse what HTTP does not allow", () => {
	const guest = createGuest();
	const request = guest.call("[constructor]outgoing-request", guest.fields());
	const cases: [string, unknown, boolean][] = [
		["method", { tag: "patch" }, true],
		["method", { tag: "other", val: "PURGE" }, true],
		["method", { tag: "other", val: "" }, false],
		["method", { tag: "other", val: "A B" }, false],
		["method", { tag: "other", val: "A\r\nX: y" }, false],
		["path-with-query", "/a?b=%20", true],
		["path-with-query", "*", true],
		["path-with-query", "?q", true],
		["path-with-query", "", true],
		["path-with-query", undefined, true],
		["path-with-query", "a", false],
		["path-with-query", "/a b", false],
		["path-with-query", "/a#b", false],
		["path-with-query", "/\r\n", false],
		["path-with-query", "/ä", false],
		["scheme", { tag: "other", val: "gopher+x" }, true],
		["scheme", { tag: "other", val: "1x" }, false],
		["scheme", undefined, true],
		["authority", "a.b:1", true],
		["authority", undefined, true],
		["authority", "a b", false],
		["authority", "u:p@h", false],
		["authority", "", false],
	];
	for (const [field, value, allowed] of cases) {
		const before = guest.call(`[method]outgoing-request.${field}`, request);
		const result = guest.call(`[method]outgoing-request.set-${field}`, request, value);
		assert.deepEqual(result, { tag: allowed ? "ok" : "err", val: undefined }, `${field} ${JSON.stringify(value)}`);
		assert.deepEqual(guest.call(`[method]outgoing-request.${field}`, request), allowed ? value : before);
	}
	guest.ok("[method]outgoing-request.set-method", request, { tag: "other", val: "PUT" });
	assert.deepEqual(guest.call("[method]outgoing-request.method", request), { tag: "put" });
	const headers = guest.call("[method]outgoing-request.headers", request);
	const immutable = { tag: "err", val: { tag: "immutable" } };
	assert.deepEqual(guest.call("[method]fields.append", headers, "a", Buffer.from("b")), immutable);
	guest.ok("[method]outgoing-request.body", request);
	assert.deepEqual(guest.call("[method]outgoing-request.body", request), { tag: "err", val: undefined });

	const response = guest.call("[constructor]outgoing-response", guest.fields());
	assert.equal(guest.call("[method]outgoing-response.status-code", response), 200);
	for (const [status, allowed] of [
		[0, false],
		[100, false],
		[199, false],
		[200, true],
		[599, true],
		[600, false],
		[65_535, false],
	] as const) {
		assert.equal(guest.call("[method]outgoing-response.set-status-code", response, status).tag, allowed ? "ok" : "err");
	}
	assert.equal(guest.call("[method]outgoing-response.status-code", response), 599);

	const options = guest.call("[constructor]request-options");
	for (const name of ["connect", "first-byte", "between-bytes"]) {
		assert.equal(guest.call(`[method]request-options.${name}-timeout`, options), undefined);
		guest.ok(`[method]request-options.set-${name}-timeout`, options, 5n);
		assert.equal(guest.call(`[method]request-options.${name}-timeout`, options), 5n);
	}
});

test("failures of the network have the code that says what happened", async () => {
	const refusing = createTcpServer();
	const closedPort = await listening(refusing);
	await new Promise((resolve) => refusing.close(resolve));

	const sockets = new Set<Socket>();
	const raw = createTcpServer((socket) => {
		sockets.add(socket);
		socket.on("error", () => {});
		socket.on("close", () => sockets.delete(socket));
		socket.once("data", (data) => {
			const path = /^GET \/(\S*)/.exec(data.toString())?.[1];
			if (path === "hang-up") socket.destroy();
			else if (path === "garbage") socket.end("SSH-2.0-nothing\r\n\r\n");
			else if (path === "large") socket.end(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}\r\n\r\n`);
			else if (path === "switch") socket.write("HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
			else if (path === "stall") socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
			else if (path === "cut") socket.end("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
		});
	});
	const port = await listening(raw);
	try {
		const guest = createGuest({}, ["*://127.0.0.1:*", "http://*.invalid"]);
		const get = (path: string): unknown => guest.request("GET", `http://127.0.0.1:${port}/${path}`);
		const options = (name: string, nanoseconds: bigint): unknown => {
			const record = guest.call("[constructor]request-options");
			guest.ok(`[method]request-options.set-${name}-timeout`, record, nanoseconds);
			return record;
		};
		const refused = await fails(guest, guest.request("GET", `http://127.0.0.1:${closedPort}/`));
		assert.deepEqual(refused, { tag: "connection-refused" });
		assert.deepEqual(await fails(guest, get("hang-up")), { tag: "connection-terminated" });
		assert.deepEqual(await fails(guest, get("garbage")), { tag: "HTTP-protocol-error" });
		assert.deepEqual(await fails(guest, get("large")), { tag: "HTTP-response-header-section-size", val: undefined });
		assert.deepEqual(await fails(guest, get("switch")), { tag: "HTTP-upgrade-failed" });
		assert.deepEqual(await fails(guest, get("silence"), options("first-byte", 50_000_000n)), {
			tag: "connection-read-timeout",
		});
		// A plain server never answers a TLS hello: the connection is not ready within its time.
		const secure = guest.request("GET", `https://127.0.0.1:${port}/`);
		const tls = (await fails(guest, secure, options("connect", 200_000_000n))) as { tag: string };
		assert.equal(tls.tag, "connection-timeout");
		const unknown = (await fails(guest, guest.request("GET", "http://nowhere.invalid/"))) as any;
		assert.equal(unknown.tag, "DNS-error");
		assert.match(unknown.val.rcode, /^E/);

		for (const [path, timeout, tag] of [
			["stall", 800_000_000n, "connection-read-timeout"],
			["cut", undefined, "connection-terminated"],
		] as const) {
			const record = timeout === undefined ? undefined : options("between-bytes", timeout);
			const { val: response } = await guest.response(guest.ok("handle", get(path), record));
			const body = guest.ok("[method]incoming-response.consume", response);
			const stream = guest.ok("[method]incoming-body.stream", body);
			let text = "";
			const end = await guest.readAll(stream, (chunk) => (text += Buffer.from(chunk).toString()));
			assert.equal(end.val.tag, "last-operation-failed");
			assert.deepEqual(guest.call("http-error-code", end.val.val), { tag }, path);
			assert.ok(text === "half" || path === "cut");
			assert.throws(() => guest.call("[static]incoming-body.finish", body), /input-stream child is still alive/);
			guest.drop("input-stream", stream);
			assert.deepEqual(await guest.trailers(body), { tag: "err", val: { tag } });
		}
		await until(() => client.inFlight === 0 && guest.context.http.outgoing === 0, "nothing is in flight");
		await until(() => sockets.size === 0, "every connection is closed");
	} finally {
		for (const socket of sockets) socket.destroy();
		await new Promise((resolve) => raw.close(resolve));
	}
});

test("the number of requests at a time is limited, and the end of the sandbox aborts them", async () => {
	let open = 0;
	await serving(
		(request) => {
			open++;
			request.on("error", () => {});
			request.on("close", () => open--);
		},
		async (url) => {
			const guest = createGuest({ outgoingRequests: 2 });
			const first = guest.ok("handle", guest.request("GET", url), undefined);
			guest.ok("handle", guest.request("GET", url), undefined);
			assert.deepEqual(await fails(guest, guest.request("GET", url)), { tag: "connection-limit-reached" });
			await until(() => open === 2, "both have arrived");
			// A future that nobody wants any more frees its place.
			guest.drop("future-incoming-response", first);
			await until(() => guest.context.http.outgoing === 1, "one is in flight");
			guest.ok("handle", guest.request("GET", url), undefined);
			const waiting = guest.request("POST", url);
			assert.deepEqual(await fails(guest, waiting), { tag: "connection-limit-reached" });
			guest.context.end();
			await until(() => open === 0 && client.inFlight === 0, "all are aborted");
			assert.equal(guest.context.http.outgoing, 0);
		},
	);
});

test("a response that is not read frees its connection when it is dropped", async () => {
	let closed = 0;
	await serving(
		(request, response) => {
			request.on("error", () => {});
			response.on("close", () => closed++);
			response.write("x".repeat(1_000_000));
		},
		async (url) => {
			const guest = createGuest();
			const { val: response } = await guest.response(guest.ok("handle", guest.request("GET", url), undefined));
			guest.drop("incoming-response", response);
			await until(() => closed === 1, "the server sees the end");
		},
	);
});

test("redirects are the guest's business, and kept connections survive a server that closes them", async () => {
	const ports = new Set<number | undefined>();
	await serving(
		(request, response) => {
			ports.add(request.socket.remotePort);
			response.writeHead(302, { location: "/elsewhere" }).end();
		},
		async (url) => {
			const guest = createGuest();
			for (let i = 0; i < 3; i++) {
				const { val: response } = await guest.response(guest.ok("handle", guest.request("GET", url), undefined));
				assert.equal(guest.call("[method]incoming-response.status", response), 302);
				await guest.consume(response, "response");
				await until(() => guest.context.http.outgoing === 0, "the connection is free");
			}
			assert.equal(ports.size, 1);
		},
	);
});
