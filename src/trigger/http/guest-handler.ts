import type { BufferMeter, HttpClient } from "../../sys/mod.ts";
import type { IncomingRequest, ResponseOutparam, WasiContext } from "../../wasi/mod.ts";
import type { TriggerLimits } from "./limits.ts";
import type { RequestRecord } from "./record.ts";

/** A sandbox whose component exports `wasi:http/incoming-handler`, acquired for one request. */
export interface GuestHandler {
	readonly context: WasiContext;
	/**
	 * Calls `handle`: returns or throws when the guest did, or a promise of that when it had to wait. After `end` that may stay pending
	 * for ever.
	 */
	call(request: IncomingRequest, response: ResponseOutparam): unknown;
	/** Stops the guest wherever it is and releases the sandbox. Called exactly once for each handler that was acquired. */
	end(reason: unknown): void;
}

export interface HttpHandlerOptions {
	/** Gives the sandbox for a request. A guest that fails to start is answered with 500, anything else that this throws with 503. */
	readonly acquire: () => GuestHandler | Promise<GuestHandler>;
	readonly limits?: Partial<TriggerLimits>;
	/** Whose limits they are, for errors. */
	readonly app?: string | undefined;
	/** Called once for each request, when it is over. */
	readonly onRequest?: (record: RequestRecord) => void;
	/** Leaves out the requests that were answered as they should be: nobody reads their records. */
	readonly troubleOnly?: boolean;
	/** The client that the guests send with, for `usage`. */
	readonly client?: HttpClient;
	/** The meter that the guests' contexts have, for `usage`. */
	readonly meter?: BufferMeter;
}
