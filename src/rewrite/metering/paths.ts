import { CATCH, DELEGATE, ELSE, END, IF, RETURN, THROW, UNREACHABLE } from "./control.ts";

interface Frame<Tag> {
	readonly flow: number;
	readonly tag: Tag;
	/** Whether a check was passed where it begins; `undefined`: it is never reached. */
	readonly start: boolean | undefined;
	/** The same behind it. */
	end: boolean | undefined;
	hasElse: boolean;
}

/** Whether a check was passed on every way to the current instruction of a body. What loops and branches mean for that, its user says. */
export class Paths<Tag> {
	/** `undefined` where nothing runs. */
	passed: boolean | undefined = false;
	readonly #frames: Frame<Tag>[] = [];

	/** A block, of whatever kind, begins. */
	push(flow: number, tag: Tag): void {
		this.#frames.push({ flow, tag, start: this.passed, end: undefined, hasElse: false });
	}

	/** The block that a label means. */
	at(label: number): Frame<Tag> | undefined {
		return this.#frames.at(-1 - label);
	}

	/** From here one way leads behind the block. */
	join(frame: Frame<Tag> | undefined, passed: boolean | undefined = this.passed): void {
		if (frame !== undefined && passed !== undefined) frame.end = passed && (frame.end ?? true);
	}

	/** An instruction of which more is not to be known than that it ends a part of a block, a block or the way. */
	leave(flow: number): void {
		switch (flow) {
			case ELSE:
			case CATCH: {
				const frame = this.at(0);
				if (frame === undefined) break;
				this.join(frame);
				frame.hasElse = true;
				this.passed = frame.start;
				break;
			}
			case END:
			case DELEGATE: {
				const frame = this.#frames.pop();
				if (frame === undefined) break;
				this.join(frame);
				if (frame.flow === IF && !frame.hasElse) this.join(frame, frame.start);
				this.passed = frame.end;
				break;
			}
			case RETURN:
			case THROW:
			case UNREACHABLE:
				this.passed = undefined;
		}
	}
}
