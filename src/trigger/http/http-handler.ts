import { randomBytes } from "node:crypto";
import { Deadlines } from "./deadlines.ts";
import type { HttpHandlerOptions } from "./guest-handler.ts";
import type { RequestHead } from "./express-head.ts";
import { DEFAULT_TRIGGER_LIMITS } from "./limits.ts";
import { RequestExchange, type Site } from "./request-exchange.ts";
import type { Reply } from "./watched-response.ts";

/** What is in use. Without a request under way, all but `requests` and `bufferedPeak` are zero: anything else is a leak. */
export interface HttpUsage {
	/** Requests that have been taken so far. */
	readonly requests: number;
	readonly requestsInFlight: number;
	/** Sandboxes acquired and not yet ended. */
	readonly guestsInUse: number;
	readonly outgoingInFlight: number;
	/** Bytes of bodies held between guests and the kernel. */
	readonly bufferedBytes: number;
	readonly bufferedPeak: number;
}

export interface HttpHandler {
	/** Serves one request, at once or through `reply.open()`. `continueDue` when the client waits for `100 Continue`: it is sent when the guest reads. */
	handle(request: RequestHead, reply: Reply, continueDue?: boolean): void;
	usage(): HttpUsage;
}

/** Serves requests through guests, each with a sandbox of its own. */
export function createHttpHandler(options: HttpHandlerOptions): HttpHandler {
	const limits = { ...DEFAULT_TRIGGER_LIMITS, ...options.limits };
	const counts = { requests: 0, requestsInFlight: 0, guestsInUse: 0 };
	const site: Site = {
		// Unique among the processes that write to one log; short, because people copy it.
		prefix: randomBytes(3).toString("hex"),
		limits,
		deadlines: new Deadlines(limits.wall),
		counts,
		options,
	};
	return {
		handle(request, reply, continueDue = false) {
			counts.requests++;
			new RequestExchange(site, counts.requests, request, reply, continueDue).begin();
		},
		usage: () => ({
			...counts,
			outgoingInFlight: options.client?.inFlight ?? 0,
			bufferedBytes: options.meter?.current ?? 0,
			bufferedPeak: options.meter?.peak ?? 0,
		}),
	};
}
