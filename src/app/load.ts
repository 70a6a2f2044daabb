import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import {
	describeLimit,
	LIMIT_NAMES,
	type LimitName,
	type Limits,
	METERING_MODES,
	type MeteringMode,
	parseLimit,
	SkerryError,
} from "../fault/mod.ts";
import type { App, AppComponent, HttpTrigger } from "./app.ts";
import type { KeyPath } from "./key-lines.ts";
import { MAX_MANIFEST_BYTES } from "./limits.ts";
import { didYouMean, Problems } from "./problems.ts";
import { MINIMAL_MANIFEST, SCHEMA } from "./schema.ts";
import { describe, TableReader } from "./table.ts";

/** The manifest's name in the folder of an application. */
const MANIFEST_NAME = "skerry.toml";
const SMALLEST = `the smallest ${MANIFEST_NAME}:\n\n${MINIMAL_MANIFEST.replaceAll(/^(?=.)/gm, "    ")}`;

const SCRIPT = /\.[cm]?[jt]sx?$/;
/** Spin's `scheme://host[:port]`: what each part may be is the grant's business, a path or a missing scheme is refused here. */
const OUTBOUND_HOST = /^(?:[a-z][a-z0-9+.-]*|\*):\/\/[^\s/?#]+\/?$/i;
const COMPONENT_ID = /^[a-z][a-z0-9_-]*$/i;

/**
 * Reads the manifest `skerry.toml` of a folder.
 * @throws {SkerryError} `app/manifest` with everything that is wrong with it, or `cli/file-not-found` when there is no such folder
 */
export async function loadApp(folder: string): Promise<App> {
	const root = resolve(folder);
	const file = join(root, MANIFEST_NAME);
	const text = await readManifest(root, file);
	const problems = new Problems();
	const app = toApp(parseToml(text, file), root, file, problems);
	for (const [id, component] of Object.entries(app.components)) {
		const given = component.source !== root;
		if (given && !(await isFile(component.source))) {
			problems.add(["component", id, "source"], `there is no file ${component.source}`);
		}
	}
	problems.raise(file, text, SMALLEST);
	return freeze(app);
}

async function readManifest(root: string, file: string): Promise<string> {
	let text: string;
	try {
		const { size } = await stat(file);
		if (size > MAX_MANIFEST_BYTES) {
			throw new SkerryError(
				"app/manifest",
				`Cannot read the manifest: ${size} bytes, more than ${MAX_MANIFEST_BYTES}`,
				{
					place: { file },
				},
			);
		}
		text = await readFile(file, "utf8");
	} catch (cause) {
		if (cause instanceof SkerryError) throw cause;
		if ((cause as NodeJS.ErrnoException).code !== "ENOENT") {
			throw new SkerryError("app/manifest", "Cannot read the manifest", { place: { file }, cause });
		}
		if (!(await isFolder(root))) {
			throw new SkerryError("cli/file-not-found", `Cannot load an application from ${root}: there is no such folder`);
		}
		const spin = (await isFile(join(root, "spin.toml"))) ? " (spin.toml is not read yet)" : "";
		throw new SkerryError(
			"app/manifest",
			`Cannot load an application from ${root}: there is no ${MANIFEST_NAME}${spin}`,
			{
				place: { file },
				hint: SMALLEST,
			},
		);
	}
	return text;
}

function parseToml(text: string, file: string): Readonly<Record<string, unknown>> {
	try {
		return parse(text);
	} catch (error) {
		if (!(error instanceof TomlError)) throw error;
		// The parser's message goes on with an excerpt, which the place makes superfluous.
		const [message = "", ...excerpt] = error.message.replace(/^Invalid TOML document: /, "").split("\n");
		throw new SkerryError("app/manifest", `Cannot read the manifest: ${message}`, {
			place: { file, line: error.line, column: error.column },
			...(excerpt.length === 0 ? {} : { cause: error }),
		});
	}
}

function toApp(root: Readonly<Record<string, unknown>>, folder: string, file: string, problems: Problems): App {
	const document = new TableReader(root, SCHEMA.root, [], problems);
	const about = document.table("application");
	const application = about && new TableReader(about, SCHEMA.application, ["application"], problems);
	const components = toComponents(document.table("component") ?? {}, folder, problems);
	const triggers = document.table("trigger");
	return {
		name: application?.string("name") ?? "",
		version: application?.string("version"),
		description: application?.string("description"),
		try: application?.strings("try") ?? [],
		folder,
		file,
		limits: toLimits(document.table("limits"), problems),
		metering: toMetering(document, problems),
		triggers: { http: triggers === undefined ? [] : toHttpTriggers(triggers, components, problems) },
		components,
	};
}

/** `[limits]`: values as `--limit.*` takes them; those without a unit may be numbers. */
function toLimits(table: Readonly<Record<string, unknown>> | undefined, problems: Problems): Limits {
	if (table === undefined) return {};
	const limits: Partial<Record<LimitName, number>> = {};
	const reader = new TableReader(table, SCHEMA.limits, ["limits"], problems);
	for (const name of LIMIT_NAMES) {
		const given = reader.value(name);
		if (given === undefined) continue;
		const text = typeof given === "number" ? String(given) : given;
		const value = typeof text === "string" ? parseLimit(name, text) : undefined;
		if (value !== undefined) limits[name] = value;
		else problems.add([...reader.path, name], `\`${name}\` must be ${describeLimit(name)}, not ${describe(given)}`);
	}
	return limits;
}

function toMetering(document: TableReader, problems: Problems): MeteringMode | undefined {
	const text = document.string("metering");
	if (text === undefined) return undefined;
	const found = METERING_MODES.find((mode) => mode === text);
	if (found === undefined) {
		const hint = didYouMean(text, METERING_MODES) ?? `the modes are ${METERING_MODES.join(", ")}`;
		problems.add(["metering"], `there is no metering ${describe(text)}`, hint);
	}
	return found;
}

function toHttpTriggers(
	triggers: Readonly<Record<string, unknown>>,
	components: App["components"],
	problems: Problems,
): HttpTrigger[] {
	const tables = new TableReader(triggers, SCHEMA.trigger, ["trigger"], problems).tables("http");
	return tables.map((table, index) => {
		const path: KeyPath = ["trigger", "http", index];
		const trigger = new TableReader(table, SCHEMA.httpTrigger, path, problems);
		if (index > 0) problems.add(path, "more than one HTTP trigger is not supported yet");
		const route = trigger.string("route") ?? "/...";
		if (route !== "/...") {
			problems.add([...path, "route"], `the route ${describe(route)} is not supported yet`, 'route = "/..."');
		}
		const component = trigger.string("component");
		if (component !== undefined && !Object.hasOwn(components, component)) {
			const hint = didYouMean(component, Object.keys(components)) ?? `add a table [component.${component}]`;
			problems.add([...path, "component"], `there is no component ${describe(component)}`, hint);
		}
		return { route, component: component ?? "" };
	});
}

function toComponents(
	tables: Readonly<Record<string, unknown>>,
	folder: string,
	problems: Problems,
): App["components"] {
	const components: [string, AppComponent][] = [];
	// The ids are free, so the schema of `[component]` is the ids that are there.
	const ids = Object.keys(tables);
	const schema = Object.fromEntries(ids.map((id) => [id, { kind: "table" }] as const));
	const reader = new TableReader(tables, schema, ["component"], problems);
	for (const id of ids) {
		const path: KeyPath = ["component", id];
		if (!COMPONENT_ID.test(id)) {
			problems.add(path, `${describe(id)} is no component id: a letter, then letters, digits, - and _`);
		}
		const table = reader.table(id);
		if (table !== undefined) components.push([id, toComponent(id, table, folder, problems)]);
	}
	return Object.fromEntries(components);
}

function toComponent(
	id: string,
	table: Readonly<Record<string, unknown>>,
	folder: string,
	problems: Problems,
): AppComponent {
	const reader = new TableReader(table, SCHEMA.component, ["component", id], problems);
	const source = reader.string("source") ?? "";
	const isWasm = source.endsWith(".wasm");
	if (source !== "" && !isWasm && !SCRIPT.test(source)) {
		problems.add(
			[...reader.path, "source"],
			`${describe(source)} is neither a component (.wasm) nor a script (.ts, .js)`,
		);
	}
	const allowedOutboundHosts = reader.strings("allowed_outbound_hosts");
	for (const [index, host] of allowedOutboundHosts.entries()) {
		if (!OUTBOUND_HOST.test(host)) {
			const hint = 'it is scheme://host[:port], as in "https://api.example.com"';
			problems.add([...reader.path, "allowed_outbound_hosts", index], `${describe(host)} is no outbound host`, hint);
		}
	}
	return {
		id,
		source: resolve(folder, source),
		kind: isWasm ? "wasm" : "script",
		allowedOutboundHosts,
		environment: toEnvironment(reader, problems),
	};
}

function toEnvironment(component: TableReader, problems: Problems): Readonly<Record<string, string>> {
	const entries: [string, string][] = [];
	for (const [name, value] of Object.entries(component.table("environment") ?? {})) {
		const path = [...component.path, "environment", name];
		if (name === "" || /[=\0]/.test(name)) {
			problems.add(path, `${describe(name)} is no name of an environment variable`);
		} else if (typeof value !== "string" || value.includes("\0")) {
			problems.add(path, `\`${name}\` must be a text, not ${describe(value)}`);
		} else {
			entries.push([name, value]);
		}
	}
	return Object.fromEntries(entries);
}

async function isFile(path: string): Promise<boolean> {
	return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

async function isFolder(path: string): Promise<boolean> {
	return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** Freezes plain data to its leaves. */
function freeze<T>(value: T): T {
	if (typeof value === "object" && value !== null) {
		for (const inner of Object.values(value)) freeze(inner);
		Object.freeze(value);
	}
	return value;
}
