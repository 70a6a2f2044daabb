import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeComponent, validateComponent } from "../src/component/mod.ts";
import { SkerryError } from "../src/fault/mod.ts";
import { type Command, parseScript, type Unit } from "../src/wast/mod.ts";

const SUITES = new URL("../../shared/suites/", import.meta.url).pathname;
const skip = existsSync(SUITES) ? false : `test data absent: ${SUITES}`;

/** Where the outcome is not the suite's, and why. */
const DEVIATIONS = new Map([
	["validation/core-modules.wast:24", "accepted: the bodies of core functions are V8's to check, at compile time"],
	["async/cancellable.wast:13", "text: the keyword `cancellable` was removed after this snapshot of the suite"],
]);

async function toBytes(unit: Unit): Promise<Uint8Array | null> {
	if (unit.source.kind === "binary") return unit.source.bytes;
	try {
		return await parse(unit.source.text);
	} catch {
		return null;
	}
}

/** `valid`, `text` for text that does not parse, or the code of the refusal. */
async function outcomeOf(unit: Unit): Promise<string> {
	const bytes = await toBytes(unit);
	if (bytes === null) return "text";
	try {
		validateComponent(decodeComponent(bytes));
		return "valid";
	} catch (error) {
		if (error instanceof SkerryError) return error.code;
		throw error;
	}
}

function isRight(command: Command, outcome: string): boolean {
	// A refusal for a missing feature is not the refusal that is asked for
	const refused = outcome !== "valid" && outcome !== "binary/unsupported";
	return command.kind === "assert_invalid" || command.kind === "assert_malformed" ? refused : outcome === "valid";
}

test("the component model suite: what is valid is accepted, what is not is refused", { skip }, async (t) => {
	const deviations: string[] = [];
	let units = 0;
	for (const file of globSync(`${SUITES}component-model/test/**/*.wast`).sort()) {
		const script = file.slice(`${SUITES}component-model/test/`.length);
		for (const command of parseScript(readFileSync(file, "utf8"))) {
			if (!("unit" in command) || command.unit.sort !== "component") continue;
			units++;
			if (!isRight(command, await outcomeOf(command.unit))) deviations.push(`${script}:${command.line}`);
		}
	}
	t.diagnostic(`${units} units, ${deviations.length} deviations`);
	assert.ok(units > 700, `only ${units} units were found`);
	assert.deepEqual(deviations.sort(), [...DEVIATIONS.keys()].sort());
});

test("real components validate", { skip }, (t) => {
	const files = globSync(`${SUITES}{runtime-types,http,p3}/**/*.wasm`);
	assert.ok(files.length > 60, `only ${files.length} components were found`);
	for (const file of files) {
		const component = decodeComponent(readFileSync(file));
		const type = validateComponent(component);
		assert.ok(type.exports.size > 0, file);
	}
	t.diagnostic(`${files.length} components`);
});
