import assert from "node:assert/strict";
import { test } from "node:test";
import { SHARED_CLIENT, toWasiOptions } from "./grants.ts";

test("an embedder is told of options, and not of flags, and has the origin", () => {
	const told: (string | undefined)[][] = [];
	const { onDenied } = toWasiOptions({ onDenied: (...denied) => told.push(denied) }, SHARED_CLIENT);
	onDenied?.(
		"an HTTP request to https://a.example",
		"grant it with --allow-outbound https://a.example",
		"https://a.example",
	);
	onDenied?.("sockets", "they are not supported");
	assert.deepEqual(told, [
		[
			"an HTTP request to https://a.example",
			'grant it with wasi: { allowOutbound: ["https://a.example"] }',
			"https://a.example",
		],
		["sockets", "they are not supported", undefined],
	]);
});
