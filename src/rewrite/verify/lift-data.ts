import type { InitialState } from "../rewritten.ts";
import { refuse, sameBytes, sameContent } from "./cursor.ts";
import { isBytes } from "./lift-added.ts";
import type { LiftOutline } from "./lift-outline.ts";
import { valueOf } from "./lift-values.ts";

type Image = InitialState["data"][number];

const I32 = 0x7f;
const I64 = 0x7e;

/**
 * Proves that data segments are where they were, or in the image.
 * @param namesData whether code names segments: then their number stays
 * @throws SkerryError `engine/verification`
 */
export function compareData(from: LiftOutline, to: LiftOutline, images: readonly Image[], namesData: boolean): void {
	const kept = to.data;
	let nextKept = 0;
	let nextImage = 0;
	const inImage = new Set<number>();
	for (const segment of from.data) {
		const { memory, content } = segment;
		if (memory !== undefined && memory >= from.memories.length)
			throw refuse(`a data segment for memory ${memory}, which the guest does not have`);
		const next = kept[nextKept];
		if (next !== undefined && sameContent(segment.raw, next.raw)) {
			if (memory !== undefined && inImage.has(memory)) throw refuse("a data segment would be written too early");
			nextKept++;
			continue;
		}
		if (memory === undefined || memory < from.importedMemories || from.isShared(memory))
			throw refuse("a data segment got lost");
		inImage.add(memory);
		if (namesData) {
			if (next === undefined || !isBytes(next.raw, [1, 0])) throw refuse("a data segment got lost");
			nextKept++;
		}
		if (content.at === content.end) continue;
		compareImage(from, segment, images[nextImage++]);
	}
	if (nextKept < kept.length || nextImage < images.length) throw refuse("it has data that the original has not");
	const count = namesData ? from.dataCount : undefined;
	if (to.dataCount !== count) throw refuse("it counts its data in another way");
}

function compareImage(
	from: LiftOutline,
	{ memory = 0, offset, content }: LiftOutline["data"][number],
	image: Image | undefined,
): void {
	const value = valueOf(offset, from);
	const wide = from.wideMemory(memory);
	const start = value === undefined ? -1 : Number(BigInt.asUintN(wide ? 64 : 32, BigInt(value.value)));
	const length = content.end - content.at;
	const isRight =
		image !== undefined &&
		value?.code === (wide ? I64 : I32) &&
		image.memory === memory &&
		image.offset === start &&
		image.bytes.length === length &&
		start + length <= from.minimum(memory) &&
		sameBytes(content.bytes, content.at, content.end, image.bytes, 0);
	if (!isRight) throw refuse("a data segment got lost");
}
