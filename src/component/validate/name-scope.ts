import type { ExternName } from "../ast.ts";
import { parseExternName, type ParsedName, parseInterfaceName, uniquenessKey } from "../names.ts";
import type { ExternType, FunctionType, ValueType } from "../types.ts";
import { unsupported } from "./gates.ts";
import { definitionOf, type ResourceDefinition } from "./identity.ts";
import { invalid } from "./invalid.ts";

/** The imports, or the exports, of one scope: a namespace of names, and the resources that have one. */
export class NameScope {
	readonly #role: "import" | "export";
	readonly #keys = new Map<string, string>();
	readonly #resources = new Map<ResourceDefinition, string>();
	readonly #resourceNames = new Set<string>();

	constructor(role: "import" | "export") {
		this.#role = role;
	}

	/** Checks and takes a name. `registers` is off in a bag of exports, where a type has no definition of its own. */
	define(extern: ExternName, type: ExternType, offset: number, registers: boolean): void {
		const parsed = parseExternName(extern.name);
		if (parsed.kind === "fault") {
			throw invalid(`\`${extern.name}\` is not a valid extern name: ${parsed.message}`, offset);
		}
		if (this.#role === "export" && isImportOnly(parsed)) {
			throw invalid(`name \`${extern.name}\` is not valid as an export name`, offset);
		}
		this.#checkAttributes(extern, parsed, type, offset);
		this.#checkAnnotation(extern.name, parsed, type, offset);
		const key = uniquenessKey(parsed);
		const previous = this.#keys.get(key);
		if (previous !== undefined) {
			throw invalid(`${this.#role} name \`${extern.name}\` conflicts with previous name \`${previous}\``, offset);
		}
		this.#keys.set(key, extern.name);
		if (registers && type.kind === "type" && type.type.kind === "resource" && parsed.kind === "plain") {
			this.#resources.set(type.type, extern.name);
			this.#resourceNames.add(extern.name);
		}
	}

	#checkAttributes(extern: ExternName, parsed: ParsedName, type: ExternType, offset: number): void {
		if (extern.versionSuffix !== undefined) throw unsupported("canonical-names", offset);
		if (extern.implements === undefined) return;
		if (type.kind !== "instance") throw invalid("only instances can have an `implements`", offset);
		if (parsed.kind !== "plain") throw invalid(`name \`${extern.name}\` is not valid with \`implements\``, offset);
		const target = parseExternName(extern.implements);
		if (
			target.kind === "fault" &&
			(extern.implements === "" || parseInterfaceName(extern.implements).kind === "fault")
		) {
			throw invalid(`\`${extern.implements}\` is not a valid name: ${target.message}`, offset);
		}
		if (target.kind !== "interface") {
			throw invalid(`the \`implements\` name \`${extern.implements}\` must be an interface`, offset);
		}
	}

	#checkAnnotation(name: string, parsed: ParsedName, type: ExternType, offset: number): void {
		if (parsed.kind !== "constructor" && parsed.kind !== "method" && parsed.kind !== "static") return;
		if (type.kind !== "func") throw invalid(`\`${name}\` is not a func`, offset);
		if (parsed.kind === "constructor") this.#checkConstructor(parsed.resource, type.type, offset);
		else if (parsed.kind === "method") this.#checkMethod(parsed.resource, type.type, offset);
		else if (!this.#resourceNames.has(parsed.resource)) {
			throw invalid("static resource name is not known in this context", offset);
		}
	}

	#checkConstructor(resource: string, type: FunctionType, offset: number): void {
		if (type.result === null) throw invalid("function should return one value", offset);
		const made = type.result.kind === "result" ? type.result.ok : type.result;
		if (made?.kind !== "own") {
			throw invalid("function should return `(own $T)` or `(result (own $T))`", offset);
		}
		this.#checkResource(made, resource, offset);
	}

	#checkMethod(resource: string, type: FunctionType, offset: number): void {
		const [self] = type.params;
		if (self === undefined) throw invalid("function should have at least one argument", offset);
		if (self.name !== "self") {
			throw invalid(`function should have a first argument called \`self\`, found \`${self.name}\``, offset);
		}
		if (self.type.kind !== "borrow") throw invalid("function should take a first argument of `(borrow $T)`", offset);
		this.#checkResource(self.type, resource, offset);
	}

	#checkResource(handle: Extract<ValueType, { kind: "own" | "borrow" }>, expected: string, offset: number): void {
		const definition = definitionOf(handle);
		const name = definition === undefined ? undefined : this.#resources.get(definition);
		if (name === undefined) throw invalid("resource used in function does not have a name in this context", offset);
		if (name !== expected) throw invalid(`function does not match expected resource name \`${name}\``, offset);
	}
}

function isImportOnly(name: ParsedName): boolean {
	return name.kind === "dependency" || name.kind === "url" || name.kind === "hash";
}
