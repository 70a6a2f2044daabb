import { Reader } from "../../bytes/mod.ts";
import {
	type CoreExternType,
	type CoreModuleType,
	CoreTypeSpace,
	decodeExternType,
	decodeRecType,
} from "../../wasm/mod.ts";
import type { CoreModuleDeclaration, CoreTypeDefinition } from "../ast.ts";
import { invalid } from "./invalid.ts";
import type { Scope } from "./scope.ts";

export function validateCoreType(scope: Scope, { type, offset }: CoreTypeDefinition): void {
	if (type.kind === "module") {
		scope.coreTypes.add({ kind: "module", type: resolveModuleType(scope, type.declarations) }, offset);
		scope.recTypes.skip();
		return;
	}
	const types = decodeRecType(new Reader(type.bytes, type.offset));
	scope.recTypes.define(types, offset);
	for (let i = 0; i < types.length; i++) scope.coreTypes.add({ kind: "rec" }, offset);
}

/** Module types have a core type index space of their own, into which outer core types can be aliased. */
function resolveModuleType(scope: Scope, declarations: readonly CoreModuleDeclaration[]): CoreModuleType {
	const space = new CoreTypeSpace();
	const imports: { module: string; name: string; type: CoreExternType }[] = [];
	const exports = new Map<string, CoreExternType>();
	const imported = new Set<string>();
	for (const declaration of declarations) {
		const { offset } = declaration;
		scope.work.offset = offset;
		switch (declaration.kind) {
			case "type":
				if (declaration.type.kind === "rec") {
					space.define(decodeRecType(new Reader(declaration.type.bytes, declaration.type.offset)), offset);
				}
				break;
			case "alias": {
				const from = declaration.count === 0 ? space : scope.outer(declaration.count - 1).recTypes;
				space.alias(from, declaration.index, offset);
				break;
			}
			case "import": {
				const { module, name } = declaration;
				const key = JSON.stringify([module, name]);
				if (imported.has(key)) throw invalid(`duplicate import name \`${module}:${name}\``, offset);
				imported.add(key);
				imports.push({ module, name, type: resolveExtern(space, declaration.desc, declaration.descOffset) });
				break;
			}
			case "export":
				if (exports.has(declaration.name)) {
					throw invalid(`export name \`${declaration.name}\` already defined`, offset);
				}
				exports.set(declaration.name, resolveExtern(space, declaration.desc, declaration.descOffset));
				break;
		}
	}
	return { imports, exports };
}

function resolveExtern(space: CoreTypeSpace, desc: Uint8Array, offset: number): CoreExternType {
	return space.externType(decodeExternType(new Reader(desc, offset)), offset);
}
