import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";
import { NETWORK } from "./sockets-network.ts";

export const socketsInstanceNetwork: HostInterface<WasiContext> = defineInterface("sockets/instance-network", {
	// Language runtimes ask for it at start: what is refused is what it would be used for.
	"instance-network": () => NETWORK,
});
