import { ServerResponse } from "node:http";

/** Is told what becomes of a response. */
export interface ResponseWatcher {
	/** All of it was given to the connection, which may have been cut by then. */
	onResponseFinished(): void;
	/** Nothing more happens to it. */
	onResponseClosed(): void;
}

/** A response with one watcher: three listeners would cost each request more than its guest's calls of the host. */
export class WatchedResponse extends ServerResponse {
	watcher: ResponseWatcher | undefined;

	override emit(event: string | symbol, ...args: unknown[]): boolean {
		const { watcher } = this;
		if (watcher !== undefined) {
			if (event === "finish") watcher.onResponseFinished();
			else if (event === "close") watcher.onResponseClosed();
			// Lost the race against a disconnect; the close tells of it.
			else if (event === "error" && this.listenerCount("error") === 0) return false;
		}
		return super.emit(event as "close", ...(args as []));
	}
}
