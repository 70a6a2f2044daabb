import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync } from "node:fs";
import path from "node:path";
import { suite, test } from "node:test";

import { errnoOf } from "./errno.ts";
import { P1Guest, TestFolder } from "./p1.fixture.ts";

const CREATE = 1;
const DIRECTORY = 2;
const EXCLUSIVE = 4;
const TRUNCATE = 8;
const READ = 0x2n;
const WRITE = 0x40n;

const OK = 0;
const names = (...all: string[]): number[] => all.map(errnoOf);

suite("paths that lead out", () => {
	/** Paths, and what each call may fail with. `link` and the others are made below. */
	const paths = [
		"..",
		"../secret",
		"../granted/file",
		"a/../../secret",
		"a/b/../../../secret",
		"/etc/passwd",
		"/",
		"out/secret",
		"up/secret",
		"a/up2/secret",
		"file-link",
		"absolute",
		"absolute-folder/passwd",
		"a/./../../secret",
		"out/../secret",
		"chain/secret",
	];
	const calls: Readonly<Record<string, (guest: P1Guest, at: [number, number]) => unknown>> = {
		open: (guest, at) => guest.call("path_open", 3, 1, ...at, 0, READ, 0n, 0, 0),
		create: (guest, at) => guest.call("path_open", 3, 1, ...at, CREATE | TRUNCATE, READ | WRITE, 0n, 0, 0),
		"open as folder": (guest, at) => guest.call("path_open", 3, 1, ...at, DIRECTORY, READ, 0n, 0, 0),
		status: (guest, at) => guest.call("path_filestat_get", 3, 1, ...at, 0),
		"set times": (guest, at) => guest.call("path_filestat_set_times", 3, 1, ...at, 0n, 0n, 5),
		link: (guest, at) => guest.call("path_link", 3, 1, ...at, 3, ...guest.text("stolen")),
	};
	/** Calls that act on the last name itself: for links within the folder these do what they say. */
	const own: typeof calls = {
		unlink: (guest, at) => guest.call("path_unlink_file", 3, ...at),
		"remove folder": (guest, at) => guest.call("path_remove_directory", 3, ...at),
		"make folder": (guest, at) => guest.call("path_create_directory", 3, ...at),
		"rename to": (guest, at) => guest.call("path_rename", 3, ...guest.text("file"), 3, ...at),
		"rename from": (guest, at) => guest.call("path_rename", 3, ...at, 3, ...guest.text("stolen")),
		"link to": (guest, at) => guest.call("path_link", 3, 0, ...guest.text("file"), 3, ...at),
		"make link": (guest, at) => guest.call("path_symlink", ...guest.text("x"), 3, ...at),
		"read link": (guest, at) => guest.call("path_readlink", 3, ...at, 64, 64, 0),
	};
	const LINKS: ReadonlySet<string> = new Set(["file-link", "absolute"]);

	function build(): TestFolder {
		const folder = new TestFolder({ file: "file", "a/b/file": "inner" });
		symlinkSync("..", folder.at("up"));
		symlinkSync("../..", folder.at("a/up2"));
		symlinkSync("../secrets/..", folder.at("out"));
		symlinkSync("../secret", folder.at("file-link"));
		symlinkSync(path.join(folder.outside, "secret"), folder.at("absolute"));
		symlinkSync("/etc", folder.at("absolute-folder"));
		symlinkSync("a/b/../up2", folder.at("chain"));
		return folder;
	}

	for (const [name, call] of Object.entries({ ...calls, ...own })) {
		test(name, () => {
			using folder = build();
			using guest = new P1Guest(folder.grant());
			for (const one of paths) {
				if (name in own && LINKS.has(one)) continue;
				const errno = call(guest, guest.text(one));
				assert.equal(errno, errnoOf("notcapable"), one);
			}
			assert.ok(guest.denied.some((what) => what.includes("leads out of the folder")));
			assert.deepEqual(readdirSync(folder.outside).sort(), ["granted", "secret", "secrets"]);
			assert.equal(readFileSync(path.join(folder.outside, "secret"), "utf8"), "secret");
			assert.ok(existsSync(folder.at("file")));
		});
	}

	test("links that lead nowhere or round in circles, and paths that are none", () => {
		using folder = new TestFolder({ file: "" });
		symlinkSync("loop", folder.at("loop"));
		symlinkSync("two", folder.at("one"));
		symlinkSync("one/x", folder.at("two"));
		symlinkSync("nothing", folder.at("dangling"));
		using guest = new P1Guest(folder.grant());
		const cases: readonly [string, string][] = [
			["loop", "loop"],
			["one/file", "loop"],
			["dangling", "noent"],
			["nothing", "noent"],
			["nothing/file", "noent"],
			["file/file", "notdir"],
			["file/", "notdir"],
			["file/..", "notdir"],
			["", "noent"],
			["a\0b", "ilseq"],
			["a/".repeat(2000), "noent"],
			["./".repeat(2000), "nametoolong"],
			["x".repeat(5000), "nametoolong"],
			["x".repeat(300), "nametoolong"],
		];
		for (const [one, errno] of cases) assert.equal(guest.open(one).errno, errnoOf(errno), one.slice(0, 20));
		assert.equal(
			guest.call("path_open", 3, 1, ...guest.text(Uint8Array.of(0xff, 0x61)), 0, READ, 0n, 0, 0),
			errnoOf("ilseq"),
		);
		// A link that nobody follows is a link.
		assert.ok(names("loop", "notdir").includes(guest.open("loop", { lookup: 0 }).errno as number));
	});

	test("a guest makes no link that leads out by an absolute path", () => {
		using folder = new TestFolder();
		using guest = new P1Guest(folder.grant());
		assert.equal(guest.call("path_symlink", ...guest.text("/etc"), 3, ...guest.text("etc")), errnoOf("notcapable"));
		assert.equal(guest.call("path_symlink", ...guest.text("../secret"), 3, ...guest.text("s")), OK);
		assert.equal(guest.open("s").errno, errnoOf("notcapable"));
	});

	test(
		"a folder that is exchanged for a link after it was opened stays the one that was opened",
		{
			skip: process.platform === "linux" ? false : "only Linux lets Node hold a folder",
		},
		() => {
			using folder = new TestFolder({ "a/file": "mine" });
			using guest = new P1Guest(folder.grant());
			const { errno, fd } = guest.open("a", { flags: DIRECTORY });
			assert.equal(errno, OK);
			renameSync(folder.at("a"), folder.at("moved"));
			symlinkSync("../secrets", folder.at("a"));
			assert.equal(guest.call("path_create_directory", fd, ...guest.text("new")), OK);
			assert.deepEqual(readdirSync(folder.at("moved")).sort(), ["file", "new"]);
			assert.deepEqual(readdirSync(path.join(folder.outside, "secrets")), []);
			// An opened folder is a root of its own.
			assert.equal(guest.open("../file", { fd }).errno, errnoOf("notcapable"));
		},
	);
});

