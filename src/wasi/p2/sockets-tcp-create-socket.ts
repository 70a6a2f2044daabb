import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";
import { refuse } from "./sockets-refused.ts";

export const socketsTcpCreateSocket: HostInterface<WasiContext> = defineInterface("sockets/tcp-create-socket", {
	"create-tcp-socket": refuse("TCP sockets"),
});
