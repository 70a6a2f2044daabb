export const PAGE: number = 65_536;
/** Holes as they are when the module begins: address and size. The end of the heap is at 8 pages, and there are 9. */
const HOLES = [
	[0x1_0000, 24],
	[0x1_1000, 4096],
	[0x2_0000, 40],
	[0x3_0000, 300 * 1024],
] as const;

/** An allocator (best fit, holes are never joined) whose whole state is in its memory: the end of the heap, and the list of holes. */
export const ALLOCATOR: string = `
	(data (i32.const 0) "\\00\\00\\08\\00")
	${HOLES.map(([at, size], i) => `(data (i32.const ${8 + i * 8}) "${word(at)}${word(size)}")`).join("\n")}
	(func (export "cabi_realloc") (param $old i32) (param $oldSize i32) (param $align i32) (param $size i32) (result i32)
		(local $hole i32) (local $best i32) (local $at i32)
		(local.set $hole (i32.const 8))
		(if (i32.eqz (local.get $size)) (then
			(loop $next
				(if (i32.load offset=4 (local.get $hole)) (then
					(local.set $hole (i32.add (local.get $hole) (i32.const 8)))
					(br $next))))
			(i32.store (local.get $hole) (local.get $old))
			(i32.store offset=4 (local.get $hole) (local.get $oldSize))
			(return (i32.const 0))))
		(loop $next
			(if (i32.ge_u (i32.load offset=4 (local.get $hole)) (local.get $size)) (then
				(if (i32.or (i32.eqz (local.get $best)) (i32.lt_u (i32.load offset=4 (local.get $hole)) (i32.load offset=4 (local.get $best))))
					(then (local.set $best (local.get $hole))))))
			(br_if $next (i32.lt_u (local.tee $hole (i32.add (local.get $hole) (i32.const 8))) (i32.const 4096))))
		(if (local.get $best) (then
			(local.set $at (i32.load (local.get $best)))
			(i32.store (local.get $best) (i32.add (local.get $at) (local.get $size)))
			(i32.store offset=4 (local.get $best) (i32.sub (i32.load offset=4 (local.get $best)) (local.get $size)))
			(return (local.get $at))))
		(local.set $at (i32.load (i32.const 0)))
		(i32.store (i32.const 0) (i32.add (local.get $at) (local.get $size)))
		(loop $grow
			(if (i32.gt_u (i32.load (i32.const 0)) (i32.mul (memory.size) (i32.const ${PAGE})))
				(then (drop (memory.grow (i32.const 1))) (br $grow))))
		(local.get $at))`;

function word(value: number): string {
	return [0, 8, 16, 24].map((shift) => `\\${((value >> shift) & 0xff).toString(16).padStart(2, "0")}`).join("");
}
