/** Sixty functions of which each calls the next twice, by this: without a cycle, but for longer than anyone waits. */
function doubling(call: (next: number) => string, type = ""): string {
	return Array.from(
		{ length: 60 },
		(_, i) => `(func $d${i} ${type} ${i === 59 ? "" : `${call(i + 1)} ${call(i + 1)}`})`,
	).join(" ");
}

/** Sixty types, so that no call through the table may come back. */
const DOUBLING_TABLE = `(table funcref (elem ${Array.from({ length: 60 }, (_, i) => `$d${i}`).join(" ")}))
	${Array.from({ length: 60 }, (_, i) => {
		const type = `(param ${(i + 64).toString(2).replaceAll("0", "i32 ").replaceAll("1", "i64 ")})`;
		const next = (i + 65).toString(2).replaceAll("0", "(i32.const 0) ").replaceAll("1", "(i64.const 0) ");
		const nextType = `(param ${(i + 65).toString(2).replaceAll("0", "i32 ").replaceAll("1", "i64 ")})`;
		const call = `(call_indirect ${nextType} ${next} (i32.const ${i + 1}))`;
		return `(func $d${i} ${type} ${i === 59 ? "" : `${call} ${call}`})`;
	}).join(" ")}
	(func (export "f") (call $d0 (i64.const 0) ${"(i32.const 0) ".repeat(6)}))`;

/** A list in V8's heap, one object longer each time, whatever is caught. */
const KEPT_OBJECTS = `(type $s (struct (field (ref null $s)))) (func (export "f") (local $x (ref null $s))
		(loop $l (block $c (try_table (catch_all $c) (local.set $x (struct.new $s (local.get $x))))) (br $l)))`;

/** Code without a branch: so many divisions of the global. */
const work = (divisions: number): string =>
	"(global.set $g (i64.div_s (global.get $g) (i64.const 3)))".repeat(divisions);

const CHAINED = "the same in a chain without recursion";

/** Functions of which each calls the next before it does much; the last does `end` before that. */
const chain = (end = ""): string => `(global $g (mut i64) (i64.const -1)) (func $much ${work(4000)})
	${Array.from({ length: 4000 }, (_, i) => `(func $c${i} ${i === 3999 ? end : `(call $c${i + 1})`} (call $much))`).join(" ")}`;

