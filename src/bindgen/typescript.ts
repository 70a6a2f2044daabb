import { type ExternType, type FunctionType, toCamelCase, type ValueType } from "../component/mod.ts";
import { END_TYPES, type Ends, printStructure, printType, propertyName, toTypeName, TypeNames } from "./type-names.ts";
import type { World } from "./wit-source.ts";

/** For whom the types are: who loads the component, or who writes it in JavaScript. */
export type Side = "host" | "guest";

type Types = ReadonlyMap<string, ExternType>;

/**
 * How functions and resources look, by who calls whom: what a host gives, what a host calls, and the same two of a guest in JavaScript,
 * whose imports never give promises.
 */
type Role = "given by host" | "called by host" | "called by guest" | "given by guest";

/** The TypeScript declarations of a world, as the text of a `.d.ts` file. */
export function printTypeScript(world: World, side: Side): string {
	return new Printer(world, side).print();
}

class Printer {
	readonly #world: World;
	readonly #side: Side;
	readonly #names: TypeNames;
	/** Where a host gives values. */
	readonly #given: TypeNames;
	/** What stands beside the world: its own types, and its interfaces. */
	readonly #spaces: (readonly string[])[] = [];
	/** What a guest imports. */
	readonly #modules: (readonly string[])[] = [];
	#branded = false;

	constructor(world: World, side: Side) {
		this.#world = world;
		this.#side = side;
		const [taken, given]: readonly Ends[] = side === "host" ? ["of guest", "of host"] : ["plain", "plain"];
		this.#names = new TypeNames(taken as Ends);
		this.#given = new TypeNames(given as Ends, this.#names);
		for (const name of ["StreamSource", "GuestStream", "GuestFuture"]) this.#names.claim(name);
	}

