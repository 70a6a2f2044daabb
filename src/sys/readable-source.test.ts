import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { PassThrough } from "node:stream";
import { suite, test } from "node:test";
import { createReadableSource } from "./readable-source.ts";

/** A process whose standard input is a pipe, running `body` with `source` over `process.stdin`. */
function runWithStdin(body: string): {
	write(text: string): void;
	end(): void;
	/** Settles with the first output. */
	said: Promise<string>;
	/** Exit status and all output. */
	done: Promise<[number | null, string]>;
} {
	const module = new URL("readable-source.ts", import.meta.url).href;
	const child = spawn(
		process.execPath,
		[
			"--input-type=module",
			"-e",
			`import { createReadableSource } from ${JSON.stringify(module)};
			const source = createReadableSource(() => process.stdin, { destroy: false });
			${body}`,
		],
		{ stdio: ["pipe", "pipe", "inherit"], timeout: 100_000 },
	);
	let output = "";
	const said = Promise.withResolvers<string>();
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		output += text;
		said.resolve(text);
	});
	const done = new Promise<[number | null, string]>((resolve) => {
		child.on("close", (code) => resolve([code, output]));
	});
	return {
		write: (text) => child.stdin.write(text),
		end: () => child.stdin.end(),
		said: said.promise,
		done,
	};
}

suite("process.stdin", { timeout: 120_000 }, () => {
	test("is left alone by a process that never reads it, which ends although its input is open", async () => {
		const child = runWithStdin(`console.log(process.stdin === undefined ? "" : "ran");`);
		assert.deepEqual(await child.done, [0, "ran\n"]);
		child.end();
	});

	test("is read as it comes, to its end", async () => {
		const child = runWithStdin(`
			let text = "";
			for (;;) {
				const bytes = source.read(4);
				if (bytes === null) break;
				text += new TextDecoder().decode(bytes);
				if (text === "first") process.stdout.write("got first;");
				if (!source.ready()) await source.wait();
			}
			process.stdout.write(text);`);
		child.write("first");
		assert.equal(await child.said, "got first;");
		child.write(" second");
		child.end();
		assert.deepEqual(await child.done, [0, "got first;first second"]);
	});

	test("does not keep the process once closed", async () => {
		const child = runWithStdin(`
			while (!source.ready()) await source.wait();
			process.stdout.write(new TextDecoder().decode(source.read(2)));
			source.close();`);
		child.write("abcdef");
		assert.deepEqual(await child.done, [0, "ab"]);
		child.end();
	});
});

test("opens its stream only when it is asked for bytes", () => {
	let opened = 0;
	const source = createReadableSource(
		() => {
			opened++;
			return new PassThrough();
		},
		{ destroy: true },
	);
	assert.equal(opened, 0);
	assert.deepEqual(source.read(1), new Uint8Array(0));
	assert.equal(source.ready(), false);
	assert.equal(opened, 1);
	source.close();

	const untouched = createReadableSource(() => assert.fail("opened"), { destroy: true });
	untouched.close();
	assert.equal(untouched.read(1), null);
});

test("refuses a stream of objects", () => {
	const source = createReadableSource(() => new PassThrough({ objectMode: true }), { destroy: true });
	assert.throws(() => source.read(1), TypeError);
});

test("does not read ahead of its reader by more than the stream's own buffer", async () => {
	const stream = new PassThrough({ highWaterMark: 1000 });
	const source = createReadableSource(() => stream, { destroy: true });
	assert.equal(source.ready(), false);
	let written = 0;
	while (stream.write(new Uint8Array(100))) written += 100;
	await new Promise(setImmediate);
	assert.ok(written <= 3000, `${written} bytes were taken`);
	assert.equal(stream.writableNeedDrain, true);
	source.close();
	assert.equal(stream.destroyed, true);
});

test("a broken stream fails with its message, and one that is cut off says so", async () => {
	for (const [error, message] of [
		[new Error("the disk is on fire"), "the disk is on fire"],
		[undefined, "the stream was closed before its end"],
	] as const) {
		const stream = new PassThrough();
		const source = createReadableSource(() => stream, { destroy: true });
		assert.equal(source.ready(), false);
		const woken = source.wait();
		stream.destroy(error);
		await woken;
		assert.equal(source.ready(), true);
		assert.throws(() => source.read(1), { name: "StreamFailure", message });
		// One that broke before anybody looked says the same.
		const late = createReadableSource(() => stream, { destroy: true });
		assert.throws(() => late.read(1), { name: "StreamFailure", message });
	}
});

test("leaves no listeners on a stream that it does not destroy", () => {
	const stream = new PassThrough();
	const source = createReadableSource(() => stream, { destroy: false });
	const before = stream.eventNames().map((name) => [name, stream.listenerCount(name)]);
	source.ready();
	source.close();
	assert.deepEqual(
		stream.eventNames().map((name) => [name, stream.listenerCount(name)]),
		before,
	);
	assert.equal(stream.destroyed, false);
});
