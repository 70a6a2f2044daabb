import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import type { OutgoingRequest, RequestOptions } from "../http/outgoing-message.ts";
import { sendRequest } from "../http/send-request.ts";
import { defineInterface } from "./interface.ts";

export const httpOutgoingHandler: HostInterface<WasiContext> = defineInterface("http/outgoing-handler", {
	handle: (context, request: OutgoingRequest, options: RequestOptions | undefined) =>
		sendRequest(context, request, options),
});
