import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { until } from "../../../test/http-site.ts";
import { Deadlines, type Expiring } from "./deadlines.ts";

/** Adds something that logs its expiry. */
function add(deadlines: Deadlines, log: string[], name: string, onExpire: () => void = () => {}): Expiring {
	const running = {
		started: performance.now(),
		before: undefined,
		after: undefined,
		expire() {
			log.push(name);
			assert.ok(performance.now() - this.started >= LIMIT, "not before its time");
			onExpire();
		},
	};
	deadlines.add(running);
	return running;
}

const LIMIT = 30;
const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

suite("Deadlines", () => {
	test("expires in order what was not over in time, and nothing else", async () => {
		const deadlines = new Deadlines(LIMIT);
		const log: string[] = [];
		const over = add(deadlines, log, "over");
		add(deadlines, log, "first");
		await wait(10);
		add(deadlines, log, "second");
		deadlines.delete(over);
		deadlines.delete(over);
		await until(() => log.length > 1, "both have expired");
		await wait(LIMIT);
		assert.deepEqual(log, ["first", "second"]);
	});

	test("watches what is added after all the rest was over, and from within an expiry", async () => {
		const deadlines = new Deadlines(LIMIT);
		const log: string[] = [];
		deadlines.delete(add(deadlines, log, "over"));
		await wait(2 * LIMIT);
		add(deadlines, log, "later", () => add(deadlines, log, "last"));
		await until(() => log.length > 1, "both have expired");
		assert.deepEqual(log, ["later", "last"]);
	});

	test("an expiry can take another back", async () => {
		const deadlines = new Deadlines(LIMIT);
		const log: string[] = [];
		add(deadlines, log, "first", () => deadlines.delete(second));
		const second = add(deadlines, log, "second");
		await until(() => log.length > 0, "one has expired");
		await wait(2 * LIMIT);
		assert.deepEqual(log, ["first"]);
	});
});
