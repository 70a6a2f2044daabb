/** Names that mean something in JavaScript, and types of a world that its functions use. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, suite, test } from "node:test";

import { printTypeScript, readWorld } from "./mod.ts";

const root = path.resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(path.join(tmpdir(), "skerry-reserved-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const WIT = `package a:b@1.0.0;
interface types {
	record %interface { %type: string, %new: option<u8>, to-string: bool, %constructor: u8 }
	flags %class { %delete, %new }
	resource promise {
		constructor(%new: u8);
		%delete: func(%class: %class) -> %interface;
		then: func() -> u8;
		name: static func(%arguments: u8) -> u8;
		%new: static func(x: string) -> u8;
		prototype: static func();
	}
	%delete: func(%class: %class) -> u8;
	%new: func();
	%default: func() -> string;
	%await: async func() -> future;
}
world w {
	use types.{%interface as error};
	record map-of { a: error }
	import types;
	import %delete: func(x: map-of) -> error;
	export types;
	export %new: func(x: map-of) -> error;
}`;

const HOST = `import type { W } from "./host.d.ts";
declare const { imports, exports }: W;
imports.delete satisfies (x: { a: { type: string; toString: boolean; constructor: number } }) => unknown;
const promise = await new exports["a:b/types"].Promise(5);
const got: { type: string } = await promise.delete({ delete: true, new: false });
const name: number = await exports["a:b/types"].Promise.name(1);
const another: number = await exports["a:b/types"].Promise.new("x");
const made: string = (await exports.new({ a: { ...got, toString: true, constructor: 1 } })).type;
export { another, got, made, name };
`;

const GUEST = `import remove from "delete";
import { Promise_, default as text, delete as take, new as make } from "a:b/types@1.0.0";
const promise = new Promise_(1);
const one: number = take({ delete: true, new: false }) + Promise_.name(1) + promise.then() + Promise_.new("x");
const other: string = text() + remove({ a: { type: "", toString: true, constructor: 1 } }).type;
make();
export { one, other };
`;

suite("the types of a world whose names are words of JavaScript", () => {
	const errors = new Map<string, string>();
	before(async () => {
		const world = await readWorld({ main: { files: [{ path: "w.wit", text: WIT }] }, deps: [] });
		for (const [side, use] of [
			["host", HOST],
			["guest", GUEST],
		] as const) {
			writeFileSync(path.join(folder, `${side}.d.ts`), printTypeScript(world, side));
			writeFileSync(path.join(folder, `use-${side}.ts`), use);
			writeFileSync(path.join(folder, "package.json"), '{ "type": "module" }');
			const options = "--strict --noEmit --target esnext --module nodenext --lib esnext,dom --pretty false".split(" ");
			errors.set(
				side,
				await new Promise<string>((resolve) => {
					const tsc = path.join(root, "node_modules/.bin/tsc");
					const files = [`${side}.d.ts`, `use-${side}.ts`];
					execFile(tsc, [...options, "--types", "", "--ignoreConfig", ...files], { cwd: folder }, (_, out) =>
						resolve(out),
					);
				}),
			);
		}
	});

	for (const side of ["host", "guest"]) {
		test(`compile, and are of use to a ${side}`, () => assert.equal(errors.get(side), ""));
	}
});
