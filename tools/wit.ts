/**
 * Writes `src/wasi/p2/types.generated.ts`: the types of every stable interface of WASI 0.2, as one component that only
 * imports them. The WIT comes with jco, which also encodes it.
 *
 * Run it after an update of jco: `node tools/wit.ts`.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentEmbed, componentNew } from "@bytecodealliance/jco";
import { Reader } from "../src/bytes/mod.ts";

const VERSION = "0.2.12";
export const TYPES_FILE: string = fileURLToPath(new URL("../src/wasi/p2/types.generated.ts", import.meta.url));

/** The sections that declare what a component imports: type, alias, import. */
const IMPORT_SECTIONS = new Set([7, 6, 10]);
const PREAMBLE_SIZE = 8;

function witFolder(): string {
	const jco = dirname(dirname(fileURLToPath(import.meta.resolve("@bytecodealliance/jco"))));
	return join(jco, "lib/wit/builtin", VERSION);
}

/** One text with all packages, and a world that imports each of their stable interfaces. */
function worldOfEverything(): string {
	const imports: string[] = [];
	const packages: string[] = [];
	for (const folder of readdirSync(witFolder()).sort()) {
		const text = readFileSync(join(witFolder(), folder, "package.wit"), "utf8");
		const header = /^package\s+(?<name>[\w:-]+)@(?<version>[\w.-]+);/m.exec(text);
		if (header?.groups === undefined) throw new Error(`Cannot read ${folder}/package.wit: no package name`);
		const { name, version } = header.groups;
		packages.push(`package ${name}@${version} {\n${text.slice(header.index + header[0].length)}\n}`);
		for (const found of text.matchAll(/(?<unstable>@unstable\([^)]*\)\s*)?^interface (?<interface>[\w-]+)/gm)) {
			if (found.groups?.["unstable"] === undefined)
				imports.push(`import ${name}/${found.groups?.["interface"]}@${version};`);
		}
	}
	return [`package skerry:host;`, `world everything {`, ...imports, `}`, ...packages].join("\n");
}

/** The component up to its first section that is not about imports: jco puts all imports first. */
function importsOnly(component: Uint8Array): Uint8Array {
	const reader = new Reader(component);
	reader.take(PREAMBLE_SIZE, "the preamble");
	for (;;) {
		const start = reader.position;
		const id = reader.u8("a section id");
		if (!IMPORT_SECTIONS.has(id)) return component.subarray(0, start);
		reader.take(reader.u32("a section's length"), "a section");
	}
}

/** The text of the generated file. */
export async function generateTypes(): Promise<string> {
	// A core module that imports everything, from which the component gets its imports.
	const dummy = await componentEmbed({ dummy: true, witSource: worldOfEverything(), world: "everything" });
	const types = importsOnly(await componentNew(dummy));
	return `// Written by tools/wit.ts from the WIT of WASI ${VERSION}: do not edit.

/** A component (base64, ${types.length} bytes) that imports every stable interface of WASI ${VERSION}. */
export const WASI_P2_TYPES: string =
	"${Buffer.from(types).toString("base64")}";
`;
}

if (import.meta.main) {
	const text = await generateTypes();
	writeFileSync(TYPES_FILE, text);
	console.log(`${TYPES_FILE}: ${text.length} characters`);
}