/** Components that never end, in every shape: `f` does not return, `ok` answers 7. */
const FIELDS: Readonly<Record<string, string>> = {
	"a loop": `(func (export "f") (loop $l (br $l)))`,
	"nested loops": `(func (export "f") (loop $o (block $x (loop $i (br_if $x (i32.const 1)) (br $i))) (br $o)))`,
	"back edges of br_table": `(func (export "f") (local i32) (loop $a (loop $b
		(local.set 0 (i32.xor (local.get 0) (i32.const 1))) (br_table $a $b (local.get 0)))))`,
	"a large loop that counts, in a loop": `(func (export "f") (local i32 i32) (loop $o (loop $l
		${"(local.set 1 (i32.mul (i32.xor (local.get 1) (local.get 0)) (i32.const 5)))".repeat(100)}
		(br_if $l (local.tee 0 (i32.add (local.get 0) (i32.const 1))))) (br $o)))`,
	recursion: `(func $f (param i32) (if (local.get 0) (then
			(call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))
		(func (export "f") (call $f (i32.const 70)))`,
	"mutual recursion": `(func $f (param i32) (if (local.get 0) (then
			(call $g (i32.sub (local.get 0) (i32.const 1))) (call $g (i32.sub (local.get 0) (i32.const 1))))))
		(func $g (param i32) (call $f (local.get 0)))
		(func (export "f") (call $f (i32.const 70)))`,
	"recursion through call_indirect": `(type $t (func (param i32))) (table funcref (elem $f))
		(func $f (type $t) (if (local.get 0) (then
			(call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))
			(call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))
		(func (export "f") (call $f (i32.const 70)))`,
	return_call: `(func $f (export "f") (return_call $g)) (func $g (return_call $f))`,
	return_call_indirect: `(table funcref (elem $f)) (func $f (export "f") (return_call_indirect (i32.const 0)))`,
	"calls that double at each level": `${doubling((next) => `(call $d${next})`)} (func (export "f") (call $d0))`,
	"the same behind a loop": `${doubling((next) => `(call $d${next})`)} (func (export "f") (loop $l (call $d0)))`,
	"the same through a table": DOUBLING_TABLE,
	"the same with tail calls": `${doubling((next) => `(call $t${next})`)}
		${Array.from({ length: 60 }, (_, i) => `(func $t${i} (return_call $d${i}))`).join(" ")} (func (export "f") (call $d0))`,
	"much to do behind each call of a recursion": `(global $g (mut i64) (i64.const -1))
		(func $deep (param i32) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))) ${work(2000)})
		(func (export "f") (loop $l (call $deep (i32.const 8000)) (br $l)))`,
	"calls of much behind each call of a recursion": `(global $g (mut i64) (i64.const -1)) (func $much ${work(4000)})
		(func $deep (param i32) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))) (call $much))
		(func (export "f") (loop $l (call $deep (i32.const 8000)) (br $l)))`,
	[CHAINED]: `${chain()} (func (export "f") (loop $l (call $c0) (br $l)))`,
	"long ways without a branch, called often": `(global $g (mut i64) (i64.const -1)) (func $long ${work(40_000)})
		(func $a ${"(call $long)".repeat(20)}) (func $b ${"(call $a)".repeat(20)}) (func (export "f") (loop $l (call $b) (br $l)))`,
	"much to do in each handler of a recursion": `(global $g (mut i64) (i64.const -1)) (tag $e)
		(func $deep (param i32) (if (local.get 0) (then
			(block $h (try_table (catch_all $h) (call $deep (i32.sub (local.get 0) (i32.const 1))) (return))) ${work(2000)})) (throw $e))
		(func (export "f") (loop $l (block $h (try_table (catch_all $h) (call $deep (i32.const 8000)))) (br $l)))`,
	"a loop inside of catch_all": `(func (export "f")
		(loop $again (block $caught (try_table (catch_all $caught) (loop $l (br $l)))) (br $again)))`,
	"a loop that throws and catches": `(tag $e) (func (export "f")
		(loop $again (block $caught (try_table (catch_all $caught) (throw $e))) (br $again)))`,
	"bulk operations in a loop": `(memory 16) (func (export "f")
		(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 1048576)) (br $l)))`,
	"fills one behind the other": `(memory 16) (func (export "f") (loop $l
		${"(memory.fill (i32.const 0) (i32.const 1) (i32.const 262144))".repeat(4000)} (br $l)))`,
	"copies one behind the other": `(memory 16) (func (export "f") (loop $l
		${"(memory.copy (i32.const 1) (i32.const 0) (i32.const 262144))".repeat(4000)} (br $l)))`,
	"fills of a table one behind the other": `(table $t 256 funcref) (func (export "f") (loop $l
		${"(table.fill $t (i32.const 0) (ref.null func) (i32.const 256))".repeat(4000)} (br $l)))`,
	"copies of memory in a loop": `(memory 256) (func (export "f")
		(loop $l (memory.copy (i32.const 1) (i32.const 0) (i32.const 16777215)) (br $l)))`,
	"fills of a table": `(table $t 990000 funcref) (elem declare func $e) (func $e) (func (export "f")
		(loop $l (table.fill $t (i32.const 0) (ref.func $e) (i32.const 990000)) (br $l)))`,
	"copies of a table in a loop": `(table $t 990000 funcref) (elem declare func $e) (func $e) (func (export "f")
		(table.fill $t (i32.const 0) (ref.func $e) (i32.const 500000))
		(loop $l (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 989999)) (br $l)))`,
	"copies between two tables": `(table $t 490000 funcref) (table $u 490000 funcref) (elem declare func $e) (func $e) (func (export "f")
		(loop $l (table.fill $t (i32.const 0) (ref.func $e) (i32.const 490000))
			(table.copy $u $t (i32.const 0) (i32.const 0) (i32.const 490000))
			(table.fill $t (i32.const 0) (ref.null func) (i32.const 490000))
			(table.copy $u $t (i32.const 0) (i32.const 0) (i32.const 490000)) (br $l)))`,
	"branches that take along 300 values": `(type $shift (func (param ${"i32 ".repeat(300)}) (result ${"i32 ".repeat(299)})))
		(func $moves (param i32) ${"(local.get 0)".repeat(300)} ${"(block (type $shift) (br 0)) (local.get 0)".repeat(200)} ${"(drop)".repeat(300)})
		(func (export "f") (loop $l ${"(call $moves (i32.const 0))".repeat(100)} (br $l)))`,
	"elements of a large segment": `(table $t 20000 funcref) (func $e) (elem $s func ${"$e ".repeat(20_000)}) (func (export "f")
		(loop $l (table.init $t $s (i32.const 0) (i32.const 0) (i32.const 20000)) (br $l)))`,
	"growth of a table by all that it may": `(table $t 1 funcref) (elem declare func $e) (func $e) (func (export "f")
		(drop (table.grow $t (ref.func $e) (i32.const 49000))) (loop $l (br $l)))`,
	"tables as many as there are": `${Array.from({ length: 100 }, (_, i) => `(table $t${i} 0 funcref)`).join("")} (func (export "f")
		(loop $l ${Array.from({ length: 100 }, (_, i) => `(drop (table.grow $t${i} (ref.null func) (i32.const 490)))`).join("")} (br $l)))`,
	"growth of memory at once": `(memory 1) (func (export "f")
		(loop $l (drop (memory.grow (i32.const 65535))) (drop (memory.grow (i32.const 4000)))
			(memory.fill (i32.const 0) (i32.const 1) (i32.shl (memory.size) (i32.const 16))) (br $l)))`,
	"objects that are thrown away": `(type $s (struct (field i64))) (func (export "f")
		(loop $l (drop (struct.new $s (i64.const 1))) (br $l)))`,
	"objects that are kept": KEPT_OBJECTS,
	"large arrays": `(type $b (array (mut i8))) (func (export "f")
		(loop $l (drop (array.new_default $b (i32.const 16777216))) (br $l)))`,
	"fills and copies of a large array": `(type $r (array (mut externref))) (func (export "f") (local $a (ref null $r))
		(local.set $a (array.new_default $r (i32.const 250000)))
		(loop $l (array.fill $r (local.get $a) (i32.const 0) (ref.null extern) (i32.const 250000))
			(array.copy $r $r (local.get $a) (i32.const 1) (local.get $a) (i32.const 0) (i32.const 249999)) (br $l)))`,
	"exceptions that are kept": `(tag $e (param i64 i64)) (table $t 40000 exnref) (func (export "f") (local $i i32)
		(loop $l (table.set $t (local.get $i) (block $h (result exnref)
				(try_table (catch_all_ref $h) (throw $e (i64.const -1) (i64.const -1))) (unreachable)))
			(local.set $i (i32.rem_u (i32.add (local.get $i) (i32.const 1)) (i32.const 40000))) (br $l)))`,
	"growth of memory and table": `(memory 1) (table $t 1 funcref) (func (export "f")
		(loop $l (drop (memory.grow (i32.const 1))) (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $l)))`,
	"a loop in hot code": `(func $step (param i32) (result i32) (local i32)
			(loop $l (local.set 1 (i32.add (local.get 1) (i32.const 1))) (br_if $l (i32.lt_u (local.get 1) (local.get 0))))
			(local.get 1))
		(func (export "f") (local i32)
			(loop $w (drop (call $step (i32.const 1000))) (br_if $w (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 20000))))
			(drop (call $step (i32.const -1)))
			(loop $l (drop (call $step (i32.const -1))) (br $l)))`,
};

