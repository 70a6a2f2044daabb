import assert from "node:assert/strict";
import { get, type IncomingMessage, request as send } from "node:http";
import { test } from "node:test";
import { assertOwn, fetchText, type Handle, serving } from "../../../test/http-site.ts";
import { type SimulatedGuest } from "../../../test/simulated-guest.ts";
import { Trap } from "../../fault/mod.ts";
import { GuestExit } from "../../wasi/mod.ts";

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
			"trailers with a length",
			(guest, _r, outparam) => void guest.start(outparam, 200, { "content-length": "5", trailer: "x-t" }),
			500,
			"failed",
			/announced trailers/,
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

test("a response is the same whether the guest writes it in one turn or in many", async () => {
	const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
	const cases: [string, number, Record<string, string>][] = [
		["GET", 200, { "content-type": "text/plain", "x-b": "\u00e4" }],
		["GET", 404, { "content-length": "12" }],
		["POST", 201, { trailer: "x-t" }],
		["HEAD", 200, {}],
		["GET", 304, { etag: "x" }],
	];
	for (const [method, status, headers] of cases) {
		const answers: unknown[] = [];
		for (const pausing of [false, true]) {
			const handle: Handle = async (guest, _request, outparam) => {
				const { body } = guest.start(outparam, status, headers);
				if (pausing) await turn();
				const stream = guest.ok("[method]outgoing-body.write", body);
				for (const part of ["twelve", " bytes"]) {
					await guest.call("[method]output-stream.blocking-write-and-flush", stream, Buffer.from(part));
					if (pausing) await turn();
				}
				guest.drop("output-stream", stream);
				const trailers = headers["trailer"] === undefined ? undefined : guest.fields({ "x-t": "end" });
				guest.ok("[static]outgoing-body.finish", body, trailers);
			};
			await serving(handle, async ({ url }) => {
				const answer = await fetchText(url, { method });
				const { date, "content-length": length, "transfer-encoding": encoding, ...fields } = answer.headers;
				assert.equal(typeof date, "string");
				if (headers["content-length"] !== undefined) assert.deepEqual([length, encoding], ["12", undefined]);
				answers.push({ ...answer, headers: fields });
			});
		}
		assert.deepEqual(answers[0], answers[1], `${method} ${status}`);
	}
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
