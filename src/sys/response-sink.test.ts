import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { suite, test } from "node:test";
import { BufferMeter, type ResponseHead, type ResponseOutlet, ResponseSink, toLatin1 } from "./mod.ts";

const BOUND = 1024;

interface Received {
	/** All bytes, without the field `date`. */
	readonly text: string;
	/** What the server's sockets were given to write at a time. */
	readonly writes: number;
}

type Use = (sink: ResponseSink, response: ServerResponse, meter: BufferMeter) => unknown;

/** What a client gets of a response that `use` writes. */
async function answer(use: Use, head: Partial<ResponseHead> = {}): Promise<Received> {
	const meter = new BufferMeter();
	const { promise: closed, resolve: close, reject } = Promise.withResolvers<void>();
	let writes = 0;
	const server = createServer((request, response) => {
		const { socket } = request;
		const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
		socket.write = (...args: unknown[]) => {
			writes++;
			return write(...args);
		};
		response.on("close", () => setImmediate(close));
		const headers = ["x-a", "1", "x-a", "2"];
		const sink = new ResponseSink(
			toOutlet(response),
			{ status: 200, headers, sized: false, ...head },
			{ bound: BOUND, meter },
		);
		sink.sendWithTurn();
		void Promise.try(use, sink, response, meter).catch(reject);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	try {
		const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
		let text = "";
		socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
		socket.on("error", () => {});
		const ended = new Promise((resolve) => socket.on("close", resolve));
		socket.write("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
		await Promise.all([closed, ended]);
		assert.equal(meter.current, 0, "nothing is held");
		assert.ok(meter.peak <= BOUND, `${meter.peak} bytes were held`);
		return { text: text.replace(/^Date: .*\r\n/m, ""), writes };
	} finally {
		server.close();
	}
}

function toOutlet(response: ServerResponse): ResponseOutlet {
	return {
		get destroyed() {
			return response.destroyed;
		},
		send(status, headers, body) {
			response.writeHead(status, headers).end(toLatin1(body), "latin1");
			return response.writableLength === 0;
		},
		onSent: (callback) => response.once("close", callback),
		open: () => response,
	};
}

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const HEAD = "HTTP/1.1 200 OK\r\nx-a: 1\r\nx-a: 2\r\n";

suite("ResponseSink", () => {
	test("a response that is complete in its turn has its length, and is one write", async () => {
		const cases: [string[], string][] = [
			[["all of it, \xff"], "all of it, \xff"],
			[["in ", "", "parts"], "in parts"],
			[[], ""],
		];
		for (const [chunks, body] of cases) {
			const received = await answer((sink) => {
				for (const chunk of chunks) {
					sink.write(bytes(chunk));
					sink.flush();
					assert.ok(sink.flushed() && sink.ready(), "nothing to wait for");
				}
				sink.finish([]);
				assert.equal(sink.capacity(), null);
			});
			assert.deepEqual(received, {
				text: `${HEAD}content-length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
				writes: 1,
			});
		}
	});

	test("a length that the writer announced makes both routes the same, byte for byte", async () => {
		const text = "0123456789".repeat(40);
		const head = (): Partial<ResponseHead> => ({ headers: ["content-length", `${text.length}`], sized: true });
		const whole = await answer((sink) => {
			sink.write(bytes(text));
			sink.finish([]);
		}, head());
		const streamed = await answer(async (sink) => {
			sink.write(bytes(text.slice(0, 100)));
			await turn();
			await turn();
			sink.write(bytes(text.slice(100)));
			sink.finish([]);
		}, head());
		assert.equal(whole.text, streamed.text);
		assert.ok(whole.text.endsWith(`\r\n\r\n${text}`));
	});

	test("what is not complete goes out with its turn, head first, and is streamed", async () => {
		const { text } = await answer(async (sink, response) => {
			assert.equal(response.headersSent, false);
			await turn();
			await turn();
			assert.equal(response.headersSent, true);
			sink.write(bytes("late"));
			sink.finish([]);
		});
		assert.equal(text, `${HEAD}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nlate\r\n0\r\n\r\n`);
	});

	test("no more than the bound is held: then the writer waits for the kernel", async () => {
		const { text } = await answer(async (sink, response) => {
			sink.write(new Uint8Array(BOUND - 1).fill(97));
			assert.deepEqual([sink.capacity(), response.headersSent], [1, false]);
			sink.write(bytes("b"));
			assert.deepEqual([sink.capacity(), sink.ready(), response.headersSent], [0, false, true]);
			while (!sink.ready()) await sink.wait();
			sink.write(bytes("c"));
			sink.finish([]);
		});
		assert.ok(text.endsWith(`400\r\n${"a".repeat(BOUND - 1)}b\r\n1\r\nc\r\n0\r\n\r\n`), text);
	});

	test("trailers are sent behind a chunked body, also of a response that is complete at once", async () => {
		for (const trailers of [["x-t", "end"], []]) {
			const { text } = await answer(
				(sink) => {
					sink.write(bytes("body"));
					sink.finish(trailers);
				},
				{ headers: ["trailer", "x-t"] },
			);
			const tail = trailers.length === 0 ? "" : "x-t: end\r\n";
			assert.ok(text.endsWith(`Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n${tail}\r\n`), text);
		}
	});

	test("broken off, the client gets what was flushed, and sees that it is not all", async () => {
		const flushed = await answer((sink) => {
			sink.write(bytes("begun"));
			sink.flush();
			sink.abort();
			sink.abort();
		});
		assert.ok(flushed.text.endsWith("\r\n\r\n5\r\nbegun\r\n"), flushed.text);
		const unflushed = await answer((sink) => {
			sink.write(bytes("begun"));
			sink.abort();
		});
		assert.equal(unflushed.text, "");
	});

	test("a client that has gone is a closed stream, and nothing stays held", async () => {
		await answer((sink, response) => {
			sink.write(bytes("held"));
			response.destroy();
			assert.equal(sink.capacity(), null);
			assert.equal(sink.flushed(), false);
			sink.write(bytes("lost"));
			sink.finish([]);
		});
	});
});
