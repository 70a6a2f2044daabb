import { type ComponentType, decodeComponent, validateComponent } from "../component/mod.ts";
import { type Place, SkerryError } from "../fault/mod.ts";
import { readWitDocs, type WitDocs } from "./wit-docs.ts";

/** The files of one WIT package. */
export interface WitPackage {
	readonly files: readonly { readonly path: string; readonly text: string }[];
}

export interface WitSource {
	/** The package in which the world is. */
	readonly main: WitPackage;
	/** The packages that it uses. */
	readonly deps: readonly WitPackage[];
	/** Which world, where the package has several. */
	readonly world?: string | undefined;
}

/** A world as a component's type: what it imports and exports, and what the text says of it. */
export interface World {
	readonly name: string;
	/** `namespace:package/world@version`, under which its own items stand in `docs`. */
	readonly place: string;
	readonly type: ComponentType;
	readonly docs: ReadonlyMap<string, string>;
}

/** The world of a component: what it imports and exports. No comments are in a component. */
export function readComponentWorld(bytes: Uint8Array, name: string): World {
	return { name, place: `root:component/${name}`, type: validateComponent(decodeComponent(bytes)), docs: new Map() };
}

const PACKAGE = "@bytecodealliance/jco-transpile";

/**
 * Reads a world of WIT text. wasm-tools resolves it: an optional package, which only this needs.
 * @throws SkerryError `wit/invalid` with what wasm-tools says; `build/tool-missing`
 */
export async function readWorld(source: WitSource): Promise<World> {
	const docs: WitDocs = new Map();
	const parts: string[] = [];
	const main = joinPackage(source.main, docs);
	parts.push(main.header === undefined ? main.text : `package ${main.header};\n${main.text}`);
	for (const dependency of source.deps) {
		const { header, text } = joinPackage(dependency, docs);
		if (header !== undefined) parts.push(`package ${header} {\n${text}\n}`);
		else if (text.trim() !== "") parts.push(text);
	}
	const bytes = await encodeWorld(parts.join("\n"), source);
	const type = validateComponent(decodeComponent(bytes));
	const name = source.world?.replace(/^.*\/|@.*$/g, "") ?? worldName(main.text);
	const [path = "", version] = (main.header ?? "").split("@");
	return { name, place: `${path}/${name}${version === undefined ? "" : `@${version}`}`, type, docs };
}

/** All files of a package as one, without the header. Line ends stay where they are. */
function joinPackage(
	{ files }: WitPackage,
	docs: WitDocs,
): { readonly header: string | undefined; readonly text: string } {
	const headers = files.map(({ text }) => readWitDocs(text, new Map()));
	const header = headers.find((outline) => outline.package !== undefined)?.package;
	const texts = files.map(({ path, text }, i) => {
		const outline = headers[i];
		if (outline?.package !== undefined && outline.package !== header) {
			throw new SkerryError("wit/invalid", `Cannot read the WIT: its package is ${header} in another file`, {
				place: { file: path, offset: outline.header?.start ?? 0 },
			});
		}
		readWitDocs(text, docs, header);
		if (outline?.header === undefined) return text;
		const { start, end } = outline.header;
		return text.slice(0, start) + text.slice(start, end).replace(/[^\n]/g, " ") + text.slice(end);
	});
	return { header, text: texts.join("\n") };
}

/** The world of a package that has one only. */
function worldName(text: string): string {
	const plain = text.replace(/\/\/[^\n]*|\/\*[^]*?\*\//g, "");
	return /\bworld\s+%?([\w-]+)\s*\{/.exec(plain)?.[1] ?? "world";
}

/**
 * Where in the files the name stands that wasm-tools complains of, which says no place: the line, where there is but one, or the file,
 * where but one has it.
 */
function placeOf(why: string, { main, deps }: WitSource): Place | undefined {
	const [first] = main.files;
	const [, name] = /[`']([^`'\n]+)[`']/.exec(why) ?? [];
	const fallback = first === undefined ? undefined : { file: first.path };
	if (name === undefined) return fallback;
	const pattern = new RegExp(`(?<![\\w-])${RegExp.escape(name)}(?![\\w-])`);
	const places = [main, ...deps].flatMap(({ files }) =>
		files.flatMap(({ path, text }) =>
			text
				.split("\n")
				.map((line, i) => ({ file: path, line: i + 1, text: line.replace(/\/\/.*$/, "") }))
				.filter((line) => pattern.test(line.text)),
		),
	);
	const [place] = places;
	if (place === undefined || places.some(({ file }) => file !== place.file)) return fallback;
	return places.length === 1 ? { file: place.file, line: place.line } : { file: place.file };
}

async function encodeWorld(text: string, source: WitSource): Promise<Uint8Array> {
	const tools = await import("@bytecodealliance/jco-transpile/wasm-tools").catch((cause: unknown) => {
		throw new SkerryError("build/tool-missing", `Cannot read WIT: ${PACKAGE} is not installed`, {
			hint: `npm i -D ${PACKAGE}@^0.15.0`,
			cause,
		});
	});
	const { world } = source;
	try {
		const module = await tools.componentEmbed({
			dummy: true,
			witSource: text,
			features: { tag: "all" },
			...(world === undefined ? {} : { world }),
		});
		return await tools.componentNew(module);
	} catch (cause) {
		const why = (cause as { readonly payload?: unknown }).payload;
		const place = placeOf(String(why), source);
		throw new SkerryError("wit/invalid", `Cannot read the WIT: ${typeof why === "string" ? why : String(cause)}`, {
			...(place === undefined ? {} : { place }),
			...(typeof why === "string" ? {} : { cause }),
		});
	}
}
