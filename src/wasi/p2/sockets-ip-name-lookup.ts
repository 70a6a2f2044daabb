import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";
import { refuse, refuseMethods } from "./sockets-refused.ts";

export const socketsIpNameLookup: HostInterface<WasiContext> = defineInterface(
	"sockets/ip-name-lookup",
	{
		"resolve-addresses": refuse("name resolution"),
		...refuseMethods("resolve-address-stream", ["resolve-next-address"], ["subscribe"]),
	},
	{ "resolve-address-stream": {} },
);
