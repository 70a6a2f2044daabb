/** Explainer.md, Import and Export Definitions: the grammar of extern names, and Binary.md's canonical interface names. */
export type ParsedName =
	| { readonly kind: "plain"; readonly label: string }
	| { readonly kind: "constructor"; readonly resource: string }
	| { readonly kind: "method" | "static"; readonly resource: string; readonly label: string }
	| InterfaceName
	/** `locked-dep=<…>`, `unlocked-dep=<…>`, `url=<…>` and `integrity=<…>`: whole, not taken apart. */
	| { readonly kind: "dependency" | "url" | "hash"; readonly text: string };

export interface InterfaceName {
	readonly kind: "interface";
	readonly namespace: string;
	readonly package: string;
	readonly interface: string;
	readonly version?: string;
}

/** Why a name is not one. */
export interface NameFault {
	readonly kind: "fault";
	readonly message: string;
}

const LABEL = /^(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*)(?:-(?:[a-z0-9]+|[A-Z0-9]+))*$/;
const LOWER_LABEL = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const SEMVER_IDENTIFIER = /^[0-9A-Za-z-]+$/;
const INTEGRITY =
	/^(?:sha(?:256|384|512)-[A-Za-z0-9+/]+={0,2}(?:\?[!-~]*)?)(?:\s+sha(?:256|384|512)-[A-Za-z0-9+/]+={0,2})*$/;

/** Explainer.md `label`: words of one case, joined by hyphens; the first begins with a letter. */
export function isKebabCase(text: string): boolean {
	return LABEL.test(text);
}

function fault(message: string): NameFault {
	return { kind: "fault", message };
}

function notKebab(text: string): NameFault {
	return fault(`\`${text}\` is not in kebab case`);
}

/** Parses the name of an import or export; a fault where the grammar does not have it. */
export function parseExternName(name: string): ParsedName | NameFault {
	const bracketed = /^\[(constructor|method|static)\]/.exec(name);
	if (bracketed !== null) {
		const [prefix, kind] = bracketed;
		const rest = name.slice(prefix.length);
		return kind === "constructor" ? parseConstructor(rest) : parseMember(kind === "method" ? "method" : "static", rest);
	}
	const equals = name.indexOf("=");
	if (equals !== -1) return parseDependency(name.slice(0, equals), name.slice(equals + 1), name);
	if (name.includes(":")) return parseInterfaceName(name);
	return isKebabCase(name) ? { kind: "plain", label: name } : notKebab(name);
}

function parseConstructor(rest: string): ParsedName | NameFault {
	return isKebabCase(rest) ? { kind: "constructor", resource: rest } : notKebab(rest);
}

function parseMember(kind: "method" | "static", rest: string): ParsedName | NameFault {
	const dot = rest.indexOf(".");
	if (dot === -1) return fault("failed to find `.` character");
	const resource = rest.slice(0, dot);
	const label = rest.slice(dot + 1);
	if (!isKebabCase(resource)) return notKebab(resource);
	if (!isKebabCase(label)) return notKebab(label);
	return { kind, resource, label };
}

/** `namespace:package/interface@version`; a fault for anything else. */
export function parseInterfaceName(name: string): InterfaceName | NameFault {
	const colon = name.indexOf(":");
	if (colon === -1) return fault(`expected \`:\` in \`${name}\``);
	const namespace = name.slice(0, colon);
	if (!LOWER_LABEL.test(namespace)) return notKebab(namespace);
	const at = name.indexOf("@", colon);
	const path = name.slice(colon + 1, at === -1 ? undefined : at);
	const slash = path.indexOf("/");
	const packageName = slash === -1 ? path : path.slice(0, slash);
	if (packageName.includes(":")) return fault("expected `/` after package name");
	if (!LOWER_LABEL.test(packageName)) return notKebab(packageName);
	if (slash === -1) return fault("expected `/` after package name");
	const projection = path.slice(slash + 1);
	const more = projection.indexOf("/");
	if (more !== -1) return fault(`trailing characters found: \`${projection.slice(more)}\``);
	if (!isKebabCase(projection)) return notKebab(projection);
	const parsed = { kind: "interface", namespace, package: packageName, interface: projection } as const;
	if (at === -1) return parsed;
	const version = name.slice(at + 1);
	const wrong = checkVersion(version);
	return wrong === null ? { ...parsed, version } : fault(`\`${version}\` is not a valid semver: ${wrong}`);
}

