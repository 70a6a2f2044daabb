import assert from "node:assert/strict";
import { test } from "node:test";
import { type Handle, rawAnswer, serving } from "../../../test/http-site.ts";

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
			["GET / HTTP/1.1\r\nHost: h\r\nhost: h\r\n", /^HTTP\/1.1 400 /],
			["GET / HTTP/1.0\r\nHost: h\r\nHost: i\r\n", /^HTTP\/1.1 400 /],
			["GET / HTTP/1.1\r\n", /^HTTP\/1.1 400 /],
			[`GET / HTTP/1.1\r\nHost: h\r\nx: ${"y".repeat(70_000)}\r\n`, /^HTTP\/1.1 431 /],
		];
		for (const [head, expected] of cases) {
			assert.match(await rawAnswer(listener.port, `${head}Connection: close\r\n\r\n`), expected, head.slice(0, 60));
		}
		assert.deepEqual(new Set((await idle()).map(({ outcome }) => outcome)), new Set(["answered", "refused"]));
	});
});
