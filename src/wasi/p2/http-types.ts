import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { type ErrorCode, errorCodeOf } from "../http/error-code.ts";
import { Fields } from "../http/fields.ts";
import type { FutureIncomingResponse } from "../http/future-response.ts";
import type { FutureTrailers, IncomingBody } from "../http/incoming-body.ts";
import type { IncomingRequest, IncomingResponse } from "../http/incoming-message.ts";
import type { OutgoingBody } from "../http/outgoing-body.ts";
import { OutgoingRequest, OutgoingResponse, RequestOptions } from "../http/outgoing-message.ts";
import type { Method, Scheme } from "../http/request-line.ts";
import type { ResponseOutparam } from "../http/response-outparam.ts";
import type { IoError } from "../io/io-error.ts";
import { Pollable } from "../io/pollable.ts";
import { ok, type Result } from "../result.ts";
import { defineInterface } from "./interface.ts";

type Droppable = { drop(): void };
const dropping = { drop: (_context: WasiContext, self: Droppable): void => self.drop() };

export const httpTypes: HostInterface<WasiContext> = defineInterface(
	"http/types",
	{
		"http-error-code": (_context, error: IoError) => errorCodeOf(error.failure),

		"[constructor]fields": (context) => Fields.empty(context.http.limits.fieldBytes, context),
		"[static]fields.from-list": (context, entries: readonly (readonly [string, Uint8Array])[]) =>
			Fields.fromList(entries, context.http.limits.fieldBytes, context),
		"[method]fields.get": (_context, self: Fields, name: string) => self.get(name),
		"[method]fields.has": (_context, self: Fields, name: string) => self.has(name),
		"[method]fields.set": (_context, self: Fields, name: string, values: readonly Uint8Array[]) =>
			self.set(name, values),
		"[method]fields.delete": (_context, self: Fields, name: string) => self.delete(name),
		"[method]fields.append": (_context, self: Fields, name: string, value: Uint8Array) => self.append(name, value),
		"[method]fields.entries": (_context, self: Fields) => self.entries(),
		"[method]fields.clone": (_context, self: Fields) => self.clone(),

		"[method]incoming-request.method": (_context, self: IncomingRequest) => self.method,
		"[method]incoming-request.path-with-query": (_context, self: IncomingRequest) => self.pathWithQuery,
		"[method]incoming-request.scheme": (_context, self: IncomingRequest) => self.scheme,
		"[method]incoming-request.authority": (_context, self: IncomingRequest) => self.authority,
		"[method]incoming-request.headers": (_context, self: IncomingRequest) => self.headers,
		"[method]incoming-request.consume": (_context, self: IncomingRequest) => self.consume(),

		"[constructor]outgoing-request": (context, headers: Fields) => new OutgoingRequest(context, headers),
		"[method]outgoing-request.body": (_context, self: OutgoingRequest) => self.body(),
		"[method]outgoing-request.method": (_context, self: OutgoingRequest) => self.method,
		"[method]outgoing-request.set-method": (_context, self: OutgoingRequest, method: Method) => self.setMethod(method),
		"[method]outgoing-request.path-with-query": (_context, self: OutgoingRequest) => self.pathWithQuery,
		"[method]outgoing-request.set-path-with-query": (_context, self: OutgoingRequest, path: string | undefined) =>
			self.setPathWithQuery(path),
		"[method]outgoing-request.scheme": (_context, self: OutgoingRequest) => self.scheme,
		"[method]outgoing-request.set-scheme": (_context, self: OutgoingRequest, scheme: Scheme | undefined) =>
			self.setScheme(scheme),
		"[method]outgoing-request.authority": (_context, self: OutgoingRequest) => self.authority,
		"[method]outgoing-request.set-authority": (_context, self: OutgoingRequest, authority: string | undefined) =>
			self.setAuthority(authority),
		"[method]outgoing-request.headers": (_context, self: OutgoingRequest) => self.headers(),

		"[constructor]request-options": () => new RequestOptions(),
		"[method]request-options.connect-timeout": (_context, self: RequestOptions) => self.connectTimeout,
		"[method]request-options.set-connect-timeout": (_context, self: RequestOptions, duration: bigint | undefined) => {
			self.connectTimeout = duration;
			return ok();
		},
		"[method]request-options.first-byte-timeout": (_context, self: RequestOptions) => self.firstByteTimeout,
		"[method]request-options.set-first-byte-timeout": (
			_context,
			self: RequestOptions,
			duration: bigint | undefined,
		) => {
			self.firstByteTimeout = duration;
			return ok();
		},
		"[method]request-options.between-bytes-timeout": (_context, self: RequestOptions) => self.betweenBytesTimeout,
		"[method]request-options.set-between-bytes-timeout": (
			_context,
			self: RequestOptions,
			duration: bigint | undefined,
		) => {
			self.betweenBytesTimeout = duration;
			return ok();
		},

		"[static]response-outparam.set": (
			_context,
			self: ResponseOutparam,
			response: Result<OutgoingResponse, ErrorCode>,
		) => self.set(response),

		"[method]incoming-response.status": (_context, self: IncomingResponse) => self.status,
		"[method]incoming-response.headers": (_context, self: IncomingResponse) => self.headers,
		"[method]incoming-response.consume": (_context, self: IncomingResponse) => self.consume(),

		"[method]incoming-body.stream": (_context, self: IncomingBody) => self.stream(),
		"[static]incoming-body.finish": (_context, self: IncomingBody) => self.finish(),

		"[method]future-trailers.subscribe": (_context, self: FutureTrailers) => Pollable.of(self),
		"[method]future-trailers.get": (_context, self: FutureTrailers) => self.get(),

		"[constructor]outgoing-response": (context, headers: Fields) => new OutgoingResponse(context, headers),
		"[method]outgoing-response.status-code": (_context, self: OutgoingResponse) => self.status,
		"[method]outgoing-response.set-status-code": (_context, self: OutgoingResponse, status: number) =>
			self.setStatus(status),
		"[method]outgoing-response.headers": (_context, self: OutgoingResponse) => self.headers(),
		"[method]outgoing-response.body": (_context, self: OutgoingResponse) => self.body(),

		"[method]outgoing-body.write": (_context, self: OutgoingBody) => self.write(),
		"[static]outgoing-body.finish": (_context, self: OutgoingBody, trailers: Fields | undefined) =>
			self.finish(trailers),

		"[method]future-incoming-response.subscribe": (_context, self: FutureIncomingResponse) => Pollable.of(self),
		"[method]future-incoming-response.get": (_context, self: FutureIncomingResponse) => self.get(),
	},
	{
		fields: dropping,
		"incoming-request": dropping,
		"outgoing-request": dropping,
		"request-options": {},
		"response-outparam": dropping,
		"incoming-response": dropping,
		"incoming-body": dropping,
		"future-trailers": dropping,
		"outgoing-response": dropping,
		"outgoing-body": dropping,
		"future-incoming-response": dropping,
	},
);
