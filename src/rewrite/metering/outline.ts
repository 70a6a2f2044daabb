import { type CodeWriter, OP } from "../../wasm/mod.ts";
import type { CodeEditor } from "./code-editor.ts";
import { BR, BR_IF, BR_TABLE, FLOW, labelsOf } from "./control.ts";

/**
 * A loop with its slow path outside of it:
 *
 *   block $x              of the loop's type
 *     loop $o
 *       block $y
 *         loop $l         of the loop's type
 *           check, br_if $y
 *           …
 *         end
 *         br $x
 *       end
 *       the slow path
 *       br $o
 *     end
 *     unreachable
 *   end
 *
 * The operands on the stack are none when $l begins, so that going out to $y and in again by $o changes nothing.
 */
export const OUTLINE_BLOCKS = 3;

/** Writes what stands before an outlined loop, which is the current instruction. */
export function openOutline(editor: CodeEditor): void {
	const { reader, writer } = editor;
	writer.insert(reader.start);
	const { bytes } = reader.code;
	writer.op(OP.block).out.range(bytes, reader.start + 1, reader.end);
	writer.op(OP.loop).out.u8(0x40);
	writer.op(OP.block).out.u8(0x40);
	editor.addLabels(OUTLINE_BLOCKS);
}

/** How deep `$y` is at the head of the loop. */
export const EXIT_DEPTH = 1;

/** Writes what stands behind the end of an outlined loop, which is the current instruction. */
export function closeOutline({ reader, writer }: CodeEditor, slowPath: (writer: CodeWriter) => void): void {
	writer.insert(reader.end);
	writer.op(OP.br).out.u32(2);
	writer.op(OP.end);
	slowPath(writer);
	writer.op(OP.br).out.u32(0);
	writer.op(OP.end).op(OP.unreachable).op(OP.end);
}

/** The loops of a body that are open with blocks added around them, and what labels mean in them. */
export class Outlines {
	/** How many of the guest's blocks are open. */
	#depth = 0;
	/** Of each such loop that is open, how many of the guest's blocks are around it, and how many were added to there. */
	readonly #around: number[] = [];
	readonly #added: number[] = [0];

	/** A block of the guest's begins. @param added how many blocks were added right around it */
	push(added: number): void {
		if (added > 0) {
			this.#around.push(this.#depth);
			this.#added.push((this.#added.at(-1) as number) + added);
		}
		this.#depth++;
	}

	/** A block of the guest's ends. @returns how many blocks were added around it */
	pop(): number {
		this.#depth--;
		if (this.#around.at(-1) !== this.#depth) return 0;
		this.#around.pop();
		return (this.#added.pop() as number) - (this.#added.at(-1) as number);
	}

	/** Writes the current instruction with its labels moved, where it is a branch that leaves such loops that it stands in. */
	moveBranch({ reader, writer }: CodeEditor): void {
		if (this.#around.length === 0) return;
		const flow = FLOW[reader.op];
		if (flow !== BR && flow !== BR_IF && flow !== BR_TABLE) return;
		const labels = labelsOf(reader);
		const moved = labels.map((label) => this.labelOf(label));
		if (moved.every((label, i) => label === labels[i])) return;
		writer.replace(reader.start, reader.end).op(reader.op);
		if (flow === BR_TABLE) writer.out.u32(moved.length - 1);
		for (const label of moved) writer.out.u32(label);
	}

	/** A label as it is with the blocks that were added around loops that a branch to it leaves. */
	labelOf(label: number): number {
		const around = this.#around;
		const target = this.#depth - 1 - label;
		// They ascend, and may be as many as blocks can be nested
		let [low, high] = [0, around.length];
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((around[middle] as number) > target) high = middle;
			else low = middle + 1;
		}
		return label + (this.#added[around.length] as number) - (this.#added[low] as number);
	}
}
