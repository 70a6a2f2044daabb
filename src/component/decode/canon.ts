import type { Reader } from "../../bytes/mod.ts";
import { SkerryError } from "../../fault/mod.ts";
import { decodeCoreValueType } from "../../wasm/mod.ts";
import type { BuiltinCanon, Canon, CanonDefinition, CanonOptions } from "../ast.ts";
import { MAX_CANONICAL_OPTIONS } from "../limits.ts";
import { decodeBoolean, decodeIndex, invalidByte } from "./items.ts";
import { decodeResultList } from "./value-types.ts";

type Op = BuiltinCanon["op"];
type DecodeCanon = (reader: Reader) => Canon;

const bare =
	(op: Op): DecodeCanon =>
	() => ({ op });
const withType =
	(op: Op): DecodeCanon =>
	(reader) => ({ op, type: decodeIndex(reader) });
const withTypeAndOptions =
	(op: Op): DecodeCanon =>
	(reader) => ({ op, type: decodeIndex(reader), options: decodeOptions(reader) });
const withTypeAndAsync =
	(op: Op): DecodeCanon =>
	(reader) => ({ op, type: decodeIndex(reader), async: decodeBoolean(reader) });
const withOptions =
	(op: Op): DecodeCanon =>
	(reader) => ({ op, options: decodeOptions(reader) });
const cancellable =
	(op: Op): DecodeCanon =>
	(reader) => ({ op, cancellable: decodeBoolean(reader) });
const cancellableWithMemory =
	(op: Op): DecodeCanon =>
	(reader) => ({ op, cancellable: decodeBoolean(reader), memory: decodeIndex(reader) });
const context =
	(op: Op): DecodeCanon =>
	(reader) => ({ op, coreType: decodeSlotType(reader), slot: reader.u32("a context slot") });
const resource =
	(op: "resource.new" | "resource.drop" | "resource.rep"): DecodeCanon =>
	(reader) => ({ op, type: decodeIndex(reader) });

/** Binary.md `canon`, by opcode. 0x07, 0x08 and 0x2e to 0x3f are not allocated. */
const CANON = new Map<number, DecodeCanon>([
	[0x00, decodeLift],
	[0x01, decodeLower],
	[0x02, resource("resource.new")],
	[0x03, resource("resource.drop")],
	[0x04, resource("resource.rep")],
	[0x05, bare("task.cancel")],
	[0x06, (reader) => ({ op: "subtask.cancel", async: decodeBoolean(reader) })],
	[0x09, decodeTaskReturn],
	[0x0a, context("context.get")],
	[0x0b, context("context.set")],
	[0x0c, cancellable("thread.yield")],
	[0x0d, bare("subtask.drop")],
	[0x0e, withType("stream.new")],
	[0x0f, withTypeAndOptions("stream.read")],
	[0x10, withTypeAndOptions("stream.write")],
	[0x11, withTypeAndAsync("stream.cancel-read")],
	[0x12, withTypeAndAsync("stream.cancel-write")],
	[0x13, withType("stream.drop-readable")],
	[0x14, withType("stream.drop-writable")],
	[0x15, withType("future.new")],
	[0x16, withTypeAndOptions("future.read")],
	[0x17, withTypeAndOptions("future.write")],
	[0x18, withTypeAndAsync("future.cancel-read")],
	[0x19, withTypeAndAsync("future.cancel-write")],
	[0x1a, withType("future.drop-readable")],
	[0x1b, withType("future.drop-writable")],
	[0x1c, withOptions("error-context.new")],
	[0x1d, withOptions("error-context.debug-message")],
	[0x1e, bare("error-context.drop")],
	[0x1f, bare("waitable-set.new")],
	[0x20, cancellableWithMemory("waitable-set.wait")],
	[0x21, cancellableWithMemory("waitable-set.poll")],
	[0x22, bare("waitable-set.drop")],
	[0x23, bare("waitable.join")],
	[0x24, bare("backpressure.inc")],
	[0x25, bare("backpressure.dec")],
	[0x26, bare("thread.index")],
	[0x27, (reader) => ({ op: "thread.new-indirect", coreTypeIndex: decodeIndex(reader), table: decodeIndex(reader) })],
	[0x28, bare("thread.resume-later")],
	[0x29, cancellable("thread.suspend")],
	[0x2a, cancellable("thread.suspend-then-resume")],
	[0x2b, cancellable("thread.yield-then-resume")],
	[0x2c, cancellable("thread.suspend-then-promote")],
	[0x2d, cancellable("thread.yield-then-promote")],
	[0x40, (reader) => ({ op: "thread.spawn-ref", shared: decodeBoolean(reader), coreTypeIndex: decodeIndex(reader) })],
	[
		0x41,
		(reader) => ({
			op: "thread.spawn-indirect",
			shared: decodeBoolean(reader),
			coreTypeIndex: decodeIndex(reader),
			table: decodeIndex(reader),
		}),
	],
	[0x42, (reader) => ({ op: "thread.available-parallelism", shared: decodeBoolean(reader) })],
]);

