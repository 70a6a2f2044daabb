import type { Writer } from "../../bytes/mod.ts";
import { addHostTable, HOST_FUNCTIONS, type HostTable } from "../host-table.ts";
import { countImports, type Module, type RecTypeSyntax } from "../../wasm/mod.ts";
import { FLAG_CELL, FUEL_CELL } from "./check.ts";

/** How often a guest asks `poll` on end when that does not do what it has to; then it traps. */
const PATIENCE = 100;

const PLAIN: RecTypeSyntax = [{ final: true, supertypes: [], composite: { kind: "func", params: [], results: [] } }];

export interface SlowPath {
	/** The module with the table of the engine's functions, and with the type of the slow path. */
	readonly module: Module;
	readonly host: HostTable;
	/** The function that checks call, which stands behind all others, and its type. */
	readonly index: number;
	readonly type: number;
}

/** Makes room for the slow path: the function itself is added with the code. */
export function planSlowPath(original: Module, existing: HostTable | undefined): SlowPath {
	const { module, host } = existing === undefined ? addHostTable(original) : { module: original, host: existing };
	const type = module.types.reduce((sum, group) => sum + group.length, 0);
	return {
		module: { ...module, types: [...module.types, PLAIN] },
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
	out.u32(1).u32(1).u8(0x7f);
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
	out.u8(0x20).u32(0).u8(0x41).s32(1).u8(0x6a).u8(0x22).u32(0).u8(0x41).s32(PATIENCE).u8(0x4b);
	out.u8(0x0d).u32(3);
	out.u8(0x0c).u32(1);
	out.u8(0x0b).u8(0x0b);
	if (legacy) out.u8(0x0f).u8(0x19).u8(0x0b);
	else out.u8(0x0b).u8(0x0f);
	out.u8(0x0b);
	out.u8(0x00).u8(0x0b);
}
