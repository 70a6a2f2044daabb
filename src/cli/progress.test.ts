import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { suite, test } from "node:test";
import { withProgress } from "./progress.ts";

/** A stream that keeps what is written to it. */
function createStream(isTTY: boolean): { stream: NodeJS.WriteStream; text: () => string } {
	let written = "";
	const stream = new Writable({
		write(chunk, _encoding, done) {
			written += String(chunk);
			done();
		},
	});
	return { stream: Object.assign(stream, { isTTY }) as unknown as NodeJS.WriteStream, text: () => written };
}

suite("withProgress", () => {
	test("says nothing of what takes less than a second", async (t) => {
		t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
		for (const isTTY of [true, false]) {
			const { stream, text } = createStream(isTTY);
			const work = () => {
				t.mock.timers.tick(999);
				return 7;
			};
			assert.equal(await withProgress("Compiling", work, stream), 7);
			t.mock.timers.tick(5000);
			assert.equal(text(), "");
		}
	});

	test("writes one line where there is no terminal", async (t) => {
		t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
		const { stream, text } = createStream(false);
		await withProgress("Compiling", () => t.mock.timers.tick(9000), stream);
		assert.equal(text(), "Compiling …\n");
	});

	test("spins on a terminal and clears the line, also when the work fails", async (t) => {
		t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
		const { stream, text } = createStream(true);
		const work = (): never => {
			t.mock.timers.tick(1000);
			t.mock.timers.tick(80);
			throw new Error("no");
		};
		await assert.rejects(withProgress("Compiling", work, stream), /^Error: no$/);
		t.mock.timers.tick(1000);
		assert.equal(text(), "\x1b[1G⠋ Compiling \x1b[1G⠙ Compiling \x1b[2K\x1b[1G");
	});
});
