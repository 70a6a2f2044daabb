/**
 * A guest that does what it is told: its function `run` is given a program of operations on streams, futures, waitable sets, subtasks and
 * tasks. Two instances of it: `run` of the first may call `run` of the second, which calls the host.
 */
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

/** What a slot of a task holds. */
export type Slot =
	| "none"
	| "readable"
	| "reading"
	| "writable"
	| "writing"
	| "future"
	| "promise"
	| "set"
	| "subtask"
	| "thing";

export interface Operation {
	readonly name: string;
	/** What its operands are to hold. */
	readonly takes: readonly Slot[];
	/** What they hold then. */
	readonly leaves: readonly Slot[];
	/** How often it is picked. */
	readonly weight: number;
	/** Leaves an i32 that is part of what the task comes to. `$a` and `$b` are addresses of slots, `$n` is a byte, `$buffer` 64 bytes of the task's. */
	readonly code: string;
}

const A = "(i32.load (local.get $a))";
const N64 = "(i32.and (local.get $n) (i32.const 63))";

function op(name: string, weight: number, takes: readonly Slot[], leaves: readonly Slot[], code: string): Operation {
	return { name, weight, takes, leaves, code };
}

const newEnds = (call: string): string => `(local.set $both (call $${call}))
	(i32.store (local.get $a) (i32.wrap_i64 (local.get $both)))
	(i32.store (local.get $b) (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
	(i32.load (local.get $b))`;
const one = (call: string): string => `(call $${call} ${A})`;
const nothing = (call: string): string => `${one(call)} (i32.const 1)`;
/** A call of an async function: its state, with its subtask's index in a slot. */
const subtask = (call: string): string => `(local.set $got ${call})
	(i32.store (local.get $a) (i32.shr_u (local.get $got) (i32.const 4)))
	(local.get $got)`;

/** In the order of their codes. */
export const OPERATIONS: readonly Operation[] = [
	op("stream.new", 6, ["none", "none"], ["readable", "writable"], newEnds("stream.new")),
	op("stream.read", 6, ["readable"], ["reading"], `(call $stream.read ${A} (local.get $buffer) ${N64})`),
	op("stream.write", 6, ["writable"], ["writing"], `(call $stream.write ${A} (local.get $buffer) ${N64})`),
	op("stream.read sync", 1, ["readable"], ["readable"], `(call $stream.read-sync ${A} (local.get $buffer) ${N64})`),
	op("stream.cancel-read", 2, ["reading"], ["readable"], one("stream.cancel-read")),
	op("stream.cancel-write", 2, ["writing"], ["writable"], one("stream.cancel-write")),
	op("stream.drop-readable", 1, ["readable"], ["none"], nothing("stream.drop-readable")),
	op("stream.drop-writable", 1, ["writable"], ["none"], nothing("stream.drop-writable")),
	op("future.new", 3, ["none", "none"], ["future", "promise"], newEnds("future.new")),
	op("future.read", 2, ["future"], ["future"], `(call $future.read ${A} (local.get $buffer))`),
	op("future.write", 2, ["promise"], ["promise"], `(call $future.write ${A} (local.get $buffer))`),
	op("future.drop-readable", 1, ["future"], ["none"], nothing("future.drop-readable")),
	op("future.drop-writable", 1, ["promise"], ["none"], nothing("future.drop-writable")),
	op("set.new", 4, ["none"], ["set"], "(i32.store (local.get $a) (call $set.new)) (i32.load (local.get $a))"),
	...(["reading", "writing", "future", "promise", "subtask"] as const).map((slot) =>
		op(`join ${slot}`, 2, [slot, "set"], [slot, "set"], `(call $join ${A} (i32.load (local.get $b))) (i32.const 1)`),
	),
	op("leave", 1, ["readable"], ["readable"], `(call $join ${A} (i32.const 0)) (i32.const 1)`),
	op(
		"set.poll",
		3,
		["set"],
		["set"],
		`(i32.xor (call $set.poll ${A} (local.get $buffer)) (i32.load (local.get $buffer)))`,
	),
	op(
		"set.wait",
		2,
		["set"],
		["set"],
		`(i32.xor (call $set.wait ${A} (local.get $buffer)) (i32.load (local.get $buffer)))`,
	),
	op("set.drop", 1, ["set"], ["none"], nothing("set.drop")),
	op("later", 5, ["none"], ["subtask"], subtask("(call $later (local.get $n) (local.get $buffer))")),
	op("later sync", 2, [], [], "(call $later-sync (local.get $n))"),
	op("pause", 3, [], [], "(call $pause (local.get $n))"),
	op("subtask.cancel", 1, ["subtask"], ["subtask"], one("subtask.cancel")),
	op("subtask.drop", 1, ["subtask"], ["none"], nothing("subtask.drop")),
	op("yield", 3, [], [], "(call $yield)"),
	op("pressure", 1, [], [], "(call $backpressure.inc) (i32.const 1)"),
	op("relief", 2, [], [], "(call $backpressure.dec) (i32.const 1)"),
	op("context", 1, [], [], "(call $context.set (local.get $n)) (call $context.get)"),
	op("take", 3, ["readable"], ["none"], `(call $take ${A} (local.get $n)) (i32.const 1)`),
	op(
		"give",
		3,
		["none"],
		["readable"],
		"(i32.store (local.get $a) (call $give (local.get $n))) (i32.load (local.get $a))",
	),
	op(
		"make",
		2,
		["none"],
		["thing"],
		"(i32.store (local.get $a) (call $make (local.get $n))) (i32.load (local.get $a))",
	),
	op("drop thing", 1, ["thing"], ["none"], nothing("thing.drop")),
	op("log", 2, [], [], "(call $log (i32.load offset=8 (local.get $frame))) (i32.const 1)"),
	op("fill", 3, [], [], "(memory.fill (local.get $buffer) (local.get $n) (i32.const 64)) (i32.const 1)"),
	op(
		"look",
		2,
		[],
		[],
		"(i32.wrap_i64 (i64.rem_u (i64.xor (i64.load (local.get $buffer)) (i64.load offset=56 (local.get $buffer))) (i64.const 0x7fffffff)))",
	),
];