export function decodeCanon(reader: Reader): CanonDefinition {
	const offset = reader.offset;
	const opcode = reader.u8("a canonical function");
	const decode = CANON.get(opcode);
	if (decode === undefined) throw invalidByte(reader, opcode, "canonical function", offset);
	return { kind: "canon", offset, canon: decode(reader) };
}

/** The sort `func`, the only one that can be lifted and lowered. */
function decodeFuncSort(reader: Reader, what: string): void {
	const start = reader.offset;
	const sort = reader.u8("a sort");
	if (sort !== 0x00) throw invalidByte(reader, sort, what, start);
}

function decodeLift(reader: Reader): Canon {
	decodeFuncSort(reader, "canonical function lift");
	return { op: "lift", func: decodeIndex(reader), options: decodeOptions(reader), type: decodeIndex(reader) };
}

function decodeLower(reader: Reader): Canon {
	decodeFuncSort(reader, "canonical function lower");
	return { op: "lower", func: decodeIndex(reader), options: decodeOptions(reader) };
}

function decodeTaskReturn(reader: Reader): Canon {
	return {
		op: "task.return",
		result: decodeResultList(reader, "`task.return` result"),
		options: decodeOptions(reader),
	};
}

function decodeSlotType(reader: Reader): "i32" | "i64" {
	const start = reader.offset;
	const type = decodeCoreValueType(reader);
	const name = type.kind === "number" ? type.name : "ref";
	if (name !== "i32" && name !== "i64") {
		throw new SkerryError("component/invalid", "context slots hold `i32` or `i64`", { place: { offset: start } });
	}
	return name;
}

const ENCODINGS = ["utf8", "utf16", "latin1+utf16"] as const;

/** The options that carry an index, by opcode. */
const INDEXED = {
	3: { key: "memory", title: "memory" },
	4: { key: "realloc", title: "realloc" },
	5: { key: "postReturn", title: "post-return" },
	7: { key: "callback", title: "callback" },
	8: { key: "coreType", title: "core-type" },
} as const;

const ASYNC = 6;
const GC = 9;

/** Binary.md `opts`. An option given twice is well-formed but not valid, which the AST could not show. */
function decodeOptions(reader: Reader): CanonOptions {
	const indices: Partial<Record<(typeof INDEXED)[keyof typeof INDEXED]["key"], number>> = {};
	let encoding: (typeof ENCODINGS)[number] | undefined;
	let async = false;
	let gc = false;
	for (let n = reader.count("canonical options", MAX_CANONICAL_OPTIONS); n > 0; n--) {
		const start = reader.offset;
		const opcode = reader.u8("a canonical option");
		const duplicate = (title: string): SkerryError =>
			new SkerryError("component/invalid", `canonical option \`${title}\` is specified more than once`, {
				place: { offset: start },
			});
		const named = ENCODINGS[opcode];
		if (named !== undefined) {
			if (encoding !== undefined) throw conflict(encoding, named, start);
			encoding = named;
		} else if (opcode === ASYNC) {
			if (async) throw duplicate("async");
			async = true;
		} else if (opcode === GC) {
			if (gc) throw duplicate("gc");
			gc = true;
		} else if (opcode in INDEXED) {
			const { key, title } = INDEXED[opcode as keyof typeof INDEXED];
			if (indices[key] !== undefined) throw duplicate(title);
			indices[key] = decodeIndex(reader);
		} else {
			throw invalidByte(reader, opcode, "canonical option", start);
		}
	}
	return {
		encoding: encoding ?? "utf8",
		memory: indices.memory ?? null,
		realloc: indices.realloc ?? null,
		postReturn: indices.postReturn ?? null,
		async,
		callback: indices.callback ?? null,
		coreType: indices.coreType ?? null,
		gc,
	};
}

function conflict(first: string, second: string, offset: number): SkerryError {
	const title = (encoding: string): string => encoding.replace("+", "-");
	return new SkerryError(
		"component/invalid",
		`canonical encoding option \`${title(first)}\` conflicts with option \`${title(second)}\``,
		{ place: { offset } },
	);
}