const one = (fields: string): string => `(component
	(core module $m ${fields} (func (export "ok") (result i32) (i32.const 7)))
	(core instance $i (instantiate $m))
	(func (export "f") (canon lift (core func $i "f")))
	(func (export "ok") (result u32) (canon lift (core func $i "ok"))))`;

/** Two modules whose functions call each other through one table. */
const SHARED_TABLE = `(component
	(core module $owner (table (export "t") 2 funcref))
	(core module $first (import "" "t" (table 2 funcref))
		(elem (i32.const 0) $f) (func $f (export "f") (return_call_indirect (i32.const 1)))
		(func (export "ok") (result i32) (i32.const 7)))
	(core module $second (import "" "t" (table 2 funcref))
		(elem (i32.const 1) $g) (func $g (return_call_indirect (i32.const 0))))
	(core instance $o (instantiate $owner))
	(core instance $i (instantiate $first (with "" (instance $o))))
	(core instance (instantiate $second (with "" (instance $o))))
	(func (export "f") (canon lift (core func $i "f")))
	(func (export "ok") (result u32) (canon lift (core func $i "ok"))))`;

/** One component calls another, which does not return. */
const CALLED = `(component
	(component $callee
		(core module $m (func (export "f") (loop $l (br $l))))
		(core instance $i (instantiate $m))
		(func (export "f") (canon lift (core func $i "f"))))
	(component $caller
		(import "f" (func $f))
		(core func $f' (canon lower (func $f)))
		(core module $m (import "" "f" (func $f)) (func (export "f") (call $f)) (func (export "ok") (result i32) (i32.const 7)))
		(core instance $i (instantiate $m (with "" (instance (export "f" (func $f'))))))
		(func (export "f") (canon lift (core func $i "f")))
		(func (export "ok") (result u32) (canon lift (core func $i "ok"))))
	(instance $a (instantiate $callee))
	(instance $b (instantiate $caller (with "f" (func $a "f"))))
	(export "f" (func $b "f")) (export "ok" (func $b "ok")))`;

