import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";

/** What every handle stands for: "the network"; alone it allows nothing. */
export const NETWORK: unique symbol = Symbol("network");

export const socketsNetwork: HostInterface<WasiContext> = defineInterface("sockets/network", {}, { network: {} });
