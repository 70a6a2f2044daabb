/** Goes on in the next turn of the event loop. */
export const nextTurn = (): Promise<void> =>
	new Promise((resolve) => {
		if (typeof setImmediate === "function") setImmediate(resolve);
		else setTimeout(resolve, 0);
	});