/** Forty modules, each of which calls the one before twice. */
const DOUBLING_INSTANCES = `(component
	(core module $first (func (export "g")) (func (export "ok") (result i32) (i32.const 7)))
	(core module $m (import "" "g" (func $g)) (func (export "g") (call $g) (call $g)))
	(core instance $i0 (instantiate $first))
	${Array.from({ length: 40 }, (_, i) => `(core instance $i${i + 1} (instantiate $m (with "" (instance $i${i}))))`).join(" ")}
	(func (export "f") (canon lift (core func $i40 "g")))
	(func (export "ok") (result u32) (canon lift (core func $i0 "ok"))))`;

/** The same with much to do behind each call. */
const LONG_INSTANCES = `(component
	(core module $first (func (export "g")) (func (export "ok") (result i32) (i32.const 7)))
	(core module $m (import "" "g" (func $g)) (global $g (mut i64) (i64.const -1)) (func (export "g") (call $g) ${work(2000)} (call $g) ${work(2000)}))
	(core instance $i0 (instantiate $first))
	${Array.from({ length: 40 }, (_, i) => `(core instance $i${i + 1} (instantiate $m (with "" (instance $i${i}))))`).join(" ")}
	(func (export "f") (canon lift (core func $i40 "g")))
	(func (export "ok") (result u32) (canon lift (core func $i0 "ok"))))`;

/** `f` makes one object after the other, and keeps them. */
export const HOARDER: string = one(KEPT_OBJECTS);

/** `f` makes as many bytes of objects as are asked for, and keeps none. */
export const WASTER: string = `(component
	(core module $m (type $b (array i8)) (func (export "f") (param i32)
		(loop $l (drop (array.new_default $b (i32.const 1000)))
			(br_if $l (i32.gt_s (local.tee 0 (i32.sub (local.get 0) (i32.const 1024))) (i32.const 0))))))
	(core instance $i (instantiate $m))
	(func (export "f") (param "bytes" u32) (canon lift (core func $i "f"))))`;

/** By what they do. */
export const ENDLESS: Readonly<Record<string, string>> = {
	...Object.fromEntries(Object.entries(FIELDS).map(([name, fields]) => [name, one(fields)])),
	"a table that two modules share": SHARED_TABLE,
	"a loop in another component": CALLED,
	"calls that double from one instance to the next": DOUBLING_INSTANCES,
	"the same with much to do behind each call": LONG_INSTANCES,
};

/**
 * Shapes that are stopped below so many functions, each another one, that V8 takes a while to find the way out: for each, a guest that
 * traps there by itself, and one that does so with nothing above it.
 */
export const UNWOUND: Readonly<Record<string, readonly [deep: string, shallow: string]>> = {
	[CHAINED]: [
		one(`${chain("(unreachable)")} (func (export "f") (call $c0))`),
		one(`${chain("(unreachable)")} (func (export "f") (call $c3999))`),
	],
};

/** `f` comes to the end of the stack, which is a trap that nothing catches. */
export const BOTTOMLESS: string = one(`(func $deep (call $deep) (call $deep))
	(func (export "f") (loop $again (block $caught (try_table (catch_all $caught) (call $deep))) (br $again)))`);

/** Never comes to be an instance. */
export const ENDLESS_START = `(component
	(core module $m (func $s (loop $l (br $l))) (start $s)) (core instance (instantiate $m)))`;

/** The same, without a cycle. */
export const DOUBLING_START: string = `(component
	(core module $m ${doubling((next) => `(call $d${next})`)} (start $d0)) (core instance (instantiate $m)))`;

/** `f` calls the host without end, whatever that does. */
export const ENDLESS_HOST_CALLS = `(component
	(import "act" (func $act))
	(core func $act' (canon lower (func $act)))
	(core module $m
		(import "" "act" (func $act))
		(func (export "f") (loop $l (block $c (try_table (catch_all $c) (call $act))) (br $l)))
		(func (export "ok") (result i32) (i32.const 7)))
	(core instance $i (instantiate $m (with "" (instance (export "act" (func $act'))))))
	(func (export "f") (canon lift (core func $i "f")))
	(func (export "ok") (result u32) (canon lift (core func $i "ok"))))`;