/** Codes of those that are not plain: what comes after them depends on them. */
export const CONTROL = { call: 240, return: 241, wait: 242, yield: 243, trap: 244 } as const;

const IMPORTS: readonly (readonly [name: string, params: string, result: string, canon: string])[] = [
	["stream.new", "", "i64", "stream.new $bytes"],
	["stream.read", "i32 i32 i32", "i32", "stream.read $bytes async (memory $memory)"],
	["stream.write", "i32 i32 i32", "i32", "stream.write $bytes async (memory $memory)"],
	["stream.read-sync", "i32 i32 i32", "i32", "stream.read $bytes (memory $memory)"],
	["stream.cancel-read", "i32", "i32", "stream.cancel-read $bytes async"],
	["stream.cancel-write", "i32", "i32", "stream.cancel-write $bytes async"],
	["stream.drop-readable", "i32", "", "stream.drop-readable $bytes"],
	["stream.drop-writable", "i32", "", "stream.drop-writable $bytes"],
	["future.new", "", "i64", "future.new $byte"],
	["future.read", "i32 i32", "i32", "future.read $byte async (memory $memory)"],
	["future.write", "i32 i32", "i32", "future.write $byte async (memory $memory)"],
	["future.drop-readable", "i32", "", "future.drop-readable $byte"],
	["future.drop-writable", "i32", "", "future.drop-writable $byte"],
	["set.new", "", "i32", "waitable-set.new"],
	["set.poll", "i32 i32", "i32", "waitable-set.poll (memory $memory)"],
	["set.wait", "i32 i32", "i32", "waitable-set.wait (memory $memory)"],
	["set.drop", "i32", "", "waitable-set.drop"],
	["join", "i32 i32", "", "waitable.join"],
	["later", "i32 i32", "i32", "lower (func $later) async (memory $memory)"],
	["later-sync", "i32", "i32", "lower (func $later)"],
	["callee", "i32 i32 i32", "i32", "lower (func $callee) async (memory $memory)"],
	["pause", "i32", "i32", "lower (func $pause)"],
	["take", "i32 i32", "", "lower (func $take)"],
	["give", "i32", "i32", "lower (func $give)"],
	["make", "i32", "i32", "lower (func $make)"],
	["thing.drop", "i32", "", "resource.drop $thing"],
	["log", "i32", "", "lower (func $log)"],
	["subtask.cancel", "i32", "i32", "subtask.cancel async"],
	["subtask.drop", "i32", "", "subtask.drop"],
	["yield", "", "i32", "thread.yield"],
	["backpressure.inc", "", "", "backpressure.inc"],
	["backpressure.dec", "", "", "backpressure.dec"],
	["context.get", "", "i32", "context.get i32 1"],
	["context.set", "i32", "", "context.set i32 1"],
	["frame.get", "", "i32", "context.get i32 0"],
	["frame.set", "i32", "", "context.set i32 0"],
	["task.return", "i32", "", "task.return (result u32)"],
	["task.cancel", "", "", "task.cancel"],
];

