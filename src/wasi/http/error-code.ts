import { HttpFailure, type HttpFailureKind, StreamFailure } from "../../sys/mod.ts";

/**
 * `wasi:http/types.error-code` and the status with which a server answers when a guest gives it as its response. The cases
 * are the proxy error types of RFC 9209, 2.3; the statuses are those that it recommends, and 502 where it recommends a 4xx or leaves
 * the choice: whatever went wrong, it was not the client's request.
 */
const STATUSES = {
	"DNS-timeout": 504,
	"DNS-error": 502,
	"destination-not-found": 500,
	"destination-unavailable": 503,
	"destination-IP-prohibited": 502,
	"destination-IP-unroutable": 502,
	"connection-refused": 502,
	"connection-terminated": 502,
	"connection-timeout": 504,
	"connection-read-timeout": 504,
	"connection-write-timeout": 504,
	"connection-limit-reached": 503,
	"TLS-protocol-error": 502,
	"TLS-certificate-error": 502,
	"TLS-alert-received": 502,
	"HTTP-request-denied": 502,
	"HTTP-request-length-required": 502,
	"HTTP-request-body-size": 502,
	"HTTP-request-method-invalid": 502,
	"HTTP-request-URI-invalid": 502,
	"HTTP-request-URI-too-long": 502,
	"HTTP-request-header-section-size": 502,
	"HTTP-request-header-size": 502,
	"HTTP-request-trailer-section-size": 502,
	"HTTP-request-trailer-size": 502,
	"HTTP-response-incomplete": 502,
	"HTTP-response-header-section-size": 502,
	"HTTP-response-header-size": 502,
	"HTTP-response-body-size": 502,
	"HTTP-response-trailer-section-size": 502,
	"HTTP-response-trailer-size": 502,
	"HTTP-response-transfer-coding": 502,
	"HTTP-response-content-coding": 502,
	"HTTP-response-timeout": 504,
	"HTTP-upgrade-failed": 502,
	"HTTP-protocol-error": 502,
	"loop-detected": 508,
	"configuration-error": 500,
	"internal-error": 500,
} as const;

/** A value of the variant, as `abi/values.ts` maps it. */
export interface ErrorCode {
	readonly tag: keyof typeof STATUSES;
	readonly val?: unknown;
}

/** The status for a response that is an error. */
export function statusOf(code: ErrorCode): number {
	return STATUSES[code.tag];
}

/** The code for a log. */
export function renderErrorCode(code: ErrorCode): string {
	if (code.val === undefined) return code.tag;
	const payload = JSON.stringify(code.val, (_key, value: unknown) =>
		typeof value === "bigint" ? value.toString() : value,
	);
	return `${code.tag} ${payload}`;
}

/** A stream of a body broke for a reason that has a code of its own. */
export class BodyFailure extends StreamFailure {
	readonly code: ErrorCode;

	constructor(code: ErrorCode, message: string) {
		super(message);
		this.code = code;
	}
}

const CODES_OF_KINDS: Record<HttpFailureKind, (failure: HttpFailure) => ErrorCode> = {
	"dns-error": (failure) => ({ tag: "DNS-error", val: { rcode: failure.detail, infoCode: undefined } }),
	"destination-unroutable": () => ({ tag: "destination-IP-unroutable" }),
	"connection-refused": () => ({ tag: "connection-refused" }),
	"connection-terminated": () => ({ tag: "connection-terminated" }),
	"connection-timeout": () => ({ tag: "connection-timeout" }),
	"read-timeout": () => ({ tag: "connection-read-timeout" }),
	"tls-certificate": () => ({ tag: "TLS-certificate-error" }),
	"tls-alert": (failure) => ({
		tag: "TLS-alert-received",
		val: { alertId: undefined, alertMessage: failure.detail },
	}),
	"tls-protocol": () => ({ tag: "TLS-protocol-error" }),
	"header-section-size": () => ({ tag: "HTTP-response-header-section-size", val: undefined }),
	incomplete: () => ({ tag: "HTTP-response-incomplete" }),
	protocol: () => ({ tag: "HTTP-protocol-error" }),
	upgrade: () => ({ tag: "HTTP-upgrade-failed" }),
	internal: (failure) => ({ tag: "internal-error", val: failure.message }),
};

/** The code of a failure of HTTP; `undefined` for one of another kind of stream (`http-error-code`). */
export function errorCodeOf(failure: StreamFailure): ErrorCode | undefined {
	if (failure instanceof BodyFailure) return failure.code;
	if (failure instanceof HttpFailure) return CODES_OF_KINDS[failure.kind](failure);
	return undefined;
}

/** The code of whatever an exchange threw; what is no failure of a stream is thrown on. */
export function toErrorCode(failure: unknown): ErrorCode {
	if (!(failure instanceof StreamFailure)) throw failure;
	return errorCodeOf(failure) ?? { tag: "internal-error", val: failure.message };
}
