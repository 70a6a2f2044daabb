/** What of the system is missing or used up: calls are slower then, or refused where they cannot succeed, and it is said once. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const FIXTURE = fileURLToPath(new URL("fallbacks.fixture.ts", import.meta.url));
const RIGHT = ["1702", "1703", "1704"];

interface Said {
	readonly answers: readonly string[];
	readonly warnings: readonly string[];
}

async function ask(command: string, ...args: readonly string[]): Promise<Said> {
	const { stdout, stderr } = await run(command, args, { env: { ...process.env, NODE_OPTIONS: "" } });
	assert.equal(stderr, "");
	return JSON.parse(stdout) as Said;
}

/** Runs with a file system of one page in the place of a folder. `undefined` where this machine does not let us. */
async function askOnMount(folder: string, options: string): Promise<Said | undefined> {
	const mount = `mount -t tmpfs -o ${options} none ${folder}`;
	const allowed = await run("unshare", ["--mount", "sh", "-c", mount]).then(
		() => true,
		() => false,
	);
	if (!allowed) return undefined;
	return await ask(
		"unshare",
		"--mount",
		"sh",
		"-c",
		`${mount} && exec "$@"`,
		"sh",
		process.execPath,
		FIXTURE,
		"",
		folder,
	);
}

suite("fallbacks", { skip: process.platform !== "linux" }, () => {
	test("nothing is missing: nothing is said", async () => {
		assert.deepEqual(await ask(process.execPath, FIXTURE), { answers: RIGHT, warnings: [] });
	});

	test("no node:ffi", async () => {
		assert.deepEqual(await ask(process.execPath, "--no-experimental-ffi", FIXTURE), {
			answers: RIGHT,
			warnings: ["Cannot use copy-on-write memory: node:ffi is missing: resets copy whole memories"],
		});
	});

	test("V8's trap handler is off", async () => {
		const why = "V8's trap handler is off, as where address space is limited (ulimit -v)";
		assert.deepEqual(await ask(process.execPath, "--disable-wasm-trap-handler", FIXTURE), {
			answers: RIGHT,
			warnings: [`Cannot use copy-on-write memory: ${why}: resets copy whole memories`],
		});
	});

	test("no more file descriptors", async () => {
		assert.deepEqual(await ask("prlimit", "--nofile=256", process.execPath, FIXTURE, "descriptors"), {
			answers: RIGHT,
			warnings: ["Cannot make an image of a memory: memfd_create failed: resets copy whole memories"],
		});
	});

	test("no more address space: refused with a code, and right again when there is some", async () => {
		const { answers, warnings } = await ask("prlimit", "--as=429496729600", process.execPath, FIXTURE, "addresses");
		const [first, without = "", after] = answers;
		assert.deepEqual({ first, after, warnings }, { first: "1702", after: "1704", warnings: [] });
		// V8 may still find some that nobody needs
		for (const answer of without.split(", ")) assert.match(answer, /^(1703|link\/instantiation)$/);
	});

	for (const [what, options, why] of [
		["full", "size=4k,mode=700", /ENOSPC/],
		["read-only", "ro,mode=700", /EROFS/],
	] as const) {
		test(`a cache folder that is ${what}`, async (t) => {
			const folder = mkdtempSync(join(tmpdir(), "skerry-full-"));
			try {
				const said = await askOnMount(folder, options);
				if (said === undefined) return t.skip("file systems cannot be mounted here");
				assert.deepEqual([said.answers, said.warnings.length], [RIGHT, 1], said.warnings.join("\n"));
				assert.match(said.warnings[0] ?? "", /^Cannot use the cache folder /);
				assert.match(said.warnings[0] ?? "", why);
			} finally {
				rmSync(folder, { recursive: true });
			}
		});
	}

	test("a cache folder that is a file", async () => {
		const folder = mkdtempSync(join(tmpdir(), "skerry-file-"));
		try {
			writeFileSync(join(folder, "taken"), "");
			const { answers, warnings } = await ask(process.execPath, FIXTURE, "", join(folder, "taken"));
			assert.deepEqual([answers, warnings.length], [RIGHT, 1], warnings.join("\n"));
			assert.match(warnings[0] ?? "", /^Cannot use the cache folder /);
		} finally {
			rmSync(folder, { recursive: true });
		}
	});
});
