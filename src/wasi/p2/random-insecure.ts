import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { randomLength } from "../limits.ts";
import { defineInterface } from "./interface.ts";

export const randomInsecure: HostInterface<WasiContext> = defineInterface("random/insecure", {
	"get-insecure-random-bytes": ({ insecureRandom, limits }, length: bigint) =>
		insecureRandom.bytes(randomLength(length, limits)),
	"get-insecure-random-u64": ({ insecureRandom }) => insecureRandom.u64(),
});
