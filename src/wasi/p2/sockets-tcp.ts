import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";
import { refuseMethods } from "./sockets-refused.ts";

const FALLIBLE = [
	"start-bind",
	"finish-bind",
	"start-connect",
	"finish-connect",
	"start-listen",
	"finish-listen",
	"accept",
	"local-address",
	"remote-address",
	"set-listen-backlog-size",
	"keep-alive-enabled",
	"set-keep-alive-enabled",
	"keep-alive-idle-time",
	"set-keep-alive-idle-time",
	"keep-alive-interval",
	"set-keep-alive-interval",
	"keep-alive-count",
	"set-keep-alive-count",
	"hop-limit",
	"set-hop-limit",
	"receive-buffer-size",
	"set-receive-buffer-size",
	"send-buffer-size",
	"set-send-buffer-size",
	"shutdown",
];

export const socketsTcp: HostInterface<WasiContext> = defineInterface(
	"sockets/tcp",
	refuseMethods("tcp-socket", FALLIBLE, ["is-listening", "address-family", "subscribe"]),
	{ "tcp-socket": {} },
);
