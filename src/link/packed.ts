import { Writer } from "../bytes/mod.ts";
import { type Component, decodeComponent, validateComponent } from "../component/mod.ts";
import {
	type ArtefactStore,
	CompileCache,
	decodePlain,
	encodePlain,
	isLikeName,
	MemoryStore,
	seal,
	unseal,
} from "../engine/mod.ts";
import { METERING_MODES, SkerryError } from "../fault/mod.ts";
import type { RewriteOptions } from "../rewrite/mod.ts";

/** A component with its core modules as they were rewritten. */
export interface PackedComponent {
	/** The component as it was given. */
	readonly bytes: Uint8Array;
	readonly metering: RewriteOptions["metering"];
	readonly modules: ArtefactStore;
}

/** `\0skerry` and the number of the format. What follows is sealed. */
const MAGIC = Uint8Array.of(0x00, 0x73, 0x6b, 0x65, 0x72, 0x72, 0x79, 0x01);

/** Whether the bytes are of a component that was packed. Says nothing about the rest. */
export function isPacked(bytes: Uint8Array): boolean {
	return bytes.length >= MAGIC.length && MAGIC.every((byte, i) => byte === bytes[i]);
}

/**
 * A component with its rewritten modules, as one file. Another version of Skerry rewrites them anew when it loads the file, and so does
 * who wants another way of metering.
 * @param source a component, or what this made of one before
 * @throws SkerryError `binary/*`, `component/invalid`, `core/invalid`, `artefact/damaged`
 */
export async function packComponent(
	source: Uint8Array,
	version: string,
	metering: RewriteOptions["metering"],
): Promise<Uint8Array> {
	const bytes = isPacked(source) ? (await unpackComponent(source)).bytes : source;
	const component = decodeComponent(bytes);
	validateComponent(component);
	const modules = new MemoryStore();
	const cache = new CompileCache({ version, store: modules });
	for (const module of listModules(component))
		await cache.load(module.bytes, module.offset, { metering, verify: true });
	await cache.flush();
	// Nothing derives from what is in here
	const entries = [...modules.entries].filter(([name]) => !isLikeName(name));
	const sealed = await seal(encodePlain({ metering, bytes, modules: entries }));
	return new Writer(MAGIC.length + sealed.length).raw(MAGIC).raw(sealed).detach();
}

/** @throws SkerryError `artefact/damaged` */
export async function unpackComponent(file: Uint8Array): Promise<PackedComponent> {
	const content = await unseal(file.subarray(MAGIC.length));
	const { metering, bytes, modules } = (content === undefined ? {} : decodePlain(content)) as Record<string, unknown>;
	if (!isMetering(metering) || !(bytes instanceof Uint8Array) || !isEntries(modules)) {
		throw new SkerryError("artefact/damaged", "Cannot load the compiled component: it is not as it was written", {
			place: { offset: 0 },
			hint: "make it again: `skerry compile`",
		});
	}
	return { bytes, metering, modules: new MemoryStore(modules) };
}

function isMetering(value: unknown): value is RewriteOptions["metering"] {
	return METERING_MODES.some((mode) => mode === value);
}

function isEntries(value: unknown): value is readonly (readonly [string, Uint8Array])[] {
	if (!Array.isArray(value)) return false;
	return value.every((item) => {
		return Array.isArray(item) && typeof item[0] === "string" && item[1] instanceof Uint8Array;
	});
}

/** Its core modules and those of components in it, with their offsets. */
export function listModules({ definitions }: Component): { readonly bytes: Uint8Array; readonly offset: number }[] {
	return definitions.flatMap((item) => {
		if (item.kind === "core module") return item;
		return item.kind === "component" ? listModules(item.component) : [];
	});
}
