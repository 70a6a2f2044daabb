import { type CompositeTypeSyntax, countImports, type Module, OP, type ValueTypeSyntax } from "../../wasm/mod.ts";
import { SkerryError } from "../../fault/mod.ts";
import type { Additions } from "./additions.ts";
import type { Assembler } from "./assembler.ts";
import { begin, callHost } from "./pieces.ts";

/**
 * What a guest makes in V8's heap, which has to hold for all guests and the host: structures, arrays, exceptions. The code counts the
 * bytes before it makes anything, and asks the host when what it was given is used up.
 */

/**
 * Bytes that an array has at most. What makes one is a single instruction of V8's, which nothing interrupts: so much takes it some 20 ms,
 * and the 1 GiB that V8 would allow whole seconds.
 */
const MAX_BYTES = 16 * 1024 * 1024;

/** Bytes of the arrays that the constants of a module make at most: they are made with each instance, and nothing interrupts that. */
const MAX_CONSTANT_BYTES = 1024 * 1024;

/** Bytes of V8's own that an object has at most. */
const STRUCTURE_BYTES = 16;
const ARRAY_BYTES = 24;
const EXCEPTION_BYTES = 128;
/** Bytes that a value takes in an exception at most: V8 keeps each 16 bits of a number by themselves. */
const THROWN_BYTES = 64;

const SIZES: Readonly<Record<string, number>> = { i8: 1, i16: 2, i32: 4, f32: 4, v128: 16 };
const REFERENCE = 8;

function widthOf(storage: ValueTypeSyntax): number {
	return storage.kind === "number" ? (SIZES[storage.name] ?? REFERENCE) : REFERENCE;
}

/** Bytes of an element of an array; of what is none, V8 says so. */
export function elementBytes(type: CompositeTypeSyntax | undefined): number {
	return type?.kind === "array" ? widthOf(type.element.storage) : REFERENCE;
}

/** Bytes of a structure, at most. */
export function structureBytes(type: CompositeTypeSyntax | undefined): number {
	const fields = type?.kind === "struct" ? type.fields : [];
	return fields.reduce((sum, { storage }) => sum + Math.max(widthOf(storage), REFERENCE), STRUCTURE_BYTES);
}

export function arrayBytes(type: CompositeTypeSyntax | undefined, length: number): number {
	return ARRAY_BYTES + length * elementBytes(type);
}

/** Bytes of an exception, at most. */
export function exceptionBytes(type: CompositeTypeSyntax | undefined): number {
	return EXCEPTION_BYTES + THROWN_BYTES * (type?.kind === "func" ? type.params.length : 0);
}

/** `(bytes)`, an `i64`: takes them of what the guest was given, or has it given more, or traps. */
export function allocateBody(added: Additions): Uint8Array {
	const left = added.heapLeft();
	const at = begin().op("global.get", left).op("local.get", 0).op("i64.sub").op("local.tee", 0);
	at.op("global.set", left).op("local.get", 0).const("i64", 0).op("i64.lt_s").begin("if");
	at.const("i64", 0).op("local.get", 0).op("i64.sub");
	callHost(at, added, "allocate");
	at.op("local.tee", 0).op("i64.eqz").begin("if").op("unreachable").end();
	at.op("global.get", left).op("local.get", 0).op("i64.add").op("global.set", left).end();
	return at.end().out.finish();
}

/** Takes bytes for an array whose length is in local 0. */
function takeArray(at: Assembler, width: number, allocate: number): Assembler {
	at.wide(0, "i32").const("i64", width).op("i64.mul").const("i64", ARRAY_BYTES).op("i64.add");
	return at.op("call", allocate);
}

/** Elements of the longest array. */
function longestArray(width: number): number {
	return MAX_BYTES / width;
}

/** `(length) → length`, or what is too long for V8, so that it says so. */
export function lengthBody(width: number, allocate: number): Uint8Array {
	const at = begin().op("local.get", 0).const("i32", longestArray(width)).op("i32.gt_u").begin("if");
	at.const("i32", -1).op("return").end();
	return takeArray(at, width, allocate).op("local.get", 0).end().out.finish();
}

/** `(length) → length` of an array that is taken out of a segment, which has so many elements of it: of more, V8 says so. */
export function copiedLengthBody(width: number, most: number, allocate: number): Uint8Array {
	const at = begin().op("local.get", 0).const("i32", most).op("i32.le_u").begin("if");
	return takeArray(at, width, allocate).end().op("local.get", 0).end().out.finish();
}

/**
 * Bytes that the constants of a module take of V8's heap. They are made when it is instantiated, without any code that could be stopped.
 * @param offset where the module starts in the outermost binary, for errors
 * @throws SkerryError `binary/limit`
 */
export function sizeOfConstants(module: Module, offset: number): number {
	const types = module.types.flat();
	let bytes = 0;
	for (const expression of constantsOf(module)) {
		for (const [i, { op, immediates }] of expression.entries()) {
			const type = types[immediates[0] as number]?.composite;
			if (op === OP["struct.new"] || op === OP["struct.new_default"]) bytes += structureBytes(type);
			else if (op === OP["array.new_fixed"]) bytes += arrayBytes(type, immediates[1] as number);
			else if (op === OP["array.new"] || op === OP["array.new_default"]) {
				// Of any other operand the value is not known here
				const length = expression[i - 1];
				const isKnown = length?.op === OP["i32.const"];
				bytes += arrayBytes(type, isKnown ? (length.immediates[0] as number) >>> 0 : Infinity);
			}
		}
	}
	if (bytes > MAX_CONSTANT_BYTES) {
		const many = Number.isFinite(bytes) ? `of ${bytes} bytes` : "whose length is no plain number";
		throw new SkerryError("binary/limit", `Cannot compile a core module: its constants make objects ${many}`, {
			place: { offset },
			hint: `constants may make objects of ${MAX_CONSTANT_BYTES} bytes in all: larger ones can be made by the start function`,
		});
	}
	return bytes;
}

/** All constant expressions of a module that can make objects, or name functions. */
export function constantsOf({ globals, tables, elements }: Module): readonly Module["globals"][number]["init"][] {
	return [
		...globals.map(({ init }) => init),
		...tables.flatMap(({ init }) => (init === null ? [] : [init])),
		...elements.flatMap(({ items }) => (items.kind === "expressions" ? items.expressions : [])),
	];
}

/** The type of what a tag throws. */
export function tagType(module: Module, tag: number): CompositeTypeSyntax | undefined {
	const imported = module.imports.flatMap(({ type }) => (type.kind === "tag" ? [type] : []));
	const syntax = imported[tag] ?? module.tags[tag - countImports(module).tag];
	return syntax === undefined ? undefined : module.types.flat()[syntax.type]?.composite;
}
