import {
	BLOCK,
	BR,
	BR_IF,
	BR_TABLE,
	CATCH,
	DELEGATE,
	ELSE,
	END,
	IF,
	LOOP,
	RETURN,
	THROW,
	TRY,
	UNREACHABLE,
} from "./control.ts";

interface Frame {
	readonly flow: number;
	/** What has run where it begins, and behind it; -1 where nothing does. */
	readonly start: number;
	end: number;
	hasElse: boolean;
}

/**
 * What has run at most on a way to the current instruction of a body that runs none twice. All ways into a loop lead by its head: what a turn costs is
 * the difference.
 */
export class LongestWay {
	cost = 0;
	readonly #frames: Frame[] = [{ flow: BLOCK, start: 0, end: -1, hasElse: false }];

	/** Whether the instruction is known to be reached: what only handlers lead to is not. */
	get isAlive(): boolean {
		return this.cost >= 0;
	}

	add(cost: number): void {
		if (this.cost >= 0) this.cost += cost;
	}

	/** The current instruction has been added. @param labels of a branch */
	step(flow: number, labels: readonly number[]): void {
		switch (flow) {
			case LOOP:
			case BLOCK:
			case IF:
			case TRY:
				this.#frames.push({ flow, start: this.cost, end: -1, hasElse: false });
				break;
			case ELSE:
			case CATCH: {
				const frame = this.#frames.at(-1);
				if (frame === undefined) break;
				this.#join(frame, this.cost);
				frame.hasElse = flow === ELSE;
				this.cost = frame.start;
				break;
			}
			case END:
			case DELEGATE: {
				const frame = this.#frames.pop();
				if (frame === undefined) break;
				this.#join(frame, this.cost);
				if (frame.flow === IF && !frame.hasElse) this.#join(frame, frame.start);
				this.cost = frame.end;
				break;
			}
			case BR_IF:
			case BR:
			case BR_TABLE:
				for (const label of labels) {
					const frame = this.#frames.at(-1 - label);
					if (frame !== undefined && frame.flow !== LOOP) this.#join(frame, this.cost);
				}
				if (flow !== BR_IF) this.cost = -1;
				break;
			case RETURN:
			case THROW:
			case UNREACHABLE:
				this.cost = -1;
		}
	}

	#join(frame: Frame, cost: number): void {
		if (cost > frame.end) frame.end = cost;
	}
}
