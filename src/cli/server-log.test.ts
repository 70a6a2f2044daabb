import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { SkerryError } from "../fault/mod.ts";
import type { RequestRecord } from "../trigger/mod.ts";
import { GuestExit } from "../wasi/mod.ts";
import { describeDenied, describeOutput, describeRequest, type GrantedBy } from "./server-log.ts";

const plain = (text: string | undefined): string | undefined => text && stripVTControlCharacters(text);

suite("describeOutput", () => {
	const cases: readonly (readonly [string, string])[] = [
		["Error: no such thing", "Error: no such thing"],
		["\ta\tb", "\ta\tb"],
		["\u001b[2J\u001b[31mgone\r\u0007\u009b1m", "\\u{1b}[2J\\u{1b}[31mgone\\u{d}\\u{7}\\u{9b}1m"],
		["a\u202eb\u2028c", "a\\u{202e}b\\u{2028}c"],
		["👩\u200d🚀 ä", "👩\u200d🚀 ä"],
	];
	for (const [line, shown] of cases)
		test(JSON.stringify(line), () =>
			assert.equal(plain(describeOutput("shop", "stderr", line)), `[shop stderr] ${shown}`),
		);

	test("of a request", () =>
		assert.equal(plain(describeOutput("shop", "stdout", "a", "8f0ea2-1")), "8f0ea2-1 [shop stdout] a"));
});

suite("describeDenied", () => {
	const origin = "https://api.example.com";
	const cases: [GrantedBy, string | undefined, string][] = [
		["flag", origin, `denied: it; grant it with --allow-outbound ${origin}`],
		[
			"manifest",
			origin,
			`denied: it; grant it in skerry.toml with allowed_outbound_hosts = ["${origin}"], or with --allow-outbound ${origin}`,
		],
		["manifest", undefined, "denied: it; the hint"],
	];
	for (const [by, wanted, expected] of cases) {
		test(expected, () => assert.equal(plain(describeDenied(by, "it", "the hint", wanted)), expected));
	}
});

suite("describeRequest", () => {
	const answered: RequestRecord = {
		id: "a-1",
		method: "GET",
		path: "/x",
		status: 200,
		milliseconds: 1.25,
		outcome: "answered",
		reason: undefined,
		error: undefined,
	};
	const error = new SkerryError("guest/killed", "killed", { hint: "a hint" });
	const failed: RequestRecord = { ...answered, status: 500, outcome: "failed", reason: "killed", error };
	const cases: [string, RequestRecord, boolean, string | undefined][] = [
		["what went well, unasked", answered, false, undefined],
		["what went well", answered, true, "a-1 GET /x 200 1.3 ms answered"],
		["a client that left", { ...answered, outcome: "client-gone" }, false, undefined],
		[
			"what failed, with its error",
			failed,
			false,
			"a-1 GET /x 500 1.3 ms failed: killed\n    error[guest/killed]: killed\n      help: a hint",
		],
		[
			"what failed behind its answer, with its error",
			{ ...answered, reason: "killed", error },
			false,
			"a-1 GET /x 200 1.3 ms answered, then failed: killed\n    error[guest/killed]: killed\n      help: a hint",
		],
		[
			"who exited with failure behind the answer",
			{ ...answered, reason: "exited", error: new GuestExit(1) },
			false,
			"a-1 GET /x 200 1.3 ms answered, then failed: exited",
		],
		[
			"who exited with success behind the answer, unasked",
			{ ...answered, reason: "exited", error: new GuestExit(0) },
			false,
			undefined,
		],
		[
			"who exited with success behind the answer",
			{ ...answered, reason: "exited", error: new GuestExit(0) },
			true,
			"a-1 GET /x 200 1.3 ms answered: exited",
		],
		[
			"a path that is long",
			{ ...answered, status: undefined, path: `/${"a".repeat(60_000)}` },
			true,
			`a-1 GET /${"a".repeat(499)}… - 1.3 ms answered`,
		],
	];
	for (const [name, record, verbose, expected] of cases) {
		test(name, () => assert.equal(plain(describeRequest(record, verbose)), expected));
	}
});
