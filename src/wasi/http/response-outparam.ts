import { Trap } from "../../fault/mod.ts";
import type { Result } from "../result.ts";
import type { ErrorCode } from "./error-code.ts";
import type { OutgoingResponse } from "./outgoing-message.ts";

/** Who gets the guest's response. Exactly one of the two is called, once. */
export interface ResponseReceiver {
	/** `set` was called. */
	respond(response: Result<OutgoingResponse, ErrorCode>): void;
	/** The guest dropped the outparam: there will be no response. */
	abandon(): void;
}

/** `wasi:http/types.response-outparam`. */
export class ResponseOutparam {
	#receiver: ResponseReceiver | undefined;

	constructor(receiver: ResponseReceiver) {
		this.#receiver = receiver;
	}

	set(response: Result<OutgoingResponse, ErrorCode>): void {
		const receiver = this.#receiver;
		if (receiver === undefined) throw new Trap("response-outparam.set: the response was set already");
		this.#receiver = undefined;
		if (response.tag === "ok") response.val.send();
		receiver.respond(response);
	}

	drop(): void {
		const receiver = this.#receiver;
		this.#receiver = undefined;
		receiver?.abandon();
	}
}

/** The resource to call `wasi:http/incoming-handler.handle` with. */
export function createResponseOutparam(receiver: ResponseReceiver): ResponseOutparam {
	return new ResponseOutparam(receiver);
}
