import { Writer } from "../bytes/mod.ts";
import type { Component } from "../component/mod.ts";

/**
 * What a component is but for its state: equal bytes stand for components that differ in nothing else, and can share one plan, one set
 * of compiled modules and one set of slots. Custom sections do not count: they change nothing that runs.
 * @param bytes the outermost binary
 * @param moduleKey of a core module by its absolute offset: what is left of it when its initial state is taken out
 */
export function identifyCode(
	component: Component,
	bytes: Uint8Array,
	moduleKey: (offset: number) => string,
): Uint8Array {
	const out = new Writer(4096);
	write(out, component, bytes, moduleKey);
	return out.finish();
}

function write(out: Writer, component: Component, bytes: Uint8Array, moduleKey: (offset: number) => string): void {
	const { definitions, offset, sections, size } = component;
	const modules = definitions.filter((definition) => definition.kind === "core module").values();
	const components = definitions.filter((definition) => definition.kind === "component").values();
	out.u32(sections.filter(({ id }) => id !== CUSTOM).length);
	for (const [i, section] of sections.entries()) {
		if (section.id === CUSTOM) continue;
		out.u8(section.id);
		if (section.id === CORE_MODULE) {
			const key = new TextEncoder().encode(moduleKey(next(modules).offset));
			out.u32(key.length).raw(key);
		} else if (section.id === COMPONENT) {
			write(out, next(components).component, bytes, moduleKey);
		} else {
			// After the id and the length, which may be written in several ways
			const end = sections[i + 1]?.offset ?? offset + size;
			out.u32(section.size).range(bytes, end - section.size, end);
		}
	}
}

// Binary.md `section`: each of these two holds one definition
const CUSTOM = 0;
const CORE_MODULE = 1;
const COMPONENT = 4;

function next<T>(items: Iterator<T>): T {
	const { done, value } = items.next();
	if (done === true) throw new Error("more sections than definitions");
	return value;
}
