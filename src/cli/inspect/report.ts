import { type Component, decodeComponent, printWit, validateComponent } from "../../component/mod.ts";
import { renderError, SkerryError } from "../../fault/mod.ts";
import { isPacked, type PackedComponent, unpackComponent } from "../../link/mod.ts";
import {
	type CoreExternType,
	type CustomSection,
	decodeModuleInterface,
	decodeNames,
	decodeProducers,
	isCoreModule,
	type Producer,
	type SectionInfo,
} from "../../wasm/mod.ts";
import { findCoreNeeds, judgeCoreCommands } from "./core-needs.ts";
import { findNeeds, judgeCommands, type Need, type Verdict } from "./needs.ts";

/** A component or core module within the file. Sizes in bytes, preamble included. */
export interface Part {
	readonly kind: "component" | "core module";
	readonly name?: string;
	/** From the start of the file. */
	readonly offset: number;
	readonly size: number;
	/** Sections of one name together, in the order of their first. */
	readonly sections: readonly { readonly name: string; readonly count: number; readonly size: number }[];
	readonly producers: readonly Producer[];
	readonly parts: readonly Part[];
}

/** What `skerry inspect` says of a file, as `--json` prints it. */
export interface Report {
	readonly file: string;
	readonly kind: Part["kind"];
	readonly size: number;
	/** Of a file that `skerry compile` made of the component: what is in it besides. */
	readonly compiled?: {
		/** Of the whole file. */
		readonly size: number;
		readonly metering: PackedComponent["metering"];
	};
	readonly imports: readonly string[];
	readonly exports: readonly string[];
	/** The imports and exports of a valid component as a WIT world. */
	readonly wit?: string;
	/** Why the component is not valid. */
	readonly invalid?: string;
	readonly needs: readonly Need[];
	readonly commands: readonly Verdict[];
	readonly root: Part;
}

/**
 * Describes what `bytes` hold. `full` prints the interfaces of the world, too.
 *
 * @throws SkerryError when the bytes are not well-formed.
 */
export async function createReport(file: string, bytes: Uint8Array, full: boolean): Promise<Report> {
	if (!isPacked(bytes)) return reportBinary(file, bytes, full);
	const { bytes: component, metering } = await unpackComponent(bytes);
	return { ...reportBinary(file, component, full), compiled: { size: bytes.length, metering } };
}

function reportBinary(file: string, bytes: Uint8Array, full: boolean): Report {
	return isCoreModule(bytes) ? reportModule(file, bytes) : reportComponent(file, bytes, full);
}

function reportModule(file: string, bytes: Uint8Array): Report {
	const { imports, exports } = decodeModuleInterface(bytes);
	return {
		file,
		kind: "core module",
		size: bytes.length,
		imports: imports.map(({ module, name, type }) => `${quote(module)} ${quote(name)}: ${printCoreType(type)}`),
		exports: exports.map(({ name, type }) => `${quote(name)}: ${printCoreType(type)}`),
		needs: findCoreNeeds(imports),
		commands: judgeCoreCommands(imports, exports),
		root: describeModule(bytes, 0),
	};
}

function reportComponent(file: string, bytes: Uint8Array, full: boolean): Report {
	const component = decodeComponent(bytes);
	const imports = component.definitions.flatMap((item) => (item.kind === "import" ? item.name.name : []));
	const exports = component.definitions.flatMap((item) => (item.kind === "export" ? item.name.name : []));
	const described = describeInterface(component, full);
	const commands = judgeCommands(imports, exports);
	return {
		file,
		kind: "component",
		size: bytes.length,
		imports,
		exports,
		...described,
		needs: findNeeds(imports),
		commands: described.invalid === undefined ? commands : commands.map(refuseInvalid),
		root: describeComponent(component),
	};
}

function refuseInvalid({ command }: Verdict): Verdict {
	return { command, possible: false, reason: "it is not valid" };
}

function describeInterface(component: Component, full: boolean): Pick<Report, "wit" | "invalid"> {
	try {
		return { wit: printWit(validateComponent(component), { full }) };
	} catch (error) {
		if (error instanceof SkerryError) return { invalid: renderError(error) };
		throw error;
	}
}

function describeComponent(component: Component): Part {
	const { name, offset, size, sections, customs, definitions } = component;
	return {
		kind: "component",
		...(name === undefined ? {} : { name }),
		offset,
		size,
		sections: sumSections(sections),
		producers: findProducers(customs),
		parts: definitions.flatMap((item) => {
			if (item.kind === "core module") return describeModule(item.bytes, item.offset);
			return item.kind === "component" ? describeComponent(item.component) : [];
		}),
	};
}

function describeModule(bytes: Uint8Array, offset: number): Part {
	const { sections, customs } = decodeModuleInterface(bytes, offset);
	const names = customs.find(({ name }) => name === "name");
	const name = names === undefined ? undefined : decodeNames(names.bytes, names.offset).module;
	return {
		kind: "core module",
		...(name === undefined ? {} : { name }),
		offset,
		size: bytes.length,
		sections: sumSections(sections),
		producers: findProducers(customs),
		parts: [],
	};
}

function sumSections(sections: readonly SectionInfo[]): Part["sections"] {
	const sums = new Map<string, { name: string; count: number; size: number }>();
	for (const { name, size } of sections) {
		const sum = sums.get(name) ?? { name, count: 0, size: 0 };
		sums.set(name, { name, count: sum.count + 1, size: sum.size + size });
	}
	return [...sums.values()];
}

function findProducers(customs: readonly CustomSection[]): Producer[] {
	return customs.flatMap(({ name, bytes, offset }) => (name === "producers" ? decodeProducers(bytes, offset) : []));
}

function quote(name: string): string {
	return JSON.stringify(name);
}

function printCoreType(type: CoreExternType): string {
	switch (type.kind) {
		case "func":
		case "tag":
			return `${type.kind} (${type.type.params.join(", ")}) -> (${type.type.results.join(", ")})`;
		case "global":
			return `global ${type.mutable ? "mutable " : ""}${type.type}`;
		case "table":
			return `table of ${type.element}, ${printLimits(type.minimum, type.maximum)}`;
		case "memory":
			return `${type.shared ? "shared " : ""}memory, ${printLimits(type.minimum, type.maximum)} pages`;
	}
}

function printLimits(minimum: bigint, maximum: bigint | undefined): string {
	return maximum === undefined ? `at least ${minimum}` : `${minimum} to ${maximum}`;
}
