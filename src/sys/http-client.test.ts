import assert from "node:assert/strict";
import { createServer, type Server } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from "node:net";
import { test } from "node:test";
import { createHttpClient, type HttpClientRequest, type HttpExchange } from "./http-client.ts";
import { HttpFailure, type HttpFailureKind, toHttpFailure } from "./http-failure.ts";

/** Of `localhost`, signed by itself, valid from 2020 to 2120; it protects nothing. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgoljzIOqrR0hROpdv
dYXboQdjhwKdDPFPy2XchADtwjKhRANCAAQmDi535uWXt25swuXXpC7bZnxU1Mss
Zg2hLmEH3aXr1V0FDAAQVFSSP2vATrwJzi33kyGq/2CckTzlilTIZJXg
-----END PRIVATE KEY-----`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBYjCCAQegAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCYOLnfm5Ze3bmzC
5dekLttmfFTUyyxmDaEuYQfdpevVXQUMABBUVJI/a8BOvAnOLfeTIar/YJyRPOWK
VMhkleCjSDBGMA8GA1UdEwEB/wQFMAMBAf8wFAYDVR0RBA0wC4IJbG9jYWxob3N0
MB0GA1UdDgQWBBQNlNLBThIKjhi2ydsugTggq5bdQzAKBggqhkjOPQQDAgNJADBG
AiEA1D6Tzf6NdlK+s1xrCN3UOd1AR+fwh5rTxhC/Qxx3F8oCIQDnM+sj6/RsI++Z
eHxRIdJHdvfDFXzn4rkV+xeolBbUxQ==
-----END CERTIFICATE-----`;

function requestTo(server: Server | TcpServer, rest: Partial<HttpClientRequest> = {}): HttpClientRequest {
	const { port } = server.address() as AddressInfo;
	return {
		scheme: "http",
		host: "localhost",
		port,
		method: "GET",
		path: "/",
		headers: ["host", `localhost:${port}`],
		hasBody: false,
		timeouts: { connect: 5000, firstByte: 5000, betweenBytes: 5000 },
		bodyBound: 65_536,
		...rest,
	};
}

/** The body, or the kind of the failure. */
async function outcomeOf(exchange: HttpExchange): Promise<string> {
	while (!exchange.ready()) await exchange.wait();
	try {
		const body = exchange.response()?.body;
		assert.ok(body);
		let text = "";
		for (;;) {
			if (!body.ready()) await body.wait();
			const bytes = body.read(65_536);
			if (bytes === null) return text;
			text += Buffer.from(bytes).toString();
		}
	} catch (error) {
		assert.ok(error instanceof HttpFailure, String(error));
		return `failure: ${error.kind}`;
	}
}

async function listening(server: Server | TcpServer): Promise<void> {
	await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
}

test("certificates are verified, whatever the environment says", async () => {
	const server = createServer({ key: KEY, cert: CERTIFICATE }, (_request, response) => response.end("secure"));
	await listening(server);
	const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
	process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
	const strict = createHttpClient();
	const trusting = createHttpClient({ ca: CERTIFICATE });
	try {
		const secure = requestTo(server, { scheme: "https" });
		assert.equal(await outcomeOf(strict.send(secure)), "failure: tls-certificate");
		assert.equal(await outcomeOf(trusting.send(secure)), "secure");
		// Trusted, but for another name.
		assert.equal(await outcomeOf(trusting.send({ ...secure, host: "127.0.0.1" })), "failure: tls-certificate");
	} finally {
		if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
		else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
		strict.close();
		trusting.close();
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	}
});

test("a request on a kept connection that the server has given up is sent again, if that does no harm", async () => {
	let connections = 0;
	const seen: string[] = [];
	// Answers the first request of a connection; the next one finds it closed.
	const server = createTcpServer((socket) => {
		connections++;
		let requests = 0;
		socket.on("error", () => {});
		socket.on("data", (data) => {
			seen.push(`${connections} ${data.toString().split(" ")[0]}`);
			if (requests++ > 0) socket.resetAndDestroy();
			else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
		});
	});
	await listening(server);
	const client = createHttpClient();
	const idle = async (): Promise<void> => {
		while (client.inFlight > 0) await new Promise((resolve) => setImmediate(resolve));
	};
	try {
		for (const [method, outcome] of [
			["GET", "ok"],
			["GET", "ok"],
			["POST", "ok"],
			["POST", "failure: connection-terminated"],
		] as const) {
			let done = 0;
			assert.equal(await outcomeOf(client.send(requestTo(server, { method, onDone: () => done++ }))), outcome, method);
			await idle();
			assert.equal(done, 1);
		}
		assert.deepEqual(seen, ["1 GET", "1 GET", "2 GET", "3 POST", "3 POST"]);
	} finally {
		client.close();
		await new Promise((resolve) => server.close(resolve));
	}
});

test("a request that was aborted before it was connected leaves nothing behind", async () => {
	const server = createTcpServer((socket) => socket.on("error", () => {}));
	await listening(server);
	const client = createHttpClient();
	let done = 0;
	const exchange = client.send(requestTo(server, { hasBody: true, onDone: () => done++ }));
	exchange.abort();
	exchange.abort();
	assert.equal(await outcomeOf(exchange), "failure: connection-terminated");
	while (client.inFlight > 0) await new Promise((resolve) => setImmediate(resolve));
	assert.equal(done, 1);
	assert.throws(() => exchange.body.capacity(), HttpFailure);
	client.close();
	await new Promise((resolve) => server.close(resolve));
});

test("the failures of Node have the kind that says what happened", () => {
	const cases: [string, HttpFailureKind][] = [
		["ENOTFOUND", "dns-error"],
		["EAI_AGAIN", "dns-error"],
		["ECONNREFUSED", "connection-refused"],
		["EHOSTUNREACH", "destination-unroutable"],
		["ETIMEDOUT", "connection-timeout"],
		["ECONNRESET", "connection-terminated"],
		["EPIPE", "connection-terminated"],
		["DEPTH_ZERO_SELF_SIGNED_CERT", "tls-certificate"],
		["CERT_HAS_EXPIRED", "tls-certificate"],
		["ERR_TLS_CERT_ALTNAME_INVALID", "tls-certificate"],
		["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls-certificate"],
		["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "tls-alert"],
		["ERR_SSL_WRONG_VERSION_NUMBER", "tls-protocol"],
		["EPROTO", "tls-protocol"],
		["HPE_HEADER_OVERFLOW", "header-section-size"],
		["HPE_INVALID_CONSTANT", "protocol"],
		["EMFILE", "internal"],
	];
	for (const [code, kind] of cases) {
		const failure = toHttpFailure(Object.assign(new Error("what Node says"), { code }));
		assert.deepEqual([failure.kind, failure.detail, failure.message], [kind, code, "what Node says"]);
	}
	const several = toHttpFailure(Object.assign(new AggregateError([]), { code: "ECONNREFUSED" }));
	assert.equal(several.message, "ECONNREFUSED");
	assert.equal(toHttpFailure(several), several);
	assert.equal(toHttpFailure("thrown").kind, "internal");
});
