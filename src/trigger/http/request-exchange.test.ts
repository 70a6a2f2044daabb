import assert from "node:assert/strict";
import { type ClientRequest, get, type IncomingMessage, request as send, type RequestOptions } from "node:http";
import { connect } from "node:net";
import { after, test } from "node:test";
import { SimulatedGuest } from "../../../test/simulated-guest.ts";
import { Trap } from "../../fault/mod.ts";
import { BufferMeter, createHttpClient } from "../../sys/mod.ts";
import { createWasiContext, GuestExit, parseOutboundPolicy } from "../../wasi/mod.ts";
import { createHttpHandler, type HttpHandler } from "./http-handler.ts";
import { type HttpListener, listen } from "./listen.ts";
import type { RequestRecord } from "./record.ts";
import type { TriggerLimits } from "./limits.ts";

type Handle = (guest: SimulatedGuest, request: any, outparam: any) => unknown;

interface Site {
	readonly url: string;
	readonly handler: HttpHandler;
	readonly listener: HttpListener;
	readonly records: RequestRecord[];
	/** The reasons with which guests were ended. */
	readonly ended: unknown[];
	/** Waits until nothing is in use, and gives the records so far. */
	readonly idle: () => Promise<RequestRecord[]>;
}

const client = createHttpClient();
after(() => client.close());

/** Serves requests with a guest for the time of a test; afterwards nothing may be in use. */
async function serving(
	handle: Handle,
	run: (site: Site) => Promise<void>,
	limits: Partial<TriggerLimits> = {},
): Promise<void> {
	const records: RequestRecord[] = [];
	const ended: unknown[] = [];
	const meter = new BufferMeter();
	const handler = createHttpHandler({
		acquire() {
			const context = createWasiContext({
				http: { outbound: { policy: parseOutboundPolicy(["http://127.0.0.1:*"]), client }, meter },
			});
			const guest = new SimulatedGuest(context);
			return {
				context,
				async call(request, outparam) {
					await handle(guest, request, outparam);
				},
				end(reason) {
					ended.push(reason);
					context.end();
				},
			};
		},
		limits,
		onRequest: (record) => records.push(record),
		client,
		meter,
	});
	const listener = await listen({ host: "127.0.0.1", port: 0, handler });
	const idle = async (): Promise<RequestRecord[]> => {
		await until(
			() => {
				const { requests, requestsInFlight, guestsInUse, outgoingInFlight, bufferedBytes } = handler.usage();
				return records.length === requests && requestsInFlight + guestsInUse + outgoingInFlight + bufferedBytes === 0;
			},
			() => `everything is released: ${JSON.stringify(handler.usage())}`,
		);
		assert.equal(ended.length <= records.length, true, "a guest is ended once");
		return records;
	};
	try {
		await run({ url: listener.url, handler, listener, records, ended, idle });
		await idle();
	} finally {
		await listener.close(0);
	}
}

