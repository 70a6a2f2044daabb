import { StreamFailure } from "./stream.ts";

/** Why an HTTP exchange failed, in words of the protocols; `wasi/http` maps them to its error codes. */
export type HttpFailureKind =
	| "dns-error"
	| "destination-unroutable"
	| "connection-refused"
	| "connection-terminated"
	| "connection-timeout"
	| "read-timeout"
	| "tls-certificate"
	| "tls-alert"
	| "tls-protocol"
	| "header-section-size"
	| "incomplete"
	| "protocol"
	| "upgrade"
	| "internal";

/** An HTTP exchange, or the body of one, broke. */
export class HttpFailure extends StreamFailure {
	readonly kind: HttpFailureKind;
	/** The code that Node gave, such as `ENOTFOUND`. */
	readonly detail: string | undefined;

	constructor(kind: HttpFailureKind, message: string, detail?: string, cause?: unknown) {
		super(message, cause === undefined ? undefined : { cause });
		this.kind = kind;
		this.detail = detail;
	}
}

/** Codes of Node (`errno` names, c-ares and getaddrinfo, OpenSSL, llhttp) by pattern; the first that matches counts. */
const KINDS: readonly (readonly [RegExp, HttpFailureKind])[] = [
	[/^(ENOTFOUND|ENODATA|EAI_[A-Z]+|ESERVFAIL|ETIMEOUT|EADDRNOTAVAIL)$/, "dns-error"],
	[/^ECONNREFUSED$/, "connection-refused"],
	[/^(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN)$/, "destination-unroutable"],
	[/^(ETIMEDOUT|ERR_SOCKET_CONNECTION_TIMEOUT)$/, "connection-timeout"],
	[/^(ECONNRESET|EPIPE|ECONNABORTED|ERR_STREAM_PREMATURE_CLOSE|ERR_STREAM_DESTROYED)$/, "connection-terminated"],
	[
		/^(ERR_TLS_CERT_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/,
		"tls-certificate",
	],
	[/^ERR_SSL_.*_ALERT_/, "tls-alert"],
	[/^(ERR_SSL_|ERR_TLS_|EPROTO$)/, "tls-protocol"],
	[/^HPE_HEADER_OVERFLOW$/, "header-section-size"],
	[/^(HPE_INVALID_EOF_STATE)$/, "incomplete"],
	[/^(HPE_|ERR_HTTP_|ERR_INVALID_CHAR$|ERR_UNESCAPED_CHARACTERS$|ERR_INVALID_HTTP_TOKEN$)/, "protocol"],
];

/** The failure that an error of Node's `net`, `tls` or `http` stands for. */
export function toHttpFailure(error: unknown): HttpFailure {
	if (error instanceof HttpFailure) return error;
	const message = error instanceof Error ? error.message : String(error);
	const code = (error as { code?: unknown } | null)?.code;
	if (typeof code !== "string") return new HttpFailure("internal", message, undefined, error);
	const kind = KINDS.find(([pattern]) => pattern.test(code))?.[1] ?? "internal";
	// A connection attempt to several addresses fails with an AggregateError, whose own message is empty.
	return new HttpFailure(kind, message === "" ? code : message, code, error);
}
