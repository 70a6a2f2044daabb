import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache } from "../../engine/mod.ts";
import { linkComponent, loadComponent } from "../link.ts";

/** Each component makes two instances of the one before it: twice as many at each level. */
const doubling = (levels: number, leaf: string): string =>
	`(component (component $c0 ${leaf})
		${Array.from({ length: levels }, (_, i) => `(component $c${i + 1} (instance (instantiate $c${i})) (instance (instantiate $c${i})))`).join("\n")}
		(instance (instantiate $c${levels})))`;

const TYPES = "(type (list u8)) ".repeat(1000);

const CASES: readonly (readonly [name: string, text: string, message: RegExp | undefined])[] = [
	["16,384 instances", doubling(13, ""), undefined],
	["32,768 instances", doubling(14, ""), /more than 20000 component instances$/],
	["a milliard instances", doubling(30, ""), /more than 20000 component instances$/],
	["512 instances of a thousand types", doubling(9, TYPES), undefined],
	["1024 instances of a thousand types", doubling(10, TYPES), /more than 1000000 definitions$/],
];

for (const [name, text, message] of CASES) {
	test(`components that instantiate each other twice: ${name}`, async () => {
		const component = loadComponent(new Uint8Array(await parse(text)));
		const linked = linkComponent(component, { interfaces: [] }, new CompileCache());
		if (message === undefined) await linked;
		else await assert.rejects(linked, { code: "binary/limit", message });
	});
}
