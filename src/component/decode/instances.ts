import type { Reader } from "../../bytes/mod.ts";
import type { CoreInstanceDefinition, CoreInstantiateArg, InstanceDefinition } from "../ast.ts";
import { MAX_INSTANTIATION_ARGS, MAX_INSTANTIATION_EXPORTS } from "../limits.ts";
import { decodeExternName } from "./externs.ts";
import { decodeIndex, decodeName, decodeVector, invalidByte } from "./items.ts";
import { decodeCoreSortIndex, decodeSortIndex } from "./sorts.ts";

/** Binary.md `core:sort` of an instance. */
const CORE_INSTANCE = 0x12;

/** Binary.md `core:instance`. */
export function decodeCoreInstance(reader: Reader): CoreInstanceDefinition {
	const offset = reader.offset;
	const byte = reader.u8("a core instance");
	if (byte === 0x00) {
		const module = decodeIndex(reader);
		const args = decodeVector(reader, "instantiation arguments", MAX_INSTANTIATION_ARGS, decodeCoreArg, 3);
		return { kind: "core instance", offset, expr: { kind: "instantiate", module, args } };
	}
	if (byte !== 0x01) throw invalidByte(reader, byte, "core instance", offset);
	const exports = decodeVector(
		reader,
		"instance exports",
		MAX_INSTANTIATION_EXPORTS,
		(r) => ({ name: decodeName(r), item: decodeCoreSortIndex(r) }),
		3,
	);
	return { kind: "core instance", offset, expr: { kind: "exports", exports } };
}

function decodeCoreArg(reader: Reader): CoreInstantiateArg {
	const name = decodeName(reader);
	const start = reader.offset;
	const sort = reader.u8("a core sort");
	if (sort !== CORE_INSTANCE) throw invalidByte(reader, sort, "instantiation arg kind", start);
	return { name, instance: decodeIndex(reader) };
}

/** Binary.md `instance`. */
export function decodeInstance(reader: Reader): InstanceDefinition {
	const offset = reader.offset;
	const byte = reader.u8("an instance");
	if (byte === 0x00) {
		const component = decodeIndex(reader);
		const args = decodeVector(
			reader,
			"instantiation arguments",
			MAX_INSTANTIATION_ARGS,
			(r) => ({ name: decodeName(r), item: decodeSortIndex(r) }),
			3,
		);
		return { kind: "instance", offset, expr: { kind: "instantiate", component, args } };
	}
	if (byte !== 0x01) throw invalidByte(reader, byte, "instance", offset);
	const exports = decodeVector(
		reader,
		"instance exports",
		MAX_INSTANTIATION_EXPORTS,
		(r) => ({ name: decodeExternName(r), item: decodeSortIndex(r) }),
		4,
	);
	return { kind: "instance", offset, expr: { kind: "exports", exports } };
}
