import { readdir, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { printTypeScript, readComponentWorld, readWorld, type WitPackage, type World } from "../../bindgen/mod.ts";
import { inFile, SkerryError } from "../../fault/mod.ts";
import { isPacked, unpackComponent } from "../../link/mod.ts";
import type { CommandModule } from "../command.ts";
import { unreadable, unwritable } from "../file-errors.ts";
import { readInput } from "../target.ts";
import { usageError } from "../usage.ts";

export const bindgenCommand: CommandModule = {
	describe(command) {
		command
			.argument("<source>", "a component (.wasm or .skerry), a .wit file, or a folder of them")
			.option("--world <name>", "which world of the WIT, where it has several")
			.option("--guest", "types for who writes the component in JavaScript, not for who loads it")
			.option("-o, --output <file>", "where to write them; to standard output by default")
			.addHelpText(
				"after",
				`
The packages that a WIT file uses are looked for in the folder deps beside it: files, or a folder for each. Comments of
the WIT become comments of the types. Reading WIT takes the package @bytecodealliance/jco-transpile; a component does not.

Examples:
  $ skerry bindgen wit/shop.wit -o shop.d.ts
  $ skerry bindgen shop.wasm -o shop.d.ts
  $ skerry bindgen wit --world shop --guest -o guest.d.ts`,
			);
	},

	async run([source = ""], { world, guest, output }) {
		if (world !== undefined && source.endsWith(".wasm")) {
			throw usageError("Cannot use --world with a component: it has one world only");
		}
		const read = await readSource(source, typeof world === "string" ? world : undefined);
		const text = printTypeScript(read, guest === true ? "guest" : "host");
		if (typeof output !== "string") process.stdout.write(text);
		else {
			try {
				await writeFile(output, text);
			} catch (cause) {
				throw unwritable(output, cause);
			}
		}
		return 0;
	},
};

async function readSource(source: string, world: string | undefined): Promise<World> {
	const found = await stat(source).catch((cause: unknown) => {
		throw unreadable(source, cause);
	});
	if (!found.isDirectory() && !source.endsWith(".wit")) {
		try {
			const bytes = await readInput(source);
			const component = isPacked(bytes) ? (await unpackComponent(bytes)).bytes : bytes;
			return readComponentWorld(component, path.basename(source).replace(/\..*$/, ""));
		} catch (error) {
			throw inFile(error, source);
		}
	}
	const folder = found.isDirectory() ? source : path.dirname(source);
	const main = found.isDirectory() ? await readPackage(folder) : { files: [await readText(source)] };
	if (main.files.length === 0) {
		throw new SkerryError("wit/invalid", "Cannot read the WIT: the folder has no .wit file", {
			place: { file: folder },
		});
	}
	return await readWorld({ main, deps: await readDeps(path.join(folder, "deps")), world });
}

async function readDeps(folder: string): Promise<WitPackage[]> {
	const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
		throw unreadable(folder, error);
	});
	const deps: WitPackage[] = [];
	for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
		const inner = path.join(folder, entry.name);
		if (entry.isDirectory()) deps.push(await readPackage(inner));
		else if (entry.name.endsWith(".wit")) deps.push({ files: [await readText(inner)] });
	}
	return deps;
}

/** The .wit files of a folder, by name. */
async function readPackage(folder: string): Promise<WitPackage> {
	const names = (await readdir(folder)).filter((name) => name.endsWith(".wit")).sort();
	return { files: await Promise.all(names.map((name) => readText(path.join(folder, name)))) };
}

async function readText(file: string): Promise<{ path: string; text: string }> {
	return { path: file, text: (await readInput(file)).toString("utf8") };
}