/** A task's frame: where its program stands and ends, what it came to, whether it has returned; 16 slots from 64, a buffer from 128. */
const FRAME = 256;

const VM = `(component $vm
	(import "thing" (type $thing (sub resource)))
	(type $bytes (stream u8)) (type $byte (future u8)) (type $program (list u8))
	(import "callee" (func $callee async (param "program" $program) (result u32)))
	(import "later" (func $later async (param "n" u32) (result u32)))
	(import "pause" (func $pause (param "n" u32) (result u32)))
	(import "take" (func $take (param "stream" $bytes) (param "n" u32)))
	(import "give" (func $give (param "n" u32) (result $bytes)))
	(import "make" (func $make (param "n" u32) (result (own $thing))))
	(import "log" (func $log (param "n" u32)))
	(core module $libc (memory (export "memory") 4)
		(global $heap (mut i32) (i32.const 1024))
		(func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
			(local.set $at (global.get $heap))
			(global.set $heap (i32.and (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 15)) (i32.const -16)))
			(local.get $at)))
	(core instance $libc (instantiate $libc))
	(alias core export $libc "memory" (core memory $memory))
	(alias core export $libc "realloc" (core func $realloc))
	${IMPORTS.map(([name, , , canon]) => `(core func $${name} (canon ${canon}))`).join("\n\t")}
	(core module $m
		(import "" "memory" (memory 4))
		(import "" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
		${IMPORTS.map(([name, params, result]) => `(import "" "${name}" (func $${name}${params === "" ? "" : ` (param ${params})`}${result === "" ? "" : ` (result ${result})`}))`).join("\n\t\t")}
		(func $mix (param $frame i32) (param $value i32)
			(i32.store offset=8 (local.get $frame) (i32.xor
				(i32.mul (i32.load offset=8 (local.get $frame)) (i32.const 0x01000193)) (local.get $value))))
		(func $slot (param $frame i32) (param $operand i32) (result i32)
			(i32.add (i32.add (local.get $frame) (i32.const 64)) (i32.shl (i32.and (local.get $operand) (i32.const 15)) (i32.const 2))))
		(func $do (param $frame i32) (param $code i32) (param $a i32) (param $b i32) (param $n i32) (result i32)
			(local $both i64) (local $got i32) (local $buffer i32)
			(local.set $buffer (i32.add (local.get $frame) (i32.const 128)))
			${OPERATIONS.map(({ code }, i) => `(if (i32.eq (local.get $code) (i32.const ${i})) (then ${code} return))`).join("\n\t\t\t")}
			unreachable)
		(func $return (param $frame i32)
			(i32.store offset=12 (local.get $frame) (i32.const 1))
			(call $task.return (i32.load offset=8 (local.get $frame))))
		(func $step (param $frame i32) (result i32)
			(local $at i32) (local $code i32) (local $a i32) (local $b i32) (local $n i32) (local $got i32)
			(loop $next
				(local.set $at (i32.load (local.get $frame)))
				(if (i32.ge_u (local.get $at) (i32.load offset=4 (local.get $frame))) (then
					(if (i32.eqz (i32.load offset=12 (local.get $frame))) (then (call $return (local.get $frame))))
					(return (i32.const 0))))
				(i32.store (local.get $frame) (i32.add (local.get $at) (i32.const 4)))
				(local.set $code (i32.load8_u (local.get $at)))
				(local.set $a (call $slot (local.get $frame) (i32.load8_u offset=1 (local.get $at))))
				(local.set $b (call $slot (local.get $frame) (i32.load8_u offset=2 (local.get $at))))
				(local.set $n (i32.load8_u offset=3 (local.get $at)))
				(if (i32.eq (local.get $code) (i32.const ${CONTROL.call})) (then
					(local.set $got (call $callee (i32.add (local.get $at) (i32.const 4)) (i32.shl (local.get $n) (i32.const 2))
						(i32.add (local.get $frame) (i32.const 192))))
					(i32.store (local.get $a) (i32.shr_u (local.get $got) (i32.const 4)))
					(i32.store (local.get $frame) (i32.add (i32.add (local.get $at) (i32.const 4)) (i32.shl (local.get $n) (i32.const 2))))
					(call $mix (local.get $frame) (local.get $got))
					(br $next)))
				(if (i32.eq (local.get $code) (i32.const ${CONTROL.return})) (then (call $return (local.get $frame)) (br $next)))
				(if (i32.eq (local.get $code) (i32.const ${CONTROL.wait})) (then
					(return (i32.or (i32.const 2) (i32.shl (i32.load (local.get $a)) (i32.const 4))))))
				(if (i32.eq (local.get $code) (i32.const ${CONTROL.yield})) (then (return (i32.const 1))))
				(call $mix (local.get $frame)
					(call $do (local.get $frame) (local.get $code) (local.get $a) (local.get $b) (local.get $n)))
				(br $next))
			unreachable)
		(func (export "run") (param $program i32) (param $length i32) (result i32) (local $frame i32)
			(local.set $frame (call $realloc (i32.const 0) (i32.const 0) (i32.const 16) (i32.const ${FRAME})))
			(i32.store (local.get $frame) (local.get $program))
			(i32.store offset=4 (local.get $frame) (i32.add (local.get $program) (local.get $length)))
			(call $frame.set (local.get $frame))
			(call $step (local.get $frame)))
		(func (export "event") (param $event i32) (param $index i32) (param $payload i32) (result i32) (local $frame i32)
			(local.set $frame (call $frame.get))
			(call $mix (local.get $frame) (i32.xor (local.get $event) (i32.xor (local.get $index) (local.get $payload))))
			(if (i32.and (i32.eq (local.get $event) (i32.const 6)) (i32.eqz (i32.load offset=12 (local.get $frame)))) (then
				(i32.store offset=12 (local.get $frame) (i32.const 1))
				(call $task.cancel)))
			(call $step (local.get $frame))))
	(core instance $i (instantiate $m (with "" (instance
		(export "memory" (memory $memory)) (export "realloc" (func $realloc))
		${IMPORTS.map(([name]) => `(export "${name}" (func $${name}))`).join(" ")}))))
	(func (export "run") async (param "program" $program) (result u32)
		(canon lift (core func $i "run") async (memory $memory) (realloc $realloc) (callback (core func $i "event")))))`;

