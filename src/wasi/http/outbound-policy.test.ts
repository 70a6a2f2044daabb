import assert from "node:assert/strict";
import { test } from "node:test";
import { SkerryError } from "../../fault/mod.ts";
import { grantFor, parseOutboundPolicy } from "./outbound-policy.ts";
import { parseAuthority } from "./request-line.ts";

type Scheme = "http" | "https";

/** Grant, URL, whether it is allowed. */
const CASES: [string, string, boolean][] = [
	["https://api.example.com", "https://api.example.com/", true],
	["https://API.Example.com/", "https://api.example.com.", true],
	["https://api.example.com", "http://api.example.com", false],
	["https://api.example.com", "https://api.example.com:8443", false],
	["https://api.example.com", "https://api.example.com:443", true],
	["https://api.example.com", "https://evil.api.example.com", false],
	["https://api.example.com", "https://api.example.com.evil.org", false],
	["*://api.example.com", "http://api.example.com", true],
	["*://api.example.com", "http://api.example.com:443", false],
	["http://localhost:*", "http://localhost:9", true],
	["http://localhost:8080", "http://localhost:8080", true],
	["http://localhost:8080", "http://127.0.0.1:8080", false],
	["https://*", "https://anything.org", true],
	["https://*", "https://10.0.0.1", true],
	["https://*.example.com", "https://a.b.example.com", true],
	["https://*.example.com", "https://example.com", false],
	["https://*.example.com", "https://badexample.com", false],
	["http://127.0.0.1", "http://127.0.0.1", true],
	["http://127.0.0.1", "http://0x7f.1", true],
	["http://127.0.0.1", "http://localhost", false],
	["http://10.0.0.0/8:80", "http://10.200.3.4", true],
	["http://10.0.0.0/8", "http://11.0.0.1", false],
	["http://10.0.0.0/8", "http://10.example.com", false],
	["http://[fd00::]/8", "http://[fd12::1]", true],
	["http://[::1]:3000", "http://[0:0:0:0:0:0:0:1]:3000", true],
	["http://[::1]:3000", "http://[::2]:3000", false],
	["https://bücher.example", "https://xn--bcher-kva.example", true],
];

test("grants allow what they name and nothing else", () => {
	for (const [grant, url, allowed] of CASES) {
		const [scheme, rest] = url.split("://");
		const destination = parseAuthority((rest ?? "").replace(/\/$/, ""));
		assert.ok(destination, url);
		const port = destination.port ?? (scheme === "https" ? 443 : 80);
		const policy = parseOutboundPolicy([grant]);
		assert.equal(policy.allows(scheme as Scheme, destination.host, port), allowed, `${grant} for ${url}`);
	}
	assert.equal(parseOutboundPolicy([]).allows("https", "example.com", 443), false);
});

test("bad grants are reported all at once", () => {
	const bad: [string, RegExp][] = [
		["api.example.com", /the scheme is missing/],
		["ftp://a.b", /scheme must be http, https or \*/],
		["https://", /the host is missing/],
		["https://a.b/path", /a path cannot be granted/],
		["https://a.b?x", /a path cannot be granted/],
		["https://user@a.b", /user information/],
		["https://a.b:0", /port must be/],
		["https://a.b:65536", /port must be/],
		["https://a.b:http", /port must be/],
		["https://a.*.b", /host is not valid/],
		["https://a b", /host is not valid/],
		["https://::1", /port must be|brackets/],
		["https://10.0.0.0/33", /at most 32/],
		["https://a.b/8", /needs an IP address/],
		["https://*/8", /needs an IP address/],
		["https://*.10.0.0.1", /no subdomains/],
	];
	for (const [grant, reason] of bad) {
		assert.throws(
			() => parseOutboundPolicy(["https://fine.example", grant]),
			(error) =>
				error instanceof SkerryError &&
				error.code === "cli/usage" &&
				error.message.includes(`"${grant}"`) &&
				!error.message.includes("fine.example") &&
				reason.test(error.message),
			grant,
		);
	}
	assert.throws(
		() => parseOutboundPolicy(bad.map(([grant]) => grant)),
		(error) => error instanceof SkerryError && error.message.split("\n").length === bad.length,
	);
});

test("authorities are brought into one form, or refused", () => {
	const cases: [string, ReturnType<typeof parseAuthority>][] = [
		["Example.COM", { host: "example.com", port: undefined, authority: "example.com" }],
		["example.com:8080", { host: "example.com", port: 8080, authority: "example.com:8080" }],
		["example.com:", { host: "example.com", port: undefined, authority: "example.com" }],
		["2130706433", { host: "127.0.0.1", port: undefined, authority: "127.0.0.1" }],
		["[::FFFF:1]:1", { host: "::ffff:1", port: 1, authority: "[::ffff:1]:1" }],
		["", undefined],
		["a b", undefined],
		["user@host", undefined],
		["host:99999", undefined],
		["host:0", undefined],
		["host/path", undefined],
		["[::1", undefined],
		["::1", undefined],
		["a%41b", undefined],
		["1.2.3.4.5", undefined],
	];
	for (const [authority, expected] of cases) assert.deepEqual(parseAuthority(authority), expected, authority);
});

test("the suggested grant is one that allows the destination", () => {
	const cases: [Scheme, string, number, string][] = [
		["https", "a.b", 443, "https://a.b"],
		["http", "a.b", 8080, "http://a.b:8080"],
		["http", "::1", 80, "http://[::1]"],
	];
	for (const [scheme, host, port, text] of cases) {
		assert.equal(grantFor(scheme, host, port), text);
		assert.equal(parseOutboundPolicy([text]).allows(scheme, host, port), true);
	}
});
