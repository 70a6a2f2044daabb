import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";
import { refuse } from "./sockets-refused.ts";

export const socketsUdpCreateSocket: HostInterface<WasiContext> = defineInterface("sockets/udp-create-socket", {
	"create-udp-socket": refuse("UDP sockets"),
});