const SHARED = ["later", "pause", "take", "give", "make", "log"];

const GUEST = `(component
	(import "host" (instance $host
		(export "thing" (type $thing (sub resource)))
		(export "callee" (func async (param "program" (list u8)) (result u32)))
		(export "later" (func async (param "n" u32) (result u32)))
		(export "pause" (func (param "n" u32) (result u32)))
		(export "take" (func (param "stream" (stream u8)) (param "n" u32)))
		(export "give" (func (param "n" u32) (result (stream u8))))
		(export "make" (func (param "n" u32) (result (own $thing))))
		(export "log" (func (param "n" u32)))))
	(alias export $host "thing" (type $thing))
	${VM}
	(instance $second (instantiate $vm (with "thing" (type $thing)) (with "callee" (func $host "callee"))
		${SHARED.map((name) => `(with "${name}" (func $host "${name}"))`).join(" ")}))
	(instance $first (instantiate $vm (with "thing" (type $thing)) (with "callee" (func $second "run"))
		${SHARED.map((name) => `(with "${name}" (func $host "${name}"))`).join(" ")}))
	(export "run" (func $first "run"))
	(export "second" (func $second "run")))`;

export async function assembleAsyncGuest(): Promise<Uint8Array> {
	return new Uint8Array(await parse(GUEST));
}
