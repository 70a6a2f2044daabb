import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";

export const randomInsecureSeed: HostInterface<WasiContext> = defineInterface("random/insecure-seed", {
	"insecure-seed": ({ insecureSeed }) => insecureSeed,
});
