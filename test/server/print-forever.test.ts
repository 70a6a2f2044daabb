/** Guests that print without end, on each stream and in each metering: nothing grows, nobody else suffers, and the operator reads what happened. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { suite, test } from "node:test";
import type { MeteringMode } from "../../src/fault/mod.ts";
import { buildGuest } from "./guest-wat.ts";
import { RunningServer } from "./running-server.ts";

const METERINGS: readonly MeteringMode[] = ["trap", "yield", "fuel"];
/** Of those who print, or send what is read: they come to `cpu` however busy the machine is. */
const LIMITS = { wall: 60_000, cpu: 250, output: 10_000 };
/** Of one who sends a body that nobody reads, on a server of its own: nobody else comes to this limit because the machine is busy. */
const SHORT = { ...LIMITS, wall: 1_500 };
/** MiB that the server may grow by while guests print without end: after some more rounds it stays at 80 to 100. */
const GROWTH = 144;

const OK = "(call $ok (local.get $out))";
/** Whatever is caught or returned, it goes on. */
const endless = (stream: string): string => `
	(call $fill)
	(local.set $a ${stream})
	(loop $again
		(block $caught (try_table (catch_all $caught) (drop (call $say (local.get $a) (i32.const 1024) (i32.const 4096)))))
		(br $again))`;
const BODY = "(call $stream (call $head (local.get $out)))";
const CASES = [OK, endless("(call $stdout)"), endless("(call $stderr)"), endless(BODY), endless(BODY)];

/** Asks for a body, and reads it or never does, until it is over. @returns bytes that came */
async function take(url: string, reads: boolean): Promise<number> {
	return await new Promise((resolve) => {
		let bytes = 0;
		const asked = request(url, { agent: false }, (response) => {
			if (!reads) {
				setTimeout(() => response.destroy(), SHORT.wall + 500);
			} else response.on("data", (chunk: Buffer) => (bytes += chunk.length));
			response.on("error", () => {});
			response.on("close", () => resolve(bytes));
		});
		asked.on("error", () => resolve(bytes));
		asked.end();
	});
}

for (const metering of METERINGS) {
	suite(`printing for ever, metering ${metering}`, () => {
		test("stdout, stderr, a body that is read, and one that is not", async () => {
			const bytes = await buildGuest(CASES);
			await using running = await RunningServer.start({ bytes, limits: LIMITS, metering });
			await using sending = await RunningServer.start({ bytes, limits: SHORT, metering });
			const servers = [running, sending];
			const memory = (): number => servers.reduce((sum, server) => sum + server.memory().now, 0);
			let before = 0;
			for (const round of ["warm-up", "measured", "measured"]) {
				if (round === "measured" && before === 0) before = memory();
				for (const { records } of servers) records.length = 0;
				running.output.length = 0;
				const printing = [
					running.ask("/1"),
					running.ask("/2"),
					take(`${running.url}/3`, true),
					take(`${sending.url}/4`, false),
				] as const;
				const neighbours = Array.from({ length: 40 }, async () => await running.ask("/0"));
				for (const { status, text } of await Promise.all(neighbours)) assert.deepEqual([status, text], [200, "ok"]);
				const [out, err, read] = await Promise.all(printing);
				assert.deepEqual([out.status, err.status], [500, 500]);
				assert.ok(read > 64 * 1024, `${read} bytes of the body came`);
				for (const [server, path, reason] of [
					[running, "/1", /^killed: cpu 250 ms \(limit "cpu"\)$/],
					[running, "/2", /^killed: cpu 250 ms \(limit "cpu"\)$/],
					[running, "/3", /^killed: (cpu 250|wall 60000) ms \(limit "(cpu|wall)"\)$/],
					[sending, "/4", /^killed: wall 1500 ms \(limit "wall"\)$/],
				] as const) {
					assert.match(String((await server.recordOf(path)).reason), reason, path);
				}
				for (const stream of ["stdout", "stderr"]) {
					const lines = running.output.filter((line) => line.startsWith(stream));
					const shown = lines.reduce((sum, line) => sum + (line.match(/x/g)?.length ?? 0), 0);
					assert.equal(shown, LIMITS.output, stream);
					assert.equal(lines.filter((line) => line.includes('(limit "output")')).length, 1, stream);
				}
				for (const server of servers) await server.assertIdle();
			}
			const grown = memory() - before;
			assert.ok(grown < GROWTH, `the servers have grown by ${grown} MiB`);
		});
	});
}
