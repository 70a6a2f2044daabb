import assert from "node:assert/strict";
import fs, { readFileSync, symlinkSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { suite, test } from "node:test";

import { viewOf } from "../../link/mod.ts";
import { CollectingSink, createBytesSource, createPipe, createSeededRandom } from "../../sys/mod.ts";
import { GuestExit } from "../exit.ts";
import { errnoOf } from "./errno.ts";
import { P1Guest, TestFolder } from "./p1.fixture.ts";

const OK = 0;
const CREATE = 1;
const DIRECTORY = 2;
const READ = 0x2n;
const WRITE = 0x40n;
const APPEND = 1;
const [SET, CUR, END] = [0, 1, 2];

const LONG = [64, 900] as const;
const FAULT = errnoOf("fault");
const INVAL = errnoOf("inval");
const BADF = errnoOf("badf");

suite("arguments and environment", () => {
	test("are written as they are, and nothing beside them", () => {
		using guest = new P1Guest({ args: ["prog", "", "grüße"], env: { A: "1", B: "=x" } });
		viewOf(guest.memory, 0, 256).fill(0xaa);
		assert.equal(guest.call("args_sizes_get", 0, 4), OK);
		assert.deepEqual([guest.memory.getU32(0), guest.memory.getU32(4)], [3, 14]);
		assert.equal(guest.call("args_get", 16, 64), OK);
		assert.deepEqual(
			[16, 20, 24].map((at) => guest.memory.getU32(at)),
			[64, 69, 70],
		);
		assert.equal(guest.memory.text(64, 14), "prog\0\0grüße\0");
		assert.deepEqual([guest.memory.getU8(28), guest.memory.getU8(63), guest.memory.getU8(78)], [0xaa, 0xaa, 0xaa]);
		assert.equal(guest.call("environ_sizes_get", 0, 4), OK);
		assert.deepEqual([guest.memory.getU32(0), guest.memory.getU32(4)], [2, 9]);
		assert.equal(guest.call("environ_get", 16, 64), OK);
		assert.equal(guest.memory.text(64, 9), "A=1\0B==x\0");
	});

	test("by default there are none", () => {
		using guest = new P1Guest();
		guest.memory.setU64(0, ~0n & 0xffff_ffff_ffff_ffffn);
		assert.equal(guest.call("environ_sizes_get", 0, 4), OK);
		assert.equal(guest.memory.getU64(0), 0n);
	});
});

suite("standard streams", () => {
	test("what is written goes out in one piece, of all vectors", () => {
		const stdout = new CollectingSink();
		using guest = new P1Guest({ stdout });
		const vectors = guest.vectors(guest.text("one "), guest.text(""), guest.text("two"));
		assert.equal(guest.call("fd_write", 1, ...vectors, 0), OK);
		assert.equal(guest.memory.getU32(0), 7);
		assert.equal(stdout.text(), "one two");
		assert.equal(guest.call("fd_write", 0, ...vectors, 0), BADF);
		assert.equal(guest.call("fd_read", 1, ...vectors, 0), BADF);
	});

	test("what is read fills the vectors; the end is nothing", () => {
		using guest = new P1Guest({ stdin: createBytesSource(new TextEncoder().encode("hello")) });
		assert.equal(guest.call("fd_read", 0, ...guest.vectors([64, 3], [80, 10]), 0), OK);
		assert.equal(guest.memory.getU32(0), 5);
		assert.equal(guest.memory.text(64, 3) + guest.memory.text(80, 2), "hello");
		assert.equal(guest.call("fd_read", 0, ...guest.vectors([64, 3]), 0), OK);
		assert.equal(guest.memory.getU32(0), 0);
	});

	test("reading waits for what is not there yet", async () => {
		const { source, sink } = createPipe();
		using guest = new P1Guest({ stdin: source });
		const reading = guest.call("fd_read", 0, ...guest.vectors([64, 8]), 0);
		assert.ok(reading instanceof Promise);
		sink.write(new TextEncoder().encode("late"));
		assert.equal(await reading, OK);
		assert.equal(guest.memory.text(64, guest.memory.getU32(0)), "late");
	});

	test("terminals are known by their type, and have no place to seek", () => {
		using guest = new P1Guest({ terminal: { stdout: true } });
		const type = (fd: number): number => {
			assert.equal(guest.call("fd_fdstat_get", fd, 0), OK);
			return guest.memory.getU8(0);
		};
		assert.deepEqual([type(0), type(1)], [0, 2]);
		assert.equal(guest.call("fd_seek", 1, 0n, CUR, 0), errnoOf("spipe"));
		assert.equal(guest.call("fd_tell", 0, 0), errnoOf("spipe"));
	});
});

suite("files", () => {
	test("are read in pieces, of which the kernel writes none into the guest's memory", (t) => {
		const text = Array.from({ length: 30_001 }, (_, i) => `${i % 89}|`.padEnd(5, "."))
			.join("")
			.slice(0, 150_001);
		using folder = new TestFolder({ file: text });
		using guest = new P1Guest(folder.grant(), 4);
		const { fd } = guest.open("file", { rights: READ });
		const read = t.mock.method(fs, "readSync");
		syncBuiltinESMExports();
		t.after(() => {
			read.mock.restore();
			syncBuiltinESMExports();
		});
		const parts = [
			[2000, 70_000],
			[80_000, 65_536],
			[150_000, 60_000],
		] as const;
		viewOf(guest.memory, 150_000, 60_000).fill(0xaa);
		assert.equal(guest.call("fd_read", fd, ...guest.vectors(...parts), 0), OK);
		assert.equal(guest.memory.getU32(0), text.length);
		const rest = text.length - 70_000 - 65_536;
		assert.ok(
			guest.memory.text(2000, 70_000) + guest.memory.text(80_000, 65_536) + guest.memory.text(150_000, rest) === text,
		);
		assert.equal(guest.memory.getU8(150_000 + rest), 0xaa);
		assert.ok(read.mock.callCount() > 0);
		const { buffer } = viewOf(guest.memory, 0, 1);
		for (const {
			arguments: [, into],
		} of read.mock.calls)
			assert.notEqual((into as Uint8Array).buffer, buffer);
	});

	test("are read, written and sought in", () => {
		using folder = new TestFolder({ file: "0123456789" });
		using guest = new P1Guest(folder.grant());
		const { fd } = guest.open("file", { rights: READ | WRITE });
		const read = (length: number): string => {
			assert.equal(guest.call("fd_read", fd, ...guest.vectors([64, length]), 0), OK);
			return guest.memory.text(64, guest.memory.getU32(0));
		};
		const seek = (offset: bigint, whence: number): unknown =>
			guest.call("fd_seek", fd, offset, whence, 0) === OK ? guest.memory.getU64(0) : "refused";
		assert.equal(read(4), "0123");
		assert.equal(seek(-2n, END), 8n);
		assert.equal(read(10), "89");
		assert.equal(read(10), "");
		assert.deepEqual([seek(-1n, SET), seek(-99n, CUR), seek(0n, 3), seek(2n ** 62n, SET)], Array(4).fill("refused"));
		assert.equal(seek(2n, SET), 2n);
		assert.equal(guest.call("fd_write", fd, ...guest.vectors(guest.text("ab"), guest.text("c")), 0), OK);
		assert.equal(guest.memory.getU32(0), 3);
		assert.equal(seek(0n, CUR), 5n);
		assert.equal(guest.call("fd_pread", fd, ...guest.vectors([64, 3]), 1n, 0), OK);
		assert.equal(guest.memory.text(64, 3), "1ab");
		assert.equal(guest.call("fd_pwrite", fd, ...guest.vectors(guest.text("Z")), 9n, 0), OK);
		assert.equal(guest.call("fd_tell", fd, 0), OK);
		assert.equal(guest.memory.getU64(0), 5n);
		assert.equal(readFileSync(folder.at("file"), "utf8"), "01abc5678Z");
		assert.equal(guest.call("fd_filestat_set_size", fd, 4n), OK);
		assert.equal(guest.call("fd_allocate", fd, 4n, 2n), OK);
		assert.equal(guest.call("fd_filestat_get", fd, 64), OK);
		assert.deepEqual([guest.memory.getU8(80), guest.memory.getU64(96)], [4, 6n]);
		assert.equal(guest.call("fd_filestat_set_size", fd, -1n), errnoOf("fbig"));
		assert.equal(guest.call("fd_allocate", fd, -1n, -1n), errnoOf("fbig"));
		for (const name of ["fd_sync", "fd_datasync", "fd_close"]) assert.equal(guest.call(name, fd), OK, name);
		assert.equal(guest.call("fd_close", fd), BADF);
	});

	test("appending goes to the end, wherever it was", () => {
		using folder = new TestFolder({ file: "a" });
		using guest = new P1Guest(folder.grant());
		const { fd } = guest.open("file", { rights: READ | WRITE, fdFlags: APPEND });
		const late = guest.open("file", { rights: READ | WRITE }).fd;
		assert.equal(guest.call("fd_fdstat_set_flags", late, APPEND), OK);
		for (const [i, one] of [fd, late, fd].entries()) {
			assert.equal(guest.call("fd_seek", one, 0n, SET, 0), OK);
			assert.equal(guest.call("fd_write", one, ...guest.vectors(guest.text(String(i))), 0), OK);
		}
		assert.equal(readFileSync(folder.at("file"), "utf8"), "a012");
	});

	test("are used for what they were opened for only", () => {
		using folder = new TestFolder({ file: "text" });
		using guest = new P1Guest(folder.grant());
		const reads = guest.open("file").fd;
		const writes = guest.open("file", { rights: WRITE }).fd;
		assert.equal(guest.call("fd_write", reads, ...guest.vectors([64, 1]), 0), BADF);
		assert.equal(guest.call("fd_filestat_set_size", reads, 0n), BADF);
		assert.equal(guest.call("fd_read", writes, ...guest.vectors([64, 1]), 0), BADF);
		assert.equal(guest.call("fd_fdstat_set_rights", reads, 0n, 0n), OK);
		assert.equal(guest.call("fd_read", reads, ...guest.vectors([64, 1]), 0), BADF);
		assert.equal(guest.call("fd_fdstat_set_rights", reads, READ, 0n), errnoOf("notcapable"));
		assert.equal(guest.call("fd_renumber", writes, reads), OK);
		assert.equal(guest.call("fd_close", writes), BADF);
		assert.equal(guest.call("fd_write", reads, ...guest.vectors([64, 1]), 0), OK);
	});
});

suite("folders", () => {
	test("are found by the guest's own names", () => {
		using folder = new TestFolder();
		using guest = new P1Guest(folder.grant());
		assert.equal(guest.call("fd_prestat_get", 3, 0), OK);
		assert.deepEqual([guest.memory.getU32(0), guest.memory.getU32(4)], [0, 1]);
		assert.equal(guest.call("fd_prestat_dir_name", 3, 16, 1), OK);
		assert.equal(guest.memory.text(16, 1), "/");
		assert.equal(guest.call("fd_prestat_dir_name", 3, 16, 0), errnoOf("nametoolong"));
		assert.equal(guest.call("fd_prestat_get", 4, 0), BADF);
		const opened = guest.open(".", { flags: DIRECTORY }).fd;
		assert.equal(guest.call("fd_prestat_get", opened, 0), BADF);
	});

	for (const size of [40, 64, 4096]) {
		test(`are listed whole through a buffer of ${size} bytes`, () => {
			using folder = new TestFolder({ "a.txt": "", "b/c": "", "longer-name-than-others": "" });
			symlinkSync("a.txt", folder.at("link"));
			using guest = new P1Guest(folder.grant());
			const found: Record<string, number> = {};
			let cookie = 0n;
			for (let calls = 0; calls < 50; calls++) {
				assert.equal(guest.call("fd_readdir", 3, 1024, size, cookie, 0), OK);
				const used = guest.memory.getU32(0);
				let at = 1024;
				const end = 1024 + used;
				while (at + 24 <= end && at + 24 + guest.memory.getU32(at + 16) <= end) {
					const length = guest.memory.getU32(at + 16);
					found[guest.memory.text(at + 24, length)] = guest.memory.getU8(at + 20);
					cookie = guest.memory.getU64(at);
					at += 24 + length;
				}
				if (used < size) break;
				if (at === 1024) assert.ok(size < 64, "an entry that never fits");
				if (at === 1024) break;
			}
			const all = { ".": 3, "..": 3, "a.txt": 4, b: 3, link: 7, "longer-name-than-others": 4 };
			if (size >= 64) assert.deepEqual(found, all);
			// It goes back where it is told to.
			assert.equal(guest.call("fd_readdir", 3, 1024, 4096, 1n, 0), OK);
			assert.equal(guest.memory.text(1024 + 24, 2), "..");
			assert.equal(guest.call("fd_readdir", 3, 1024, 4096, 99n, 0), OK);
			assert.equal(guest.memory.getU32(0), 0);
		});
	}
});

suite("waiting", () => {
	/** `subscription`s at 1024. */
	function subscribe(
		guest: P1Guest,
		i: number,
		tag: number,
		value: { fd?: number; clock?: number; timeout?: bigint; flags?: number },
	): void {
		const at = 1024 + i * 48;
		guest.memory.setU64(at, BigInt(100 + i));
		guest.memory.setU8(at + 8, tag);
		guest.memory.setU32(at + 16, value.fd ?? value.clock ?? 0);
		guest.memory.setU64(at + 24, value.timeout ?? 0n);
		guest.memory.setU16(at + 40, value.flags ?? 0);
	}

	test("for a clock", async () => {
		using guest = new P1Guest();
		subscribe(guest, 0, 0, { clock: 1, timeout: 20_000_000n });
		const started = performance.now();
		assert.equal(await guest.call("poll_oneoff", 1024, 2048, 1, 0), OK);
		assert.ok(performance.now() - started >= 19);
		assert.equal(guest.memory.getU32(0), 1);
		assert.deepEqual([guest.memory.getU64(2048), guest.memory.getU16(2056), guest.memory.getU8(2058)], [100n, 0, 0]);
	});

	test("for whichever is first: what is there is told at once", () => {
		using guest = new P1Guest();
		subscribe(guest, 0, 0, { clock: 0, timeout: 10n ** 18n });
		subscribe(guest, 1, 2, { fd: 1 });
		subscribe(guest, 2, 1, { fd: 77 });
		assert.equal(guest.call("poll_oneoff", 1024, 2048, 3, 0), OK);
		assert.equal(guest.memory.getU32(0), 2);
		assert.deepEqual([guest.memory.getU64(2048), guest.memory.getU16(2056)], [101n, OK]);
		assert.deepEqual([guest.memory.getU64(2080), guest.memory.getU16(2088)], [102n, BADF]);
	});

	test("a time that has passed, no subscription, and one of no kind", () => {
		using guest = new P1Guest();
		subscribe(guest, 0, 0, { clock: 0, timeout: 1n, flags: 1 });
		assert.equal(guest.call("poll_oneoff", 1024, 2048, 1, 0), OK);
		assert.equal(guest.call("poll_oneoff", 1024, 2048, 0, 0), INVAL);
		assert.equal(guest.call("poll_oneoff", 1024, 2048, 0xffff_ffff, 0), INVAL);
		subscribe(guest, 0, 9, {});
		assert.equal(guest.call("poll_oneoff", 1024, 2048, 1, 0), INVAL);
	});
});

suite("clocks, random, process", () => {
	test("clocks go on, and there are four", () => {
		using guest = new P1Guest();
		for (const id of [0, 1, 2, 3]) {
			assert.equal(guest.call("clock_time_get", id, 0n, 0), OK);
			assert.equal(guest.call("clock_res_get", id, 8), OK);
			assert.ok(guest.memory.getU64(8) > 0n);
		}
		assert.equal(guest.call("clock_time_get", 4, 0n, 0), INVAL);
		assert.equal(guest.call("clock_time_get", 0, 0n, 0), OK);
		const off = Number(guest.memory.getU64(0) / 1_000_000n) - Date.now();
		assert.ok(Math.abs(off) < 1000);
	});

	test("random bytes fill what they are asked for, and no more", () => {
		using guest = new P1Guest({ random: createSeededRandom([1n, 2n]) });
		assert.equal(guest.call("random_get", 64, 16), OK);
		assert.ok(viewOf(guest.memory, 64, 16).some((byte) => byte !== 0));
		assert.ok(viewOf(guest.memory, 80, 100).every((byte) => byte === 0));
	});

	test("exit ends the guest with its status", () => {
		using guest = new P1Guest();
		assert.throws(
			() => guest.call("proc_exit", 3),
			(error) => error instanceof GuestExit && error.status === 3,
		);
		assert.equal(guest.call("sched_yield"), OK);
	});

	test("what is not supported is refused by name, and told once", () => {
		using guest = new P1Guest();
		for (let i = 0; i < 2; i++) assert.equal(guest.call("sock_shutdown", 3, 0), errnoOf("nosys"));
		assert.equal(guest.call("proc_raise", 6), errnoOf("nosys"));
		assert.deepEqual(guest.denied, ["sock_shutdown of WASI 0.1", "proc_raise of WASI 0.1"]);
	});
});

suite("lies", () => {
	test("pointers into nowhere are EFAULT, and too many vectors EINVAL", () => {
		using folder = new TestFolder({ file: "text" });
		using guest = new P1Guest(folder.grant());
		const { fd } = guest.open("file", { flags: CREATE, rights: READ | WRITE });
		const cases: readonly [string, number, ...(number | bigint)[]][] = [
			["fd_read", FAULT, fd, -1, 1, 0],
			["fd_read", FAULT, fd, ...guest.vectors([65_530, 7]), 0],
			["fd_read", FAULT, fd, ...guest.vectors([8, 4], [-1, -1]), 0],
			["fd_read", FAULT, fd, ...guest.vectors([8, 4]), 65_533],
			["fd_read", FAULT, fd, 65_530, 1, 0],
			["fd_read", INVAL, fd, 0, 1025, 0],
			["fd_read", INVAL, fd, 0, -1, 0],
			["fd_write", FAULT, fd, ...guest.vectors([0, -1]), 0],
			["fd_write", FAULT, 1, ...guest.vectors([65_535, 2]), 0],
			["fd_pread", INVAL, fd, ...guest.vectors([64, 1]), -1n, 0],
			["random_get", FAULT, 0, -1],
			["random_get", FAULT, 65_536, 1],
			["random_get", OK, 65_536, 0],
			["args_sizes_get", FAULT, -4, 0],
			["path_open", FAULT, 3, 1, 0, -1, 0, READ, 0n, 0, 0],
			["path_open", FAULT, 3, 1, ...guest.text("file"), 0, READ, 0n, 0, -1],
			["fd_readdir", FAULT, 3, 0, -1, 0n, 0],
			["poll_oneoff", FAULT, 65_500, 0, 1, 0],
			["fd_prestat_dir_name", FAULT, 3, 65_536, 5],
			["fd_filestat_get", FAULT, fd, 65_500],
			["fd_close", BADF, -1],
		];
		for (const [name, errno, ...args] of cases)
			assert.equal(guest.call(name, ...args), errno, `${name} ${args.join()}`);
		// A call that fails opens nothing.
		assert.equal(guest.open("file").fd, fd + 1);
	});

	test("of a long list of vectors, only so much is moved at a time", () => {
		using folder = new TestFolder({ file: "x".repeat(5000) });
		using guest = new P1Guest({ ...folder.grant(), limits: { fileBytes: 1000, writeBytes: 100 } });
		const { fd } = guest.open("file");
		assert.equal(guest.call("fd_read", fd, ...guest.vectors(...Array.from({ length: 1024 }, () => LONG)), 0), OK);
		assert.equal(guest.memory.getU32(0), 1000);
		assert.equal(guest.call("fd_write", 1, ...guest.vectors(...Array.from({ length: 10 }, () => LONG)), 0), OK);
		assert.equal(guest.memory.getU32(0), 100);
	});
});
