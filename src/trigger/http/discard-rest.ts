import type { IncomingMessage } from "node:http";
import type { TriggerLimits } from "./limits.ts";

/**
 * Throws away what is unread of an answered request, so that its connection can be used again; when that is too much or takes too
 * long, the connection is closed.
 */
export function discardRest(request: IncomingMessage, limits: TriggerLimits): void {
	if (request.complete || request.destroyed) {
		request.resume();
		return;
	}
	let bytes = 0;
	const timer = setTimeout(() => request.destroy(), limits.discardTime);
	request.on("data", (chunk: Uint8Array) => {
		bytes += chunk.length;
		if (bytes > limits.discardBytes) request.destroy();
	});
	request.on("error", () => {});
	request.on("close", () => clearTimeout(timer));
	request.on("end", () => clearTimeout(timer));
	request.resume();
}
