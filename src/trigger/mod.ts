/** What calls guests: HTTP requests. */
export type { GuestHandler, HttpHandlerOptions } from "./http/guest-handler.ts";
export { createHttpHandler, type HttpHandler, type HttpUsage } from "./http/http-handler.ts";
export { type TriggerLimits } from "./http/limits.ts";
export { type HttpListener, listen, type ListenOptions } from "./http/listen.ts";
export type { RequestOutcome, RequestRecord } from "./http/record.ts";
