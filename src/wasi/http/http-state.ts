import { BufferMeter, type HttpClient } from "../../sys/mod.ts";
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from "./limits.ts";
import type { OutboundPolicy } from "./outbound-policy.ts";

/** What the HTTP of one sandbox is given; everything left out is refused or has its default. */
export interface HttpOptions {
	/** Where requests may go, and what sends them. Without it, every outgoing request is denied. */
	readonly outbound?: { readonly policy: OutboundPolicy; readonly client: HttpClient };
	readonly limits?: Partial<HttpLimits>;
	/** Counts the bytes of bodies that are held; may be shared by sandboxes. */
	readonly meter?: BufferMeter;
}

/** The state of HTTP in one sandbox. */
export class HttpState {
	readonly outbound: HttpOptions["outbound"];
	readonly limits: HttpLimits;
	readonly meter: BufferMeter;
	/** Outgoing exchanges that the guest has started and that are not over. */
	outgoing = 0;
	/** Denied destinations that were reported. */
	deniedReports = 0;

	constructor(options: HttpOptions = {}) {
		this.outbound = options.outbound;
		this.limits = options.limits === undefined ? DEFAULT_HTTP_LIMITS : { ...DEFAULT_HTTP_LIMITS, ...options.limits };
		this.meter = options.meter ?? new BufferMeter();
	}
}
