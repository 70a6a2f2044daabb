import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";

/** No folder is granted, so a guest never holds a descriptor. */
export const filesystemPreopens: HostInterface<WasiContext> = defineInterface("filesystem/preopens", {
	"get-directories": () => [],
});
