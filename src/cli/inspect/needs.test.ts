import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { findNeeds, judgeCommands } from "./needs.ts";

suite("findNeeds", () => {
	const cases: readonly [
		title: string,
		imports: readonly string[],
		grants: readonly (readonly [string | null, RegExp])[],
	][] = [
		["what every guest has", ["wasi:io/streams@0.2.0", "wasi:cli/stdout@0.2.12", "wasi:http/types@0.2.3"], []],
		["outbound HTTP", ["wasi:http/outgoing-handler@0.2.4"], [["--allow-outbound ORIGIN", /^HTTP requests/]]],
		["the environment", ["wasi:cli/environment@0.2.0"], [["--env NAME=VALUE", /^environment variables/]]],
		["files, as one", ["wasi:filesystem/types@0.2.0", "wasi:filesystem/preopens@0.2.0"], [[null, /^files: no folder/]]],
		["sockets", ["wasi:sockets/tcp@0.2.0"], [[null, /^sockets: always refused/]]],
		[
			"WASI 0.3",
			["wasi:cli/stdout@0.3.0", "wasi:http/types@0.3.0-rc-2026-01-01"],
			[[null, /^WASI 0\.3, .* cannot be run/]],
		],
		["a release to come", ["wasi:io/streams@0.2.13"], [[null, /^nothing here provides it/]]],
		["a release candidate", ["wasi:io/streams@0.2.0-rc-2023-11-10"], [[null, /^nothing here provides it/]]],
		[
			"others' interfaces",
			["a:b/c", "fermyon:spin/redis@2.0.0", "plain-name"],
			[[null, /^nothing here provides it: only a program that embeds Skerry can, with `imports`$/]],
		],
	];
	for (const [title, imports, grants] of cases) {
		test(title, () => {
			const needs = findNeeds(imports);
			assert.deepEqual(
				needs.map(({ grant }) => grant),
				grants.map(([grant]) => grant),
			);
			for (const [i, [, meaning]] of grants.entries()) assert.match(needs[i]?.meaning ?? "", meaning);
			assert.deepEqual(
				needs.flatMap(({ interfaces }) => interfaces),
				grants.length === 0 ? [] : imports,
			);
		});
	}
});

suite("judgeCommands", () => {
	const handler = "wasi:http/incoming-handler@0.2.12";
	const run = "wasi:cli/run@0.2.0";
	const cases: readonly [imports: readonly string[], exports: readonly string[], up: string, run: string][] = [
		[[], [handler], `yes: it exports ${handler}`, "no: it does not export wasi:cli/run@0.2"],
		[
			["wasi:sockets/tcp@0.2.0"],
			[run],
			"no: it does not export wasi:http/incoming-handler@0.2",
			`yes: it exports ${run}`,
		],
		[[], ["x", handler, run], `yes: it exports ${handler}`, `yes: it exports ${run}`],
		[
			[],
			["wasi:http/handler@0.3.2", "wasi:cli/run@0.3.0"],
			"no: it exports wasi:http/handler@0.3.2: WASI 0.3 is not supported yet",
			"no: it exports wasi:cli/run@0.3.0: WASI 0.3 is not supported yet",
		],
		[
			["a:b/c@1.0.0", "wasi:io/poll@0.2.0", "wasi:cli/types@0.3.0"],
			[run],
			"no: it does not export wasi:http/incoming-handler@0.2",
			"no: nothing provides a:b/c@1.0.0, wasi:cli/types@0.3.0",
		],
	];
	for (const [imports, exports, up, runs] of cases) {
		test(`${imports.join(" ")} → ${exports.join(" ")}`, () => {
			assert.deepEqual(
				judgeCommands(imports, exports).map(
					({ command, possible, reason }) => `${command}: ${possible ? "yes" : "no"}: ${reason}`,
				),
				[`skerry up: ${up}`, `skerry run: ${runs}`],
			);
		});
	}
});
