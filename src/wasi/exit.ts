/** The guest has ended itself by `wasi:cli/exit` or `proc_exit`, with whatever status: it neither trapped nor was it killed. */
export class GuestExit extends Error {
	override readonly name = "GuestExit";
	/** 0 to 255. */
	readonly status: number;
	/** The last of what the call wrote to standard error, as of a `Trap`. */
	readonly stderr: string | undefined = undefined;

	constructor(status: number) {
		super(`the guest exited with status ${status}`);
		this.status = status;
	}
}
