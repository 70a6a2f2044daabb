/** WASI over `sys`: one file per interface. Every sandbox has a context of its own; nothing is granted that its options do not name. */
export {
	type BufferedLimit,
	createWasiContext,
	type GrantedFolder,
	type OnDenied,
	type TerminalFlags,
	WasiContext,
	type WasiOptions,
} from "./context.ts";
export { GuestExit } from "./exit.ts";
export { type ErrorCode, renderErrorCode, statusOf } from "./http/error-code.ts";
export type { HttpOptions } from "./http/http-state.ts";
export { createIncomingRequest, type IncomingRequest } from "./http/incoming-message.ts";
export { type HttpLimits } from "./http/limits.ts";
export { parseOutboundPolicy } from "./http/outbound-policy.ts";
export type { OutgoingResponse } from "./http/outgoing-message.ts";
export { isPathWithQuery, parseAuthority } from "./http/request-line.ts";
export { createResponseOutparam, type ResponseOutparam, type ResponseReceiver } from "./http/response-outparam.ts";
export { type WasiLimits } from "./limits.ts";
export { WASI_HOST } from "./host.ts";
export { WASI_P1 } from "./p1/interface.ts";
export { WASI_P2 } from "./p2/interfaces.ts";
export type { Result } from "./result.ts";
