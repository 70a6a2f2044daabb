import { toCamelCase } from "../component/mod.ts";

/** A function of a resource, by its name in the binary. */
export interface Member {
	readonly kind: "constructor" | "method" | "static";
	readonly resource: string;
	/** The property of the class; empty for a constructor. */
	readonly key: string;
}

/** `[method]fields.get` → `{ kind: "method", resource: "fields", key: "get" }`; `undefined` for what is no resource's. */
export function parseMember(member: string): Member | undefined {
	const match = /^\[(constructor|method|static)\]([^.]+)(?:\.(.+))?$/.exec(member);
	if (match === null) return undefined;
	return { kind: match[1] as Member["kind"], resource: match[2] ?? "", key: toCamelCase(match[3] ?? "") };
}

/** `incoming-request` → `IncomingRequest`: the class of a resource. */
export function toPascalCase(name: string): string {
	const camel = toCamelCase(name);
	return camel.slice(0, 1).toUpperCase() + camel.slice(1);
}
