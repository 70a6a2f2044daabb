/**
 * The direction of dependencies, checked: `npm run layers` (`-- --write` redraws ARCHITECTURE.md).
 * What is checked stands in `layers/check.ts`, the table in `parts.ts`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkLayers } from "./layers/check.ts";
import { drawArchitecture } from "./layers/draw.ts";
import { scanSources } from "./layers/scan.ts";
import { FOUNDATION, LONG_FILES, MAX_LINES, PARTS, PUBLIC_DOOR_USES, WEBASSEMBLY_PART } from "./parts.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const rules = {
	parts: PARTS,
	foundation: FOUNDATION,
	publicDoorUses: PUBLIC_DOOR_USES,
	webAssemblyPart: WEBASSEMBLY_PART,
	maxLines: MAX_LINES,
	longFiles: LONG_FILES,
};

const files = scanSources(root);
const violations = checkLayers(files, rules);
for (const { rule, file, message } of violations) console.error(`${file}: ${message} [${rule}]`);

// Drawn only when sound: a graph of parts with a circle has no direction to show.
if (violations.length === 0) {
	const document = join(root, "ARCHITECTURE.md");
	const current = readFileSync(document, "utf8");
	const drawn = drawArchitecture(current, files, rules);
	if (process.argv.includes("--write")) {
		writeFileSync(document, drawn);
	} else if (drawn !== current) {
		console.error("ARCHITECTURE.md: the drawn parts are stale; run `npm run layers -- --write` [stale]");
		process.exitCode = 1;
	}
} else {
	process.exitCode = 1;
}

const seen = new Set(files.map((file) => file.part));
const present = PARTS.filter(({ name }) => seen.has(name)).length;
const imports = files.reduce((sum, file) => sum + file.imports.length, 0);
console.log(
	`layers: ${files.length} files, ${imports} imports, ${present} of ${PARTS.length} parts, ${violations.length} violations`,
);
