import assert from "node:assert/strict";
import { test } from "node:test";
import { atTurnEnd } from "./turn-end.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what is due at the end of a turn comes then, once, in order, and what it asks for with it", async () => {
	const log: string[] = [];
	const later = { onTurnEnd: () => log.push("later") };
	atTurnEnd({
		onTurnEnd() {
			log.push("first");
			atTurnEnd(later);
		},
	});
	atTurnEnd({ onTurnEnd: () => log.push("second") });
	await Promise.resolve();
	assert.deepEqual(log, []);
	await turn();
	assert.deepEqual(log, ["first", "second", "later"]);
	await turn();
	assert.deepEqual(log, ["first", "second", "later"]);
	atTurnEnd(later);
	await turn();
	assert.equal(log.length, 4);
});

test("one that throws does not keep what was asked for from coming", async () => {
	const log: string[] = [];
	const { promise: caught, resolve } = Promise.withResolvers<unknown>();
	process.setUncaughtExceptionCaptureCallback(resolve);
	atTurnEnd({
		onTurnEnd() {
			atTurnEnd({ onTurnEnd: () => log.push("asked for by it") });
			throw new Error("thrown");
		},
	});
	atTurnEnd({ onTurnEnd: () => log.push("beside it") });
	assert.match(String(await caught), /thrown/);
	process.setUncaughtExceptionCaptureCallback(null);
	await turn();
	await turn();
	assert.deepEqual(log.sort(), ["asked for by it", "beside it"]);
});