suite("what is done with paths", () => {
	test("files and folders come and go", () => {
		using folder = new TestFolder({ "data/file": "text" });
		using guest = new P1Guest(folder.grant());
		const on = (name: string, one: string): unknown => guest.call(name, 3, ...guest.text(one));
		assert.equal(on("path_create_directory", "new/"), OK);
		assert.equal(on("path_create_directory", "new"), errnoOf("exist"));
		assert.equal(on("path_create_directory", "."), errnoOf("inval"));
		assert.equal(guest.open("new/file", { flags: CREATE | EXCLUSIVE, rights: WRITE }).errno, OK);
		assert.equal(guest.open("new/file", { flags: CREATE | EXCLUSIVE, rights: WRITE }).errno, errnoOf("exist"));
		assert.equal(on("path_remove_directory", "new"), errnoOf("notempty"));
		assert.equal(on("path_remove_directory", "new/file"), errnoOf("notdir"));
		assert.ok(names("isdir", "perm").includes(on("path_unlink_file", "new") as number));
		assert.equal(guest.call("path_rename", 3, ...guest.text("new/file"), 3, ...guest.text("data/other")), OK);
		assert.equal(on("path_remove_directory", "new"), OK);
		assert.equal(guest.call("path_link", 3, 0, ...guest.text("data/file"), 3, ...guest.text("twin")), OK);
		assert.equal(on("path_unlink_file", "data/other"), OK);
		assert.equal(guest.call("path_symlink", ...guest.text("data/file"), 3, ...guest.text("link")), OK);
		assert.equal(guest.call("path_readlink", 3, ...guest.text("link"), 100, 4, 0), OK);
		assert.equal(guest.memory.text(100, 4), "data");
		assert.equal(guest.memory.getU32(0), 4);
		assert.deepEqual(readdirSync(folder.path).sort(), ["data", "link", "twin"]);
		assert.equal(lstatSync(folder.at("twin")).nlink, 2);
	});

	test("status follows links or does not, and times are set", () => {
		using folder = new TestFolder({ file: "12345" });
		symlinkSync("file", folder.at("link"));
		using guest = new P1Guest(folder.grant());
		const status = (lookup: number, one: string): [type: number, size: bigint, modified: bigint] => {
			assert.equal(guest.call("path_filestat_get", 3, lookup, ...guest.text(one), 64), OK);
			return [guest.memory.getU8(80), guest.memory.getU64(96), guest.memory.getU64(112)];
		};
		assert.equal(guest.call("path_filestat_set_times", 3, 1, ...guest.text("link"), 0n, 7_000_000_000n, 4), OK);
		assert.deepEqual(status(1, "link"), [4, 5n, 7_000_000_000n]);
		assert.equal(status(0, "link")[0], 7);
		assert.equal(status(1, ".")[0], 3);
		assert.equal(guest.call("path_filestat_set_times", 3, 1, ...guest.text("link"), 0n, 0n, 3), errnoOf("inval"));
	});

	test("of a folder that may only be read nothing is changed, and the operator hears of it", () => {
		using folder = new TestFolder({ file: "text", "a/b": "" });
		using guest = new P1Guest(folder.grant(true));
		const on = (name: string, one: string): unknown => guest.call(name, 3, ...guest.text(one));
		const refused = errnoOf("rofs");
		assert.equal(guest.open("file").errno, OK);
		assert.equal(guest.open("file", { rights: WRITE }).errno, refused);
		assert.equal(guest.open("file", { flags: TRUNCATE }).errno, refused);
		assert.equal(guest.open("file", { fdFlags: 1 }).errno, refused);
		assert.equal(guest.open("new", { flags: CREATE }).errno, refused);
		for (const name of ["path_create_directory", "path_remove_directory", "path_unlink_file"]) {
			assert.equal(on(name, "file"), refused, name);
		}
		assert.equal(guest.call("path_rename", 3, ...guest.text("file"), 3, ...guest.text("x")), refused);
		assert.equal(guest.call("path_link", 3, 0, ...guest.text("file"), 3, ...guest.text("x")), refused);
		assert.equal(guest.call("path_symlink", ...guest.text("file"), 3, ...guest.text("x")), refused);
		assert.equal(guest.call("path_filestat_set_times", 3, 1, ...guest.text("file"), 0n, 0n, 5), refused);
		const { fd } = guest.open("a", { flags: DIRECTORY });
		assert.equal(guest.call("path_unlink_file", fd, ...guest.text("b")), refused);
		assert.deepEqual(guest.denied, ["to change a folder that it may only read"]);
		assert.equal(readFileSync(folder.at("file"), "utf8"), "text");
	});

	test("no folder, no files", () => {
		using guest = new P1Guest();
		assert.equal(guest.open("file").errno, errnoOf("badf"));
		assert.equal(guest.call("fd_prestat_get", 3, 0), errnoOf("badf"));
		assert.equal(guest.open("file", { fd: 1 }).errno, errnoOf("notdir"));
	});

	test("a guest has only so many files open", () => {
		using folder = new TestFolder({ file: "" });
		using guest = new P1Guest({ ...folder.grant(), limits: { descriptors: 6 } });
		assert.deepEqual(
			[4, 5].map(() => guest.open("file").fd),
			[4, 5],
		);
		assert.equal(guest.open("file").errno, errnoOf("mfile"));
		assert.equal(guest.call("fd_close", 4), OK);
		assert.equal(guest.open("file").fd, 4);
	});

	test("pipes are no files", { skip: process.platform === "win32" ? "no pipes in folders" : false }, async () => {
		using folder = new TestFolder();
		const { execFileSync } = await import("node:child_process");
		execFileSync("mkfifo", [folder.at("pipe")]);
		using guest = new P1Guest(folder.grant());
		assert.equal(guest.open("pipe").errno, errnoOf("notsup"));
		assert.ok(names("notsup", "nxio").includes(guest.open("pipe", { rights: WRITE }).errno as number));
		mkdirSync(folder.at("x"));
	});
});
