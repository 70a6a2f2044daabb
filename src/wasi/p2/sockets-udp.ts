import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";
import { refuseMethods } from "./sockets-refused.ts";

const FALLIBLE = [
	"start-bind",
	"finish-bind",
	"stream",
	"local-address",
	"remote-address",
	"unicast-hop-limit",
	"set-unicast-hop-limit",
	"receive-buffer-size",
	"set-receive-buffer-size",
	"send-buffer-size",
	"set-send-buffer-size",
];

export const socketsUdp: HostInterface<WasiContext> = defineInterface(
	"sockets/udp",
	{
		...refuseMethods("udp-socket", FALLIBLE, ["address-family", "subscribe"]),
		...refuseMethods("incoming-datagram-stream", ["receive"], ["subscribe"]),
		...refuseMethods("outgoing-datagram-stream", ["check-send", "send"], ["subscribe"]),
	},
	{ "udp-socket": {}, "incoming-datagram-stream": {}, "outgoing-datagram-stream": {} },
);