/** What is wrong with a version by the grammar of semver 2.0; `null` where nothing is. */
function checkVersion(version: string): string | null {
	if (version === "") return "empty string, expected a semver version";
	const [, core = "", pre, build] = /^([^-+]*)(?:-([^+]*))?(?:\+(.*))?$/s.exec(version) ?? [];
	const numbers = core.split(".");
	for (const [i, number] of numbers.entries()) {
		const bad = /[^0-9]/.exec(number);
		if (bad !== null) return `unexpected character '${bad[0]}'`;
		if (number === "") return i === 0 && numbers.length > 1 ? "unexpected character '.'" : "unexpected end of input";
		if (number.length > 1 && number.startsWith("0")) return "invalid leading zero";
	}
	if (numbers.length < 3) return "unexpected end of input";
	if (numbers.length > 3) return "unexpected character '.'";
	for (const part of [pre, build]) {
		if (part === undefined) continue;
		for (const identifier of part.split(".")) {
			if (identifier === "") return "empty identifier segment";
			if (!SEMVER_IDENTIFIER.test(identifier)) return "unexpected character in an identifier";
			if (part === pre && /^0[0-9]+$/.test(identifier)) return "invalid leading zero";
		}
	}
	return null;
}

function parseDependency(key: string, rest: string, text: string): ParsedName | NameFault {
	const [, inner, integrity] = /^<([^,]*)>(?:,integrity=<([^<>]*)>)?$/.exec(rest) ?? [];
	if (inner === undefined) return fault(`\`${text}\` is not in kebab case`);
	if (integrity !== undefined && !INTEGRITY.test(integrity)) return fault(`\`${integrity}\` is not integrity metadata`);
	switch (key) {
		case "integrity":
			return INTEGRITY.test(inner) ? { kind: "hash", text } : fault(`\`${inner}\` is not integrity metadata`);
		case "url":
			return { kind: "url", text };
		case "locked-dep":
		case "unlocked-dep":
			return checkPackage(inner, key === "unlocked-dep") ?? { kind: "dependency", text };
		default:
			return fault(`\`${text}\` is not in kebab case`);
	}
}

/** `ns:pkg` with a version, or (unlocked) a range of versions. */
function checkPackage(text: string, ranges: boolean): NameFault | null {
	const [path = "", version] = text.split("@", 2);
	const [namespace = "", packageName = "", ...more] = path.split(":");
	if (!LOWER_LABEL.test(namespace)) return notKebab(namespace);
	if (more.length > 0 || !LOWER_LABEL.test(packageName)) return notKebab(packageName);
	if (version === undefined) return null;
	if (!ranges) {
		const wrong = checkVersion(version);
		return wrong === null ? null : fault(`\`${version}\` is not a valid semver: ${wrong}`);
	}
	if (version === "*") return null;
	const [, range] = /^\{(.*)\}$/.exec(version) ?? [];
	for (const bound of range?.split(" ") ?? [""]) {
		const [, number = ""] = /^(?:>=|<)(.*)$/.exec(bound) ?? [];
		if (checkVersion(number) !== null) return fault(`\`${version}\` is not a version range`);
	}
	return null;
}

/**
 * Two names with the same key are not strongly unique (Explainer.md): compared without case and without annotation, except
 * that `[constructor]r` may stand beside `r`, and `[method]r.r` may not.
 */
export function uniquenessKey(name: ParsedName): string {
	switch (name.kind) {
		case "plain":
			return name.label.toLowerCase();
		case "constructor":
			return `[constructor]${name.resource.toLowerCase()}`;
		case "method":
		case "static": {
			const resource = name.resource.toLowerCase();
			const label = name.label.toLowerCase();
			return resource === label ? label : `${resource}.${label}`;
		}
		case "interface":
			return printInterfaceName(name);
		default:
			return name.text;
	}
}

function printInterfaceName(name: InterfaceName): string {
	const version = name.version === undefined ? "" : `@${name.version}`;
	return `${name.namespace}:${name.package}/${name.interface}${version}`;
}

/**
 * Binary.md's canonical version: the part of a version within which all are compatible. `1.2.3` → `1`, `0.2.3` → `0.2`,
 * `0.0.3` → `0.0.3`; a prerelease stands for itself; build metadata does not count.
 */
export function canonicalVersion(version: string): string {
	const [release = ""] = version.split("+", 1);
	if (release.includes("-")) return release;
	const [major = "", minor = "", patch = ""] = release.split(".");
	if (major !== "0") return major;
	return minor === "0" ? `0.0.${patch}` : `0.${minor}`;
}

/** The key under which an import finds what is offered: an interface's name with its canonical version, any other name as it is. */
export function versionKey(name: string): string {
	const parsed = parseExternName(name);
	if (parsed.kind !== "interface" || parsed.version === undefined) return name;
	return printInterfaceName({ ...parsed, version: canonicalVersion(parsed.version) });
}

/** Whether what is offered under one name may serve an import of another: the same but for a compatible version. */
export function isCompatible(wanted: string, offered: string): boolean {
	return wanted === offered || versionKey(wanted) === versionKey(offered);
}
