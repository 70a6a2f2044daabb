import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { findCoreNeeds, judgeCoreCommands } from "./core-needs.ts";

const p1 = (...names: string[]): { module: string; name: string }[] =>
	names.map((name) => ({ module: "wasi_snapshot_preview1", name }));
const fn = (name: string) => ({ name, type: { kind: "func", type: { params: [], results: [] } } }) as const;
const global = { name: "_start", type: { kind: "global", type: "i32", mutable: false } } as const;

suite("core modules", () => {
	test("need what they import of WASI 0.1", () => {
		assert.deepEqual(findCoreNeeds(p1("fd_write", "proc_exit")), []);
		const needs = findCoreNeeds([
			...p1("path_open", "environ_get", "path_rename", "sock_accept"),
			{ module: "env", name: "path_x" },
		]);
		assert.deepEqual(
			needs.map(({ grant, interfaces }) => [grant, interfaces]),
			[
				["--dir HOST::GUEST", ["path_open", "path_rename"]],
				["--env NAME=VALUE", ["environ_get"]],
				[null, ["sock_accept"]],
			],
		);
	});

	const cases: readonly [
		Parameters<typeof judgeCoreCommands>[0],
		Parameters<typeof judgeCoreCommands>[1],
		boolean,
		RegExp,
	][] = [
		[p1("fd_write"), [fn("_start")], true, /^it exports _start$/],
		[[...p1("fd_write"), { module: "bench", name: "start" }], [fn("_start")], true, /^it exports _start$/],
		[[], [fn("add")], true, /^with --invoke add$/],
		[[], [fn("add"), fn("sub")], true, /^with --invoke NAME$/],
		[[], [global], false, /^it exports no function$/],
		[[{ module: "env", name: "log" }], [fn("_start")], false, /^nothing provides env$/],
	];
	for (const [imports, exports, possible, reason] of cases) {
		test(String(reason), () => {
			const [up, run] = judgeCoreCommands(imports, exports);
			assert.equal(up?.possible, false);
			assert.equal(run?.possible, possible);
			assert.match(run?.reason ?? "", reason);
		});
	}
});