	print(): string {
		const { type } = this.#world;
		const host = this.#side === "host";
		const name = this.#names.claim(toTypeName(this.#world.name));
		const titles = [this.#names.claim(`${name}Imports`), this.#names.claim(`${name}Exports`)];
		const imports = this.#membersOf(type.imports, host ? "given by host" : "called by guest");
		const exports = this.#membersOf(type.exports, host ? "called by host" : "given by guest");
		const doc = this.#doc(this.#world.place);
		const head = host
			? [
					`/** What the host gives: \`engine.load<${name}>(source, { imports })\`. Skerry gives what is optional. */`,
					...braced(`export interface ${titles[0]}`, imports),
					"",
					"/** What can be called of a sandbox: `component.instantiate().exports`. */",
					...braced(`export interface ${titles[1]}`, exports),
					"",
					...doc,
					...braced(`export interface ${name}`, [`imports: ${titles[0]};`, `exports: ${titles[1]};`]),
				]
			: [
					"/** What the component's module exports. */",
					...braced(`export interface ${titles[1]}`, exports),
					"",
					...doc,
					`export type ${name} = ${titles[1]};`,
				];
		const brand = this.#branded ? ["declare const brand: unique symbol;", ""] : [];
		const ends = this.#names.usesEnds ? END_TYPES : [];
		const spaces = this.#spaces.flatMap((lines) => ["", ...lines]);
		const title = "// Made by `skerry bindgen`; change the WIT instead.";
		if (host) return toText([title, "", ...brand, ...ends, ...head, ...spaces]);
		// Modules can be declared only in a file that is none itself
		const own = braced(`declare module ${JSON.stringify(this.#world.place)}`, [...head, ...spaces]);
		return toText([title, "", ...own, ...this.#modules.flatMap((lines) => ["", ...lines])]);
	}

	/** The members of what a world imports or exports. Interfaces become namespaces of their own. */
	#membersOf(types: Types, role: Role): string[] {
		const interfaces = [...types].filter(([, type]) => type.kind === "instance").map(([name]) => name);
		const own = new Map([...types].filter(([, type]) => type.kind !== "instance"));
		const lines: string[] = [];
		// Types of the world first: its interfaces come after what they use, and its functions use both.
		for (const [name, type] of types) {
			if (type.kind !== "instance") continue;
			const space = this.#interface(name, type.type.exports, role);
			const base = name.replace(/@.*$/, "");
			const unique = interfaces.filter((other) => other.replace(/@.*$/, "") === base).length === 1;
			if (role === "called by guest") continue;
			const key = role === "given by guest" ? propertyKey(base) : propertyName(unique ? base : name);
			const optional = role === "given by host" && base.startsWith("wasi:") ? "?" : "";
			lines.push(...this.#doc(name), `${key}${optional}: ${space};`);
			// An interface is called by either name; two that differ in their version have theirs only
			if (role === "called by host" && unique && base !== name) lines.push(`${propertyName(name)}: ${space};`);
		}
		const { place } = this.#world;
		const body: string[] = [];
		const named = this.#types(place, own, role, "", body);
		if (body.length > 0) this.#spaces.push(body);
		lines.push(...named, ...this.#functions(place, own, role));
		if (role !== "called by guest") return lines;
		for (const [name, type] of own) {
			if (type.kind !== "func" || name.startsWith("[")) continue;
			const doc = this.#functionDoc(`${place}#${name}`, type.type);
			const line = `export default function ${localName(name)}${this.#signature(type.type, role)};`;
			this.#modules.push(braced(`declare module ${JSON.stringify(name)}`, [...doc, line]));
		}
		return [];
	}

	/** Declares an interface; returns the type of the object that stands for it. */
	#interface(name: string, types: Types, role: Role): string {
		const base = toTypeName(name);
		if (role === "called by guest") {
			const body: string[] = [];
			const space = `import(${JSON.stringify(name)})`;
			const members = this.#types(name, types, role, `${space}.`, body);
			body.push(...members, ...this.#functions(name, types, role));
			this.#modules.push([...this.#doc(name), ...braced(`declare module ${JSON.stringify(name)}`, body)]);
			return space;
		}
		const space = this.#names.claim(base);
		const body: string[] = [];
		const members = this.#types(name, types, role, `${space}.`, body);
		const functions = this.#functions(name, types, role);
		const object = braced("interface Interface", [...members, ...functions]);
		const head = `export ${this.#side === "host" ? "declare " : ""}namespace ${space}`;
		this.#spaces.push([...this.#doc(name), ...braced(head, [...body, ...object])]);
		return `${space}.Interface`;
	}

	/** Declares the types of an interface into `body`; returns its members that are classes. */
	#types(place: string, types: Types, role: Role, prefix: string, body: string[]): string[] {
		const exported = prefix === "" || role === "called by guest" ? "export " : "";
		const classes: string[] = [];
		const taken = new Set(GLOBALS);
		// What a guest imports from its world stands in modules beside the one that has the world's types
		const home = prefix === "" && role === "called by guest" ? `import(${JSON.stringify(place)}).` : prefix;
		const items: { name: string; local: string; known: string | undefined; type: ExternType & { kind: "type" } }[] = [];
		for (const [name, type] of types) {
			if (type.kind !== "type") continue;
			let local = prefix === "" ? this.#names.claim(toTypeName(name)) : toTypeName(name);
			while (taken.has(local)) local += "_";
			taken.add(local).add(`${local}Class`);
			items.push({ name, local, known: this.#names.define(type.type, `${home}${local}`), type });
		}
		for (const { name, local, known, type } of items) {
			const doc = this.#doc(`${place}#${name}`);
			if (known !== undefined) body.push(...doc, `${exported}type ${local} = ${known};`);
			else if (type.type.kind === "value") {
				const describe = (member: string): readonly string[] => this.#doc(`${place}#${name}.${member}`);
				body.push(
					...doc,
					...`${exported}type ${local} = ${printStructure(type.type.type, this.#names, describe)};`.split("\n"),
				);
			} else if (type.type.kind === "resource") {
				body.push(...doc, ...this.#resource(place, name, local, types, role, exported));
				if (role !== "called by guest") classes.push(...doc, `${toTypeName(name)}: ${prefix}${local}Class;`);
			}
		}
		return classes;
	}

	#resource(place: string, name: string, local: string, types: Types, role: Role, exported: string): string[] {
		const members: string[] = [];
		const statics: string[] = [];
		let constructed = false;
		for (const [member, type] of types) {
			if (type.kind !== "func") continue;
			const [, kind, resource, rest = "constructor"] =
				/^\[(constructor|method|static)\]([^.]+)(?:\.(.+))?$/.exec(member) ?? [];
			if (resource !== name) continue;
			// Such members have their binary names only: see `embed/resources`
			if ((role === "called by host" && rest === "then") || (role.startsWith("called") && rest === "prototype"))
				continue;
			const doc = this.#functionDoc(`${place}#${name}.${rest}`, type.type);
			const key = propertyName(toCamelCase(rest));
			if (kind === "method") members.push(...doc, `${key}${this.#signature(type.type, role, 1)};`);
			else if (kind === "static")
				statics.push(
					...doc,
					`${role === "called by guest" ? "static " : ""}${key}${this.#signature(type.type, role)};`,
				);
			else {
				constructed = true;
				const params = this.#params(type.type, role);
				if (role === "called by guest") statics.push(...doc, `constructor${params};`);
				else statics.push(...doc, `new ${params}: ${role === "called by host" ? `Promise<${local}>` : local};`);
			}
		}
		if (role === "called by guest") {
			const hidden = constructed ? [] : ["private constructor();"];
			return braced(`export class ${local} implements Disposable`, [
				...hidden,
				...statics,
				...members,
				"[Symbol.dispose](): void;",
			]);
		}
		if (role === "called by host") {
			this.#branded = true;
			members.push(`readonly [brand]: ${JSON.stringify(`${place}#${name}`)};`);
		} else members.push("/** Called when the last handle of it is dropped. */", "[Symbol.dispose]?(): void;");
		if (!constructed) statics.push(`readonly prototype: ${local};`);
		const base = role === "called by host" ? " extends Disposable, AsyncDisposable" : "";
		return [
			...braced(`${exported}interface ${local}${base}`, members),
			...braced(`${exported}interface ${local}Class`, statics),
		];
	}

	#functions(place: string, types: Types, role: Role): string[] {
		const lines: string[] = [];
		// What a guest imports from the world itself, it imports from modules of their own
		if (role === "called by guest" && place === this.#world.place) return lines;
		for (const [name, type] of types) {
			if (type.kind !== "func" || name.startsWith("[")) continue;
			const key = toCamelCase(name);
			const doc = this.#functionDoc(`${place}#${name}`, type.type);
			const signature = this.#signature(type.type, role);
			const local = localName(name);
			if (role !== "called by guest") lines.push(...doc, `${propertyName(key)}${signature};`);
			else if (local === key) lines.push(...doc, `export function ${key}${signature};`);
			else lines.push(...doc, `function ${local}${signature};`, `export { ${local} as ${key} };`);
		}
		return lines;
	}

	#params({ params }: FunctionType, role: Role, skip = 0): string {
		const names = role === "called by host" ? this.#given : this.#names;
		const printed = params.slice(skip).map(({ name, type }) => `${localName(name)}: ${printType(type, names)}`);
		return `(${printed.join(", ")})`;
	}

	#signature(type: FunctionType, role: Role, skip = 0): string {
		const value = this.#resultType(type.result, role);
		const result = {
			"given by host": `${value} | Promise<${value}>`,
			"given by guest": `${value} | Promise<${value}>`,
			"called by host": `Promise<${value}>`,
			"called by guest": type.async ? `Promise<${value}>` : value,
		}[role];
		return `${this.#params(type, role, skip)}: ${result}`;
	}

	/** A `result` is a value, or an error that is thrown. */
	#resultType(result: ValueType | null, role: Role): string {
		const value = result?.kind === "result" ? result.ok : result;
		return value === null || value === undefined
			? "void"
			: printType(value, role === "given by host" ? this.#given : this.#names);
	}

	#functionDoc(place: string, { result }: FunctionType): readonly string[] {
		const text = this.#world.docs.get(place);
		if (result?.kind !== "result") return comment(text);
		const payload =
			result.err === null ? "" : ` whose payload is ${printType(result.err, this.#names).replace(/\s+/g, " ")}`;
		return comment(`${text === undefined ? "" : `${text}\n`}@throws ComponentError${payload}`);
	}

	#doc(place: string): readonly string[] {
		return comment(this.#world.docs.get(place));
	}
}

/** The name under which a guest's module exports an interface: that of the interface alone. */
function propertyKey(base: string): string {
	return propertyName(toCamelCase(base.replace(/^.*\//, "")));
}

/** What the declarations themselves use of TypeScript's: no type of an interface may hide it. */
const GLOBALS: readonly string[] = (
	"Array Interface Promise PromiseLike AsyncIterable Iterable StreamSource GuestStream GuestFuture Map Record ReadableStream Disposable AsyncDisposable Symbol " +
	"Int8Array Uint8Array Int16Array Uint16Array Int32Array Uint32Array BigInt64Array BigUint64Array Float32Array Float64Array"
).split(" ");

const RESERVED = new Set(
	(
		"arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for " +
		"function if implements import in instanceof interface let new null package private protected public return static super switch " +
		"this throw true try typeof var void while with yield"
	).split(" "),
);

/** What a parameter or function is called where it is declared. */
function localName(name: string): string {
	const camel = toCamelCase(name);
	return RESERVED.has(camel) ? `${camel}_` : camel;
}

function toText(lines: readonly string[]): string {
	return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

function comment(text: string | undefined): readonly string[] {
	if (text === undefined) return [];
	const lines = text.replaceAll("*/", "*\\/").split("\n");
	if (lines.length === 1) return [`/** ${lines[0]} */`];
	return ["/**", ...lines.map((line) => (line === "" ? " *" : ` * ${line}`)), " */"];
}

function braced(head: string, lines: readonly string[]): string[] {
	return lines.length === 0
		? [`${head} {}`]
		: [`${head} {`, ...lines.map((line) => (line === "" ? "" : `\t${line}`)), "}"];
}
