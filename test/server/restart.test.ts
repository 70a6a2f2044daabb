/** The server as a process of its own that nothing keeps alive but itself: the first time, and again with what the first one kept. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildGuest } from "./guest-wat.ts";

const SKERRY = fileURLToPath(new URL("../../bin/skerry.js", import.meta.url));

test("skerry up answers, with an empty cache and with a full one, and ends when it is told to", async (t) => {
	const folder = mkdtempSync(join(tmpdir(), "skerry-restart-"));
	const servers: ChildProcess[] = [];
	t.after(() => {
		for (const server of servers) server.kill("SIGKILL");
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	});
	const guest = join(folder, "guest.wasm");
	writeFileSync(guest, await buildGuest(["(call $ok (local.get $out))"]));
	for (const metering of ["trap", "trap", "trap", "off", "yield", "yield", "fuel", "fuel"]) {
		const server = spawn(process.execPath, [SKERRY, "up", guest, "--listen", "127.0.0.1:0", "--metering", metering], {
			env: { ...process.env, SKERRY_CACHE_DIR: join(folder, "cache") },
			stdio: ["ignore", "pipe", "pipe"],
		});
		servers.push(server);
		let output = "";
		// When it has also said all that it had to say
		const ended = new Promise<unknown[]>((resolve) => server.once("close", (...how) => resolve(how)));
		const url = await new Promise<string | undefined>((resolve) => {
			const onText = (text: string): void => {
				output += text;
				const found = /(http:\/\/127\.0\.0\.1:\d+)\s/.exec(output)?.[1];
				if (found !== undefined) resolve(found);
			};
			server.stdout.setEncoding("utf8").on("data", onText);
			server.stderr.setEncoding("utf8").on("data", onText);
			void ended.then(() => resolve(undefined));
		});
		assert.ok(url !== undefined, `${metering}: ${output}`);
		const answer = await fetch(`${url}/0`).then(async (response) => [response.status, await response.text()], String);
		assert.deepEqual(answer, [200, "ok"], `${metering}: ${output}`);
		server.kill("SIGTERM");
		assert.deepEqual(await ended, [0, null], `${metering}: ${output}`);
	}
});
