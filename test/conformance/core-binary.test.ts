/**
 * The core codec on the core suite and on real programs: every module that V8 accepts comes back as it was, also when nothing
 * of its bytes is reused, and every binary that the suite calls malformed is refused with a code and an offset.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, suite, test } from "node:test";

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

import { webAssembly } from "../../src/engine/mod.ts";
import { SkerryError } from "../../src/fault/mod.ts";
import { checkCode, decodeModule, encodeModule, type Module } from "../../src/wasm/mod.ts";
import { type Command, parseScript, type Unit } from "../../src/wast/mod.ts";
import { type Count, writeCounts } from "./counts.ts";
import { listPrograms, modulesWithin } from "./programs.ts";

const SUITES = path.resolve(import.meta.dirname, "../../../shared/suites");
const CORE = path.join(SUITES, "core");

/** Proposals that V8 does not have, or only behind a flag: their modules are not valid to it. */
const FOREIGN = /^proposals\/(custom-descriptors|custom-page-sizes|wide-arithmetic)\//;

const counts = { identity: count(), malformed: count(), programs: count() };
/** Modules that came back as other bytes when nothing was reused, because what was read is not in its shortest form. */
let reshaped = 0;

function count(): Count {
	return { passed: 0, failed: 0, skipped: 0, note: "" };
}

const isValid = (bytes: Uint8Array): boolean => {
	try {
		void new (webAssembly().Module)(bytes);
		return true;
	} catch {
		return false;
	}
};

// Not `deepEqual`, which takes minutes to describe how megabytes differ
const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** What a module says, whatever bytes say it. A custom section behind an empty section stands elsewhere when that is left out. */
function contentOf({ source: _, code, customs, ...rest }: Module): unknown {
	const bodies = [...code.starts].map((start, i) => code.bytes.slice(start, code.ends[i]));
	return { ...rest, bodies, customs: customs.map(({ name, bytes }) => ({ name, bytes })) };
}

/** Decodes, walks and encodes, with the bytes of the input and without. Returns whether the latter gave the very same bytes. */
function roundTrip(bytes: Uint8Array): boolean {
	const module = decodeModule(bytes);
	checkCode(module);
	assert.ok(isSame(encodeModule(module), bytes), "encoded with what was left untouched: other bytes");
	const anew = encodeModule({ ...module, source: new Map() });
	if (isSame(anew, bytes)) return true;
	const again = decodeModule(anew);
	assert.deepEqual(contentOf(again), contentOf(module), "encoded anew");
	assert.ok(isSame(encodeModule({ ...again, source: new Map() }), anew), "encoded anew twice: other bytes");
	return false;
}

function unitOf(command: Command): Unit | undefined {
	return "unit" in command ? command.unit : undefined;
}

async function bytesOf({ source }: Unit): Promise<Uint8Array | undefined> {
	if (source.kind === "binary") return source.bytes;
	// Text that may not parse: the test is of a text parser
	if (source.kind === "quote") return undefined;
	return parse(source.text).catch(() => undefined);
}

/** Whatever the input, only a coded error with an offset within it may come out. */
function refusal(bytes: Uint8Array): SkerryError | undefined {
	try {
		checkCode(decodeModule(bytes));
		return undefined;
	} catch (error) {
		assert.ok(error instanceof SkerryError, String(error));
		const offset = error.place?.offset ?? -1;
		assert.ok(offset >= 0 && offset <= bytes.length, `${error.message}: offset ${offset} of ${bytes.length}`);
		return error;
	}
}

async function checkCommand(command: Command, file: string): Promise<void> {
	const unit = unitOf(command);
	const bytes = unit === undefined ? undefined : await bytesOf(unit);
	if (bytes === undefined) {
		if (unit !== undefined && unit.source.kind !== "quote") counts.identity.skipped++;
		return;
	}
	if (command.kind === "assert_malformed") {
		const error = refusal(bytes);
		assert.ok(error !== undefined, `malformed, but accepted: ${command.message}`);
		assert.match(error.code, /^binary\//);
		counts.malformed.passed++;
	} else if (isValid(bytes)) {
		assert.notEqual(command.kind, "assert_malformed");
		if (!roundTrip(bytes)) reshaped++;
		counts.identity.passed++;
	} else {
		refusal(bytes);
		if (command.kind !== "assert_invalid" && !FOREIGN.test(file)) counts.identity.skipped++;
	}
}

suite("core-binary", { skip: existsSync(CORE) ? false : `the suite is absent: ${CORE}` }, () => {
	for (const file of globSync("**/*.wast", { cwd: CORE }).sort()) {
		test(file, async () => {
			const problems: string[] = [];
			for (const command of parseScript(readFileSync(path.join(CORE, file), "utf8"))) {
				try {
					await checkCommand(command, file);
				} catch (error) {
					counts[command.kind === "assert_malformed" ? "malformed" : "identity"].failed++;
					problems.push(`${file}:${command.line}: ${error instanceof Error ? error.message : String(error)}`);
				}
			}
			assert.deepEqual(problems, []);
		});
	}

	test("nearly everything was there to be checked", () => {
		assert.ok(counts.identity.passed > 2700, `${counts.identity.passed} valid modules`);
		assert.ok(counts.malformed.passed > 900, `${counts.malformed.passed} malformed binaries`);
	});
});

const programs = listPrograms(["sightglass", "http", "runtime-types", "p3", "wasi-p1"]);

suite("core-binary/programs", { skip: programs.length === 0 ? `no programs at ${SUITES}` : false }, () => {
	for (const file of programs) {
		test(path.relative(SUITES, file), () => {
			for (const bytes of modulesWithin(new Uint8Array(readFileSync(file)))) {
				counts.programs.failed++;
				if (!roundTrip(bytes)) {
					reshaped++;
					if (process.env.WHY) {
						const m = decodeModule(bytes);
						const m2 = decodeModule(encodeModule({ ...m, source: new Map() }));
						const out: string[] = [];
						for (const k of Object.keys(m)) {
							const a = m.source.get((m as any)[k]),
								b = m2.source.get((m2 as any)[k]);
							if (a && (!b || !isSame(a, b)))
								out.push(
									k +
										" " +
										Buffer.from(a).toString("hex").slice(0, 60) +
										" => " +
										(b ? Buffer.from(b).toString("hex").slice(0, 60) : "none"),
								);
						}
						console.log("WHY", out.join("; "));
					}
				}
				counts.programs.failed--;
				counts.programs.passed++;
			}
		});
	}
});

after(() => {
	counts.identity.note = `modules that V8 accepts; ${reshaped} in all are not in their shortest form`;
	counts.malformed.note = "assert_malformed of binaries; those of text are not the codec's";
	counts.programs.note = "core modules of real programs";
	writeCounts("core-binary", counts);
});
