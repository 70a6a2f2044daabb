/** Something that is due when this turn of the event loop is over. */
export interface TurnEnding {
	onTurnEnd(): void;
}

let due: TurnEnding[] = [];
let ending = false;

/**
 * Calls `onTurnEnd` once, when all callbacks of this turn have run: all that ask for it in one turn share one look, and what they ask for in turn is
 * part of that.
 */
export function atTurnEnd(what: TurnEnding): void {
	if (due.push(what) === 1 && !ending) setImmediate(endTurn);
}

function endTurn(): void {
	ending = true;
	let at = 0;
	try {
		// It may grow meanwhile.
		while (at < due.length) (due[at++] as TurnEnding).onTurnEnd();
	} finally {
		ending = false;
		// None is left, but when one has thrown.
		due = due.slice(at);
		if (due.length > 0) setImmediate(endTurn);
	}
}
