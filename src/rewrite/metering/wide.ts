import { type CodeReader, type Module, OP } from "../../wasm/mod.ts";

/** Whether the last operand of the current instruction, which is one by length, is an `i64`. */
export function findWide(module: Module): (reader: CodeReader) => boolean {
	const types = module.imports.map(({ type }) => type);
	const memories = [...types.filter((type) => type.kind === "memory"), ...module.memories];
	const tables = [...types.filter((type) => type.kind === "table"), ...module.tables.map(({ type }) => type)];
	const isWide = (spaces: readonly { readonly limits: { readonly index: string } }[], index: number): boolean =>
		spaces[index]?.limits.index === "i64";
	return ({ op, first, second }) => {
		switch (op) {
			case OP["memory.fill"]:
				return isWide(memories, first);
			case OP["memory.copy"]:
				return isWide(memories, first) && isWide(memories, second);
			case OP["table.fill"]:
				return isWide(tables, first);
			case OP["table.copy"]:
				return isWide(tables, first) && isWide(tables, second);
			default:
				return false;
		}
	};
}
