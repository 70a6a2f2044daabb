import { Reader } from "../bytes/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import {
	type CustomSection,
	decodeSection,
	finishSection,
	isComponent,
	isCoreModule,
	isWasm,
	type Section,
	type SectionInfo,
} from "../wasm/mod.ts";
import type { Component, Definition, StartDefinition, ValueDefinition } from "./ast.ts";
import { decodeAlias } from "./decode/aliases.ts";
import { decodeCanon } from "./decode/canon.ts";
import { decodeCoreType } from "./decode/core-types.ts";
import { decodeExport, decodeImport } from "./decode/externs.ts";
import { decodeCoreInstance, decodeInstance } from "./decode/instances.ts";
import { decodeIndex } from "./decode/items.ts";
import { decodeType } from "./decode/types.ts";
import { decodeValueTypeRef } from "./decode/value-types.ts";
import { MAX_COMPONENT_DEPTH, MAX_ITEMS, MAX_START_ARGS } from "./limits.ts";

/** Binary.md `section`: name, and how one item of its vector is decoded. Modules, components and start are no vectors. */
const SECTIONS: readonly { readonly name: string; readonly item?: (reader: Reader) => Definition }[] = [
	{ name: "custom" },
	{ name: "core module" },
	{ name: "core instance", item: decodeCoreInstance },
	{ name: "core type", item: decodeCoreType },
	{ name: "component" },
	{ name: "instance", item: decodeInstance },
	{ name: "alias", item: decodeAlias },
	{ name: "type", item: decodeType },
	{ name: "canon", item: decodeCanon },
	{ name: "start" },
	{ name: "import", item: decodeImport },
	{ name: "export", item: decodeExport },
	{ name: "value", item: decodeValue },
];

/**
 * Decodes a component binary, whatever it nests included. Core modules and custom sections are views of `bytes`, not copies.
 * Well-formedness only; `validateComponent` checks the rest.
 *
 * @throws SkerryError `binary/not-wasm`, `binary/core-module`, `binary/truncated`, `binary/malformed` or `binary/limit`, and
 * `component/invalid` for a duplicate option or attribute; each with the absolute offset.
 */
export function decodeComponent(bytes: Uint8Array): Component {
	checkPreamble(bytes);
	return decodeBody(new Reader(bytes), 0);
}

function checkPreamble(bytes: Uint8Array): void {
	const place = { offset: 0 };
	if (bytes.length === 0) throw new SkerryError("binary/not-wasm", "the input is empty", { place });
	if (!isWasm(bytes)) {
		if (bytes.length < 4 && isWasm(Uint8Array.of(...bytes, ...[0x00, 0x61, 0x73, 0x6d].slice(bytes.length)))) {
			throw new SkerryError("binary/truncated", "unexpected end: cannot read the preamble", {
				place: { offset: bytes.length },
			});
		}
		const hint = looksLikeText(bytes)
			? { hint: "it looks like WebAssembly as text: `wasm-tools parse` makes bytes of it" }
			: {};
		throw new SkerryError("binary/not-wasm", "magic header not detected: the input is not WebAssembly", {
			place,
			...hint,
		});
	}
	if (isCoreModule(bytes)) {
		throw new SkerryError("binary/core-module", "the input is a core module, where a component is due", {
			place,
			hint: "wrap it into a component: `wasm-tools component new module.wasm -o component.wasm`, with `--adapt` for a module that imports `wasi_snapshot_preview1`",
		});
	}
}

/** A component from its preamble to the end of `reader`. */
function decodeBody(reader: Reader, depth: number): Component {
	const offset = reader.offset;
	if (depth > MAX_COMPONENT_DEPTH) {
		throw new SkerryError("binary/limit", `components nest more than ${MAX_COMPONENT_DEPTH} deep`, {
			place: { offset },
		});
	}
	const preamble = reader.take(8, "the preamble");
	if (!isComponent(preamble)) {
		const message = isCoreModule(preamble)
			? "expected a version header for a component, found a core module"
			: "unknown binary version";
		throw reader.malformed(isWasm(preamble) ? message : "magic header not detected", offset);
	}
	const definitions: Definition[] = [];
	const customs: CustomSection[] = [];
	const sections: SectionInfo[] = [];
	while (!reader.done) {
		const section = decodeSection(reader, (id) => SECTIONS[id]?.name);
		sections.push({ id: section.id, name: section.name, offset: section.offset, size: section.size });
		if (section.custom === undefined) decodeDefinitions(section, depth, definitions);
		else customs.push(section.custom);
	}
	const name = componentName(customs);
	const size = reader.offset - offset;
	return { offset, size, definitions, customs, sections, ...(name === undefined ? {} : { name }) };
}

function decodeDefinitions(section: Section, depth: number, definitions: Definition[]): void {
	const { content } = section;
	const offset = content.offset;
	const item = SECTIONS[section.id]?.item;
	if (item !== undefined) {
		for (let n = content.count(`${section.name} items`, MAX_ITEMS); n > 0; n--) definitions.push(item(content));
	} else if (section.name === "core module") {
		const bytes = content.take(content.remaining);
		if (!isCoreModule(bytes)) throw content.malformed("expected a version header for a module", offset);
		definitions.push({ kind: "core module", offset, bytes });
	} else if (section.name === "component") {
		definitions.push({ kind: "component", offset, component: decodeBody(content, depth + 1) });
	} else {
		definitions.push(decodeStart(content));
	}
	finishSection(section);
}

function decodeStart(reader: Reader): StartDefinition {
	const offset = reader.offset;
	const func = decodeIndex(reader);
	const args: number[] = [];
	for (let n = reader.count("start arguments", MAX_START_ARGS); n > 0; n--) args.push(decodeIndex(reader));
	return { kind: "start", offset, func, args, results: reader.u32("the number of results") };
}

function decodeValue(reader: Reader): ValueDefinition {
	const offset = reader.offset;
	const type = decodeValueTypeRef(reader);
	return { kind: "value", offset, type, bytes: reader.take(reader.u32("the size of a value"), "a value") };
}

/** Subsection 0 of the `component-name` section. The section binds nobody: what is malformed is left out. */
function componentName(customs: readonly CustomSection[]): string | undefined {
	const section = customs.find((custom) => custom.name === "component-name");
	if (section === undefined) return undefined;
	try {
		const reader = new Reader(section.bytes, section.offset);
		if (reader.u8() !== 0) return undefined;
		return reader.sub(reader.u32()).name();
	} catch (error) {
		if (error instanceof SkerryError) return undefined;
		throw error;
	}
}

/** Whether a parenthesis, or a comment, comes first. */
function looksLikeText(bytes: Uint8Array): boolean {
	return /^\s*(?:\(|;;)/.test(String.fromCharCode(...bytes.subarray(0, 64)));
}
