import { globSync } from "node:fs";
import path from "node:path";
import { type Component, decodeComponent } from "../../src/component/mod.ts";
import { isComponent, isCoreModule } from "../../src/wasm/mod.ts";

const SUITES = path.resolve(import.meta.dirname, "../../../shared/suites");
const QUICKSTART = path.resolve(import.meta.dirname, "../../examples/quickstart/.skerry/build");

/** Real programs: those of these folders of the suites, and one build of the quickstart where there is one. Absolute paths. */
export function listPrograms(folders: readonly string[]): string[] {
	return [
		...globSync(`{${folders.join(",")}}/**/*.wasm`, { cwd: SUITES }).map((file) => path.join(SUITES, file)),
		...globSync("*/component.wasm", { cwd: QUICKSTART })
			.slice(0, 1)
			.map((file) => path.join(QUICKSTART, file)),
	].sort();
}

/** The core modules of a binary, itself or within components. */
export function modulesWithin(bytes: Uint8Array): Uint8Array[] {
	if (isCoreModule(bytes)) return [bytes];
	const within = (component: Component): Uint8Array[] =>
		component.definitions.flatMap((definition) => {
			if (definition.kind === "core module") return [definition.bytes];
			return definition.kind === "component" ? within(definition.component) : [];
		});
	return isComponent(bytes) ? within(decodeComponent(bytes)) : [];
}
