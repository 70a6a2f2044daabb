/** Something that is due when this turn of the event loop is over. */
export interface TurnEnding {
	onTurnEnd(): void;
}

let due: TurnEnding[] = [];

/** Calls `onTurnEnd` once, in the next turn of the event loop: all that ask for it in one turn share that turn. */
export function atTurnEnd(ending: TurnEnding): void {
	if (due.push(ending) === 1) setImmediate(endTurn);
}

function endTurn(): void {
	const endings = due;
	due = [];
	for (const ending of endings) ending.onTurnEnd();
}
