import type { Writer } from "../../bytes/mod.ts";
import { addHostTable, HOST_FUNCTIONS, type HostTable } from "../host-table.ts";
import { countImports, type Module, type RecTypeSyntax } from "../../wasm/mod.ts";
import { FLAG_CELL, FUEL_CELL } from "./check.ts";

/** How often a guest asks `poll` on end when that does not do what it has to; then it traps. */
const PATIENCE = 100;

/** The bits of what a guest may use between two writes of the cell: what the watchdog takes is beyond them. */
const USED_MASK = (1n << 50n) - 1n;

/** The slow path takes what is left of the fuel and gives back what is then. */
function typeOf(metering: "yield" | "fuel"): RecTypeSyntax {
	const values = metering === "fuel" ? ([{ kind: "number", name: "i64" }] as const) : [];
	return [{ final: true, supertypes: [], composite: { kind: "func", params: values, results: values } }];
}

export interface SlowPath {
	/** The module with the table of the engine's functions, and with the type of the slow path. */
	readonly module: Module;
	readonly host: HostTable;
	/** The function that checks call, which stands behind all others, and its type. */
	readonly index: number;
	readonly type: number;
}

/** Makes room for the slow path: the function itself is added with the code. */
export function planSlowPath(original: Module, metering: "yield" | "fuel", existing: HostTable | undefined): SlowPath {
	const { module, host } = existing === undefined ? addHostTable(original) : { module: original, host: existing };
	const type = module.types.reduce((sum, group) => sum + group.length, 0);
	return {
		module: { ...module, types: [...module.types, typeOf(metering)] },
		host,
		index: countImports(module).func + module.functions.length,
		type,
	};
}

/** Pushes whether the guest still has to ask: the flag is up, or the fuel is used up. */
export function encodeCondition(out: Writer, metering: "yield" | "fuel", memory: number): void {
	out.u8(0x41).s32(0);
	// Bit 6 of the alignment: a memory index follows
	if (metering === "yield") out.u8(0x2d).u8(0x40).u32(memory).u32(FLAG_CELL);
	else out.u8(0x29).u8(0x43).u32(memory).u32(FUEL_CELL).u8(0x42).s64(0n).u8(0x53);
}

/**
 * What a check calls that finds the flag up or the fuel used up. It comes back to let the guest go on, else it traps.
 *
 *   (func $slow (local $polls i32)
 *     (block $trap
 *       (try_table (catch_all $trap)
 *         (loop $again
 *           (block $go (block $pause
 *             (call_indirect $host (result i32) (i32.const 0))
 *             (br_table $go $trap $pause $trap))
 *             (br_if $trap (call_indirect $host (result i32) (i32.const 1))))
 *           (if condition (then
 *             (br_if $trap (i32.gt_u (local.tee $polls (i32.add (local.get $polls) (i32.const 1))) (i32.const 100)))
 *             (br $again)))))
 *       return)
 *     unreachable)
 *
 * With fuel it is `(func $slow (param $left i64) (result i64) (local $polls i32) (local $used i64)`, begins with
 *
 *     (local.set $used (i64.and (i64.sub (i64.load $cell) (local.get $left)) (i64.const 0x3_ffff_ffff_ffff)))
 *     (i64.store $cell (local.get $left))
 *
 * and instead of `return` ends with
 *
 *     (i64.store $cell (i64.add (local.tee $left (i64.load $cell)) (local.get $used)))
 *     (return (local.get $left))
 *
 * so that the engine sees what is left, and the cell is again as far ahead of the caller's local as it was: what it holds at a trap
 * does not depend on when the guest had to ask.
 *
 * A `poll` that leaves the flag up would let an outlined loop come back here for ever without a step of its own: it is asked a
 * hundred times, as the watchdog may just have raised the flag anew. Whatever the engine throws becomes a trap, for the guest could
 * catch it.
 * @param legacy whether the module has legacy exceptions, beside which V8 takes no `try_table`: then it is `try … return catch_all end`
 */
export function encodeSlowPath(
	out: Writer,
	metering: "yield" | "fuel",
	memory: number,
	host: HostTable,
	legacy: boolean,
): void {
	const call = (name: "poll" | "pause"): void => {
		out.u8(0x41).s32(HOST_FUNCTIONS.indexOf(name)).u8(0x11).u32(host.types[name]).u32(host.table);
	};
	const isFuel = metering === "fuel";
	const polls = isFuel ? 1 : 0;
	const cell = (op: number): Writer => out.u8(op).u8(0x43).u32(memory).u32(FUEL_CELL);
	if (isFuel) {
		out.u32(2).u32(1).u8(0x7f).u32(1).u8(0x7e);
		out.u8(0x41).s32(0);
		cell(0x29).u8(0x20).u32(0).u8(0x7d).u8(0x42).s64(USED_MASK).u8(0x83).u8(0x21).u32(2);
		out.u8(0x41).s32(0).u8(0x20).u32(0);
		cell(0x37);
	} else out.u32(1).u32(1).u8(0x7f);
	out.u8(0x02).u8(0x40); // $trap
	if (legacy) out.u8(0x06).u8(0x40);
	else out.u8(0x1f).u8(0x40).u32(1).u8(0x02).u32(0); // try_table (catch_all $trap)
	out.u8(0x03).u8(0x40); // $again
	out.u8(0x02).u8(0x40).u8(0x02).u8(0x40); // $go, $pause
	call("poll");
	out.u8(0x0e).u32(3).u32(1).u32(4).u32(0).u32(4);
	out.u8(0x0b);
	call("pause");
	out.u8(0x0d).u32(3);
	out.u8(0x0b);
	encodeCondition(out, metering, memory);
	out.u8(0x04).u8(0x40);
	out.u8(0x20).u32(polls).u8(0x41).s32(1).u8(0x6a).u8(0x22).u32(polls).u8(0x41).s32(PATIENCE).u8(0x4b);
	out.u8(0x0d).u32(3);
	out.u8(0x0c).u32(1);
	out.u8(0x0b).u8(0x0b);
	if (!legacy) out.u8(0x0b);
	if (isFuel) {
		out.u8(0x41).s32(0).u8(0x41).s32(0);
		cell(0x29).u8(0x22).u32(0).u8(0x20).u32(2).u8(0x7c);
		cell(0x37).u8(0x20).u32(0);
	}
	out.u8(0x0f);
	if (legacy) out.u8(0x19).u8(0x0b);
	out.u8(0x0b);
	out.u8(0x00).u8(0x0b);
}
