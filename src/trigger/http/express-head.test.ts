import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { SERVER_LIMITS } from "./limits.ts";
import { parseExpressHead } from "./express-head.ts";

const socket = new Socket();

type Taken = Pick<IncomingMessage, "method" | "url" | "rawHeaders">;

function take(text: string): Taken | undefined {
	const head = parseExpressHead(text, socket);
	if (head === undefined) return undefined;
	assert.equal(head.socket, socket);
	const { method, url, rawHeaders } = head;
	return { method, url, rawHeaders };
}

const server = createServer(SERVER_LIMITS);
server.maxHeadersCount = 0;

/** What Node takes the same bytes for: the requests that it sees, each whole or not, and whether it keeps the connection. */
async function takeByNode(text: string): Promise<{ requests: (Taken & { complete: boolean })[]; kept: boolean }> {
	const connection = new Duplex({ read() {}, write: (_bytes, _encoding, done) => done() });
	const requests: (Taken & { complete: boolean })[] = [];
	let kept = true;
	const onRequest = (request: IncomingMessage): void => {
		const { method, url, rawHeaders } = request;
		const seen = { method, url, rawHeaders, complete: false };
		requests.push(seen);
		setImmediate(() => (seen.complete = request.complete));
	};
	const onOther = (): void => void (kept = false);
	server.on("request", onRequest);
	for (const event of ["checkContinue", "clientError", "upgrade", "connect", "dropRequest"]) server.on(event, onOther);
	server.emit("connection", connection);
	connection.push(Buffer.from(text, "latin1"));
	for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
	server.removeAllListeners("request");
	for (const event of ["checkContinue", "clientError", "upgrade", "connect", "dropRequest"]) server.off(event, onOther);
	connection.destroy();
	return { requests, kept };
}

const HOST = "Host: h\r\n";

suite("parseExpressHead", () => {
	test("takes plain requests", () => {
		const cases: [string, Taken][] = [
			[`GET / HTTP/1.1\r\n${HOST}\r\n`, { method: "GET", url: "/", rawHeaders: ["Host", "h"] }],
			[
				`DELETE /a/b?c=%20 HTTP/1.1\r\nhOST:\t h:80 \t\r\nX-Empty:\r\nx: a  b\xff\r\n\r\n`,
				{ method: "DELETE", url: "/a/b?c=%20", rawHeaders: ["hOST", "h:80", "X-Empty", "", "x", "a  b\xff"] },
			],
			[
				`OPTIONS /#x HTTP/1.1\r\n${HOST}Connection: Keep-Alive\r\nA: 1\r\nA: 2\r\n\r\n`,
				{
					method: "OPTIONS",
					url: "/#x",
					rawHeaders: ["Host", "h", "Connection", "Keep-Alive", "A", "1", "A", "2"],
				},
			],
		];
		for (const [text, expected] of cases) assert.deepEqual(take(text), expected, JSON.stringify(text));
	});

	test("leaves to Node what ends elsewhere, asks for more than an answer, or is not beyond doubt", () => {
		const refused: readonly string[] = [
			"",
			"GET",
			"GET / HTTP/1.1",
			"GET / HTTP/1.1\r\n",
			"GET / HTTP/1.1\r\n\r\n",
			`GET / HTTP/1.1\r\n${HOST}`,
			`GET / HTTP/1.1\r\n${HOST}\r`,
			`GET / HTTP/1.1\r\n${HOST}\r\nx`,
			`GET / HTTP/1.1\r\n${HOST}\r\nGET / HTTP/1.1\r\n${HOST}\r\n`,
			`GET / HTTP/1.0\r\n${HOST}\r\n`,
			`GET / HTTP/1.1\n${HOST}\n`,
			`GET  / HTTP/1.1\r\n${HOST}\r\n`,
			`GET /\t HTTP/1.1\r\n${HOST}\r\n`,
			`GET /\xe9 HTTP/1.1\r\n${HOST}\r\n`,
			`GET * HTTP/1.1\r\n${HOST}\r\n`,
			`GET http://h/ HTTP/1.1\r\n${HOST}\r\n`,
			`\r\nGET / HTTP/1.1\r\n${HOST}\r\n`,
			`get / HTTP/1.1\r\n${HOST}\r\n`,
			`GETS / HTTP/1.1\r\n${HOST}\r\n`,
			`HEAD / HTTP/1.1\r\n${HOST}\r\n`,
			`POST / HTTP/1.1\r\n${HOST}\r\n`,
			`CONNECT h:1 HTTP/1.1\r\n${HOST}\r\n`,
			`GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`,
			`GET / HTTP/1.1\r\n${HOST}A : 1\r\n\r\n`,
			`GET / HTTP/1.1\r\n${HOST}A\r\n\r\n`,
			`GET / HTTP/1.1\r\n${HOST}: 1\r\n\r\n`,
			`GET / HTTP/1.1\r\n${HOST}A: 1\r\n folded\r\n\r\n`,
			`GET / HTTP/1.1\r\n${HOST}A: \0\r\n\r\n`,
			`GET / HTTP/1.1\r\n${HOST}A: 1\rB: 2\r\n\r\n`,
			`GET / HTTP/1.1\r\n${HOST}A: 1\nB: 2\r\n\r\n`,
			...[
				"Connection: close",
				"connection: keep-alive, x",
				"CONTENT-LENGTH: 0",
				"Expect: 100-continue",
				"Keep-Alive: 5",
				"Proxy-Connection: close",
				"TE: trailers",
				"Trailer: x",
				"Transfer-Encoding: chunked",
				"Upgrade: websocket",
			].map((field) => `GET / HTTP/1.1\r\n${HOST}${field}\r\n\r\n`),
		];
		for (const text of refused) assert.equal(take(text), undefined, JSON.stringify(text));
	});

	test("what it takes, Node takes for the same request, whole, on a connection that goes on", async () => {
		const plain = fc.constantFrom("GET / HTTP/1.1\r\n", "Host: h\r\n", "a:1\r\n", "Connection: keep-alive\r\n", "\r\n");
		const odd = fc.constantFrom(
			"GET ",
			"DELETE /",
			"OPTIONS /",
			" HTTP/1.1",
			"\r\n",
			"\r",
			"\n",
			":",
			" ",
			"\t",
			"#",
			"/",
			"\xff",
			"\0",
			"\x7f",
			",",
			"Content-Length: 0\r\n",
			"Transfer-Encoding: chunked\r\n",
			"Upgrade: x\r\n",
			"Expect: 100-continue\r\n",
			"close",
		);
		const any = fc.oneof(odd, fc.string({ unit: "binary-ascii", maxLength: 6 }));
		// A request that is as it should be, with something cut out and something put in.
		const mutated = fc
			.tuple(fc.array(plain, { maxLength: 4 }), fc.nat(120), fc.integer({ min: 0, max: 3 }), any)
			.map(([parts, at, cut, insert]) => {
				const text = `GET /path?q HTTP/1.1\r\nHost: h\r\nA: b\r\n${parts.slice(1).join("")}\r\n`;
				const place = at % (text.length + 1);
				return text.slice(0, place) + insert + text.slice(place + cut);
			});
		let taken = 0;
		await fc.assert(
			fc.asyncProperty(mutated, async (text) => {
				const head = take(text);
				if (head === undefined) return;
				taken++;
				assert.deepEqual(await takeByNode(text), { requests: [{ ...head, complete: true }], kept: true });
			}),
			{ numRuns: 5_000 },
		);
		assert.ok(taken > 200, `only ${taken} were taken`);
	});
});