async function until(condition: () => boolean, what: string | (() => string)): Promise<void> {
	for (let i = 0; i < 300; i++) {
		if (condition()) return;
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	assert.fail(`not within three seconds: ${typeof what === "string" ? what : what()}`);
}

interface Answer {
	readonly status: number | undefined;
	readonly headers: NodeJS.Dict<string | string[]>;
	readonly text: string;
	readonly trailers: NodeJS.Dict<string>;
	/** The code with which the body broke off. */
	readonly broken: string | undefined;
}

function answerTo(request: ClientRequest): Promise<Answer> {
	return new Promise((resolve, reject) => {
		request.on("error", reject);
		request.on("response", (response) => {
			let text = "";
			response.setEncoding("latin1");
			response.on("data", (chunk: string) => (text += chunk));
			const done = (broken?: string): void => {
				const { statusCode: status, headers, trailers } = response;
				resolve({ status, headers, text, trailers, broken });
			};
			response.on("end", () => done());
			response.on("error", (error: NodeJS.ErrnoException) => done(error.code));
		});
	});
}

function fetchText(url: string, options: RequestOptions = {}, body: string | Uint8Array = ""): Promise<Answer> {
	const request = send(url, { agent: false, ...options });
	request.end(body);
	return answerTo(request);
}

/** The id in a response of the server's own must be the record's. */
function assertOwn(answer: Answer, record: RequestRecord | undefined, status: number): void {
	assert.equal(answer.status, status);
	assert.ok(record);
	assert.equal(answer.headers["x-skerry-request-id"], record.id);
	assert.ok(answer.text.includes(record.id));
	assert.equal(record.status, status);
}

test("the guest sees the request, the client the response", async () => {
	const handle: Handle = async (guest, request, outparam) => {
		const headers = guest.call("[method]incoming-request.headers", request);
		const names = guest.call("[method]fields.entries", headers).map(([name]: [string]) => name);
		const seen = {
			method: guest.call("[method]incoming-request.method", request),
			path: guest.call("[method]incoming-request.path-with-query", request),
			scheme: guest.call("[method]incoming-request.scheme", request),
			authority: guest.call("[method]incoming-request.authority", request),
			names,
			append: guest.call("[method]fields.append", headers, "a", Buffer.from("b")),
			...(await guest.consume(request, "request")),
		};
		assert.deepEqual(guest.call("[method]incoming-request.consume", request), { tag: "err", val: undefined });
		await guest.respond(outparam, 201, JSON.stringify(seen), { "Content-Type": "text/x", "x-b": "1" });
	};
	await serving(handle, async ({ url, idle }) => {
		const headers = { "X-Custom": "1", "Keep-Alive": "5", Connection: "close, x-hop", "X-Hop": "2" };
		const answer = await fetchText(`${url}/p/q?r=s`, { method: "REPORT", headers }, "body");
		assert.deepEqual([answer.status, answer.headers["content-type"], answer.headers["x-b"]], [201, "text/x", "1"]);
		assert.equal(answer.headers["x-skerry-request-id"], undefined);
		assert.deepEqual(JSON.parse(answer.text), {
			method: { tag: "other", val: "REPORT" },
			path: "/p/q?r=s",
			scheme: { tag: "HTTP" },
			authority: url.slice(7),
			names: ["X-Custom", "Content-Length"],
			append: { tag: "err", val: { tag: "immutable" } },
			text: "body",
			trailers: { tag: "ok" },
		});
		const [record] = await idle();
		assert.deepEqual(
			{ ...record, id: "", milliseconds: 0 },
			{
				id: "",
				method: "REPORT",
				path: "/p/q",
				status: 201,
				milliseconds: 0,
				outcome: "answered",
				reason: undefined,
				error: undefined,
			},
		);
	});
});

test("64 MB are echoed through bounded buffers, with trailers both ways", async () => {
	const total = 64 * 1024 * 1024;
	const handle: Handle = async (guest, request, outparam) => {
		const incoming = guest.ok("[method]incoming-request.consume", request);
		const input = guest.ok("[method]incoming-body.stream", incoming);
		const { body } = guest.start(outparam, 200, { trailer: "x-copy" });
		const output = guest.ok("[method]outgoing-body.write", body);
		await guest.readAll(input, async (chunk) => assert.equal((await guest.write(output, chunk)).tag, "ok"));
		guest.drop("input-stream", input);
		const trailers = await guest.trailers(incoming);
		const [value] = guest.call("[method]fields.get", trailers.val, "x-end");
		guest.drop("output-stream", output);
		guest.ok("[static]outgoing-body.finish", body, guest.fields({ "x-copy": Buffer.from(value).toString() }));
	};
	await serving(handle, async ({ url, idle, handler }) => {
		const request = send(url, { method: "POST", agent: false, headers: { trailer: "x-end" } });
		const chunk = Buffer.alloc(64 * 1024, "abcdefg\n");
		let sent = 0;
		const pump = (): void => {
			while (sent < total) {
				sent += chunk.length;
				if (!request.write(chunk)) return void request.once("drain", pump);
			}
			request.addTrailers({ "x-end": "of it" });
			request.end();
		};
		pump();
		const received = await new Promise<{ bytes: number; wrong: number; trailer: string | undefined }>(
			(resolve, reject) => {
				request.on("error", reject);
				request.on("response", (response) => {
					let bytes = 0;
					let wrong = 0;
					response.on("data", (data: Buffer) => {
						if (data[0] !== chunk[bytes % 8] || data.at(-1) !== chunk[(bytes + data.length - 1) % 8]) wrong++;
						bytes += data.length;
					});
					response.on("error", reject);
					response.on("end", () => resolve({ bytes, wrong, trailer: response.trailers["x-copy"] }));
				});
			},
		);
		assert.deepEqual(received, { bytes: total, wrong: 0, trailer: "of it" });
		const { bufferedPeak } = handler.usage();
		assert.ok(bufferedPeak > 0 && bufferedPeak <= 65_536, `at most 64 KiB were held, not ${bufferedPeak}`);
		assert.equal((await idle())[0]?.outcome, "answered");
	});
});

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

test("a guest that fails before its response gives a 5xx with an id that the log has", async () => {
	const cases: [string, Handle, number, string, RegExp][] = [
		[
			"trap",
			() => {
				throw new Trap("unreachable executed");
			},
			500,
			"failed",
			/unreachable executed/,
		],
		[
			"exit",
			async () => {
				await new Promise((resolve) => setImmediate(resolve));
				throw new GuestExit(1);
			},
			500,
			"failed",
			/exited with status 1/,
		],
		["return", () => {}, 500, "failed", /returned without a response/],
		[
			"outparam dropped",
			async (guest, _request, outparam) => {
				guest.drop("response-outparam", outparam);
				await new Promise((resolve) => setTimeout(resolve, 20));
			},
			500,
			"failed",
			/dropped its response-outparam/,
		],
		[
			"error code",
			(guest, _r, outparam) => {
				guest.call("[static]response-outparam.set", outparam, { tag: "err", val: { tag: "connection-refused" } });
			},
			502,
			"error-code",
			/connection-refused/,
		],
		[
			"timeout code",
			(guest, _r, outparam) => {
				guest.call("[static]response-outparam.set", outparam, { tag: "err", val: { tag: "HTTP-response-timeout" } });
			},
			504,
			"error-code",
			/HTTP-response-timeout/,
		],
		[
			"internal error",
			(guest, _r, outparam) => {
				guest.call("[static]response-outparam.set", outparam, {
					tag: "err",
					val: { tag: "internal-error", val: "x1" },
				});
			},
			500,
			"error-code",
			/internal-error "x1"/,
		],
		[
			"body dropped before it is set",
			(guest, _r, outparam) => {
				const response = guest.call("[constructor]outgoing-response", guest.fields());
				guest.drop("outgoing-body", guest.ok("[method]outgoing-response.body", response));
				guest.call("[static]response-outparam.set", outparam, { tag: "ok", val: response });
			},
			500,
			"failed",
			/dropped its response body/,
		],
		[
			"body announced, not taken",
			(guest, _r, outparam) => {
				const response = guest.call("[constructor]outgoing-response", guest.fields({ "content-length": "5" }));
				guest.call("[static]response-outparam.set", outparam, { tag: "ok", val: response });
			},
			500,
			"failed",
			/announced 5 bytes/,
		],
		[
			"no length",
			(guest, _r, outparam) => {
				const response = guest.call("[constructor]outgoing-response", guest.fields({ "content-length": "-5" }));
				guest.call("[static]response-outparam.set", outparam, { tag: "ok", val: response });
			},
			500,
			"failed",
			/not a length/,
		],
		[
			"too short before it is set",
			async (guest, _r, outparam) => {
				const response = guest.call("[constructor]outgoing-response", guest.fields({ "content-length": "5" }));
				const body = guest.ok("[method]outgoing-response.body", response);
				const mismatch = { tag: "err", val: { tag: "HTTP-response-body-size", val: 3n } };
				assert.deepEqual(await guest.writeBody(body, "abc"), mismatch);
				guest.call("[static]response-outparam.set", outparam, { tag: "ok", val: response });
			},
			500,
			"failed",
			/dropped its response body/,
		],
	];
	for (const [name, handle, status, outcome, reason] of cases) {
		await serving(handle, async ({ url, idle, ended }) => {
			const answer = await fetchText(url);
			const [record] = await idle();
			assertOwn(answer, record, status);
			assert.equal(record?.outcome, outcome, name);
			assert.match(record?.reason ?? "", reason, name);
			assert.equal(ended.length, 1, name);
		});
	}
});

test("a guest that fails in the middle of its response cuts it off", async () => {
	const begin = async (guest: SimulatedGuest, outparam: unknown, headers = {}): Promise<[any, any]> => {
		const { body } = guest.start(outparam, 200, headers);
		const stream = guest.ok("[method]outgoing-body.write", body);
		await guest.call("[method]output-stream.blocking-write-and-flush", stream, Buffer.from("begun"));
		return [body, stream];
	};
	const cases: [string, Handle, RegExp][] = [
		[
			"trap",
			async (guest, _r, outparam) => {
				await begin(guest, outparam);
				throw new Trap("integer divide by zero");
			},
			/divide by zero/,
		],
		["return", async (guest, _r, outparam) => void (await begin(guest, outparam)), /returned before it had finished/],
		[
			"drop",
			async (guest, _r, outparam) => {
				const [body, stream] = await begin(guest, outparam);
				guest.drop("output-stream", stream);
				guest.drop("outgoing-body", body);
				await new Promise(() => {});
			},
			/dropped its response body/,
		],
		[
			"too short",
			async (guest, _r, outparam) => {
				const [body, stream] = await begin(guest, outparam, { "content-length": "6" });
				guest.drop("output-stream", stream);
				const mismatch = { tag: "err", val: { tag: "HTTP-response-body-size", val: 5n } };
				assert.deepEqual(guest.call("[static]outgoing-body.finish", body, undefined), mismatch);
			},
			/dropped its response body/,
		],
		[
			"too long",
			async (guest, _r, outparam) => {
				const [, stream] = await begin(guest, outparam, { "content-length": "6" });
				const { val } = await guest.write(stream, Buffer.from("toolong"));
				assert.deepEqual(guest.call("http-error-code", val.val), { tag: "HTTP-response-body-size", val: 12n });
			},
			/dropped its response body/,
		],
		[
			"set twice",
			async (guest, _r, outparam) => {
				await begin(guest, outparam);
				const response = guest.call("[constructor]outgoing-response", guest.fields());
				guest.call("[static]response-outparam.set", outparam, { tag: "ok", val: response });
			},
			/response-outparam.set: the response was set already/,
		],
	];
	for (const [name, handle, reason] of cases) {
		await serving(handle, async ({ url, idle, ended }) => {
			const answer = await fetchText(url);
			assert.deepEqual([answer.status, answer.text, answer.broken], [200, "begun", "ECONNRESET"], name);
			const [record] = await idle();
			assert.equal(record?.outcome, "truncated", name);
			assert.match(record?.reason ?? "", reason, name);
			assert.equal(ended.length, 1, name);
		});
	}
});

test("the limit wall ends a guest that never answers, or never comes to an end", async () => {
	const never = new Promise(() => {});
	const limits = { wall: 60 };
	await serving(
		() => never,
		async ({ url, idle, ended }) => {
			const answer = await fetchText(url);
			const [record] = await idle();
			assertOwn(answer, record, 504);
			assert.equal(record?.outcome, "timed-out");
			assert.match(String(ended[0]), /limit wall \(60 ms\)/);
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
			assert.match(record?.reason ?? "", /limit wall/);
			assert.equal(ended.length, 1);
		},
		limits,
	);
});

test("the head goes out as soon as it is set, and the guest goes on after its response", async () => {
	const { promise: go, resolve: proceed } = Promise.withResolvers<void>();
	let after = false;
	await serving(
		async (guest, _request, outparam) => {
			const { body } = guest.start(outparam, 200, { "x-early": "1" });
			await go;
			await guest.writeBody(body, "late");
			await new Promise((resolve) => setTimeout(resolve, 20));
			after = true;
		},
		async ({ url, idle }) => {
			const request = get(url, { agent: false });
			const response = await new Promise<IncomingMessage>((resolve) => request.on("response", resolve));
			assert.equal(response.headers["x-early"], "1");
			proceed();
			let text = "";
			for await (const chunk of response) text += String(chunk);
			assert.equal(text, "late");
			assert.equal(after, false);
			assert.equal((await idle())[0]?.outcome, "answered");
			assert.equal(after, true);
		},
	);
});

test("responses without a body have none, whatever the guest writes", async () => {
	const cases: [string, number, Record<string, string>, Record<string, string | undefined>][] = [
		["HEAD", 200, { "content-length": "7" }, { "content-length": "7" }],
		["HEAD", 200, {}, { "content-length": undefined }],
		["GET", 204, { "content-length": "7" }, { "content-length": undefined, "transfer-encoding": undefined }],
		["GET", 304, { "content-length": "7", etag: "x" }, { "content-length": "7", etag: "x" }],
	];
	for (const [method, status, headers, expected] of cases) {
		const handle: Handle = async (guest, _request, outparam) => {
			await guest.respond(outparam, status, "ignored", headers);
		};
		await serving(handle, async ({ url, idle }) => {
			const answer = await fetchText(url, { method });
			assert.deepEqual([answer.status, answer.text], [status, ""]);
			for (const [name, value] of Object.entries(expected))
				assert.equal(answer.headers[name], value, `${method} ${name}`);
			assert.equal((await idle())[0]?.outcome, "answered");
		});
	}
	await serving(
		(guest, _request, outparam) => {
			const response = guest.call("[constructor]outgoing-response", guest.fields());
			guest.call("[static]response-outparam.set", outparam, { tag: "ok", val: response });
		},
		async ({ url }) => {
			const answer = await fetchText(url);
			assert.deepEqual([answer.status, answer.text, answer.headers["content-length"]], [200, "", "0"]);
		},
	);
	// Written and flushed before it is set: the length is known.
	await serving(
		async (guest, _request, outparam) => {
			const response = guest.call("[constructor]outgoing-response", guest.fields());
			const body = guest.ok("[method]outgoing-response.body", response);
			const stream = guest.ok("[method]outgoing-body.write", body);
			await guest.call("[method]output-stream.blocking-write-and-flush", stream, Buffer.from("early"));
			guest.drop("output-stream", stream);
			guest.ok("[static]outgoing-body.finish", body, undefined);
			guest.call("[static]response-outparam.set", outparam, { tag: "ok", val: response });
		},
		async ({ url }) => {
			const answer = await fetchText(url);
			assert.deepEqual([answer.text, answer.headers["content-length"]], ["early", "5"]);
		},
	);
});

test("a response that is made and never set holds nothing after the call", async () => {
	await serving(
		async (guest, _request, outparam) => {
			const unused = guest.call("[constructor]outgoing-response", guest.fields());
			await guest.writeBody(guest.ok("[method]outgoing-response.body", unused), "kept for nobody");
			await guest.respond(outparam, 200, "used");
		},
		async ({ url }) => assert.equal((await fetchText(url)).text, "used"),
	);
});

/** What the server says to raw bytes. */
function rawAnswer(port: number, text: string): Promise<string> {
	return new Promise((resolve) => {
		let answer = "";
		const socket = connect(port, "127.0.0.1", () => socket.write(text));
		socket.setEncoding("latin1");
		socket.on("data", (data: string) => (answer += data));
		socket.on("error", () => {});
		socket.on("close", () => resolve(answer));
	});
}

test("targets and hosts in other forms", async () => {
	const handle: Handle = async (guest, request, outparam) => {
		const path = guest.call("[method]incoming-request.path-with-query", request);
		await guest.respond(outparam, 200, `${guest.call("[method]incoming-request.authority", request)} ${path}`);
	};
	await serving(handle, async ({ listener, idle }) => {
		const cases: [string, RegExp][] = [
			["GET http://other.example:81/a?b HTTP/1.1\r\nHost: h\r\n", /^HTTP\/1.1 200 [^]*other.example:81 \/a\?b/],
			["GET http://other.example HTTP/1.1\r\nHost: h\r\n", /^HTTP\/1.1 200 [^]*other.example \//],
			["OPTIONS * HTTP/1.1\r\nHost: h\r\n", /^HTTP\/1.1 200 [^]*h \*/],
			["GET / HTTP/1.0\r\n", /^HTTP\/1.1 200 [^]*127.0.0.1:\d+ \//],
			["GET /\xe4 HTTP/1.1\r\nHost: h\r\n", /^HTTP\/1.1 (200 [^]*h \/%E4|400 )/],
			["GET /a#b HTTP/1.1\r\nHost: h\r\n", /^HTTP\/1.1 400 /],
			["GET / HTTP/1.1\r\nHost: a b\r\n", /^HTTP\/1.1 400 /],
			["GET / HTTP/1.1\r\nHost: user@h\r\n", /^HTTP\/1.1 400 /],
			["GET / HTTP/1.1\r\n", /^HTTP\/1.1 400 /],
			[`GET / HTTP/1.1\r\nHost: h\r\nx: ${"y".repeat(70_000)}\r\n`, /^HTTP\/1.1 431 /],
		];
		for (const [head, expected] of cases) {
			assert.match(await rawAnswer(listener.port, `${head}Connection: close\r\n\r\n`), expected, head.slice(0, 60));
		}
		assert.deepEqual(new Set((await idle()).map(({ outcome }) => outcome)), new Set(["answered", "refused"]));
	});
});

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
