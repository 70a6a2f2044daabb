import { nodeHttp, type ResponseOutlet, toLatin1 } from "../../sys/mod.ts";

/** Bodies of up to so many bytes go out as one text with their head: Node sends that by one system call, without a vector. */
export const TEXT_BYTES: number = 8 * 1024;

/** Is told what becomes of a response. */
export interface ResponseWatcher {
	/** All of it was given to the connection, which may have been cut by then. */
	onResponseFinished(): void;
	/** Nothing more happens to it. */
	onResponseClosed(): void;
}

/** Where the answer to a request goes. */
export interface Reply extends ResponseOutlet {
	/** When the request arrived, as `performance.now()` has it. */
	readonly arrived: number;
	/** Is told from when it is set. */
	watcher: ResponseWatcher | undefined;
	/** The status that was sent, if one was. */
	readonly sentStatus: number | undefined;
	/** What `open` gave; `undefined` while the answer can do without. */
	readonly response: WatchedResponse | undefined;
	/** Node's response, for all but an answer that is whole; its `req` is Node's request. */
	open(): WatchedResponse;
}

/** A response with one watcher: three listeners would cost each request more than its guest's calls of the host. */
export class WatchedResponse extends nodeHttp.ServerResponse implements Reply {
	readonly arrived: number = performance.now();
	watcher: ResponseWatcher | undefined;

	get response(): WatchedResponse {
		return this;
	}

	get sentStatus(): number | undefined {
		return this.headersSent ? this.statusCode : undefined;
	}

	send(status: number, headers: string[], body: Uint8Array): boolean {
		this.writeHead(status, headers);
		if (body.length === 0) this.end();
		else if (body.length <= TEXT_BYTES) this.end(toLatin1(body), "latin1");
		else this.end(body);
		return this.writableLength === 0;
	}

	onSent(callback: () => void): void {
		this.once("close", callback);
	}

	open(): WatchedResponse {
		return this;
	}

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
