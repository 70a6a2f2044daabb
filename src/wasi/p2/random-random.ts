import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { randomLength } from "../limits.ts";
import { defineInterface } from "./interface.ts";

export const randomRandom: HostInterface<WasiContext> = defineInterface("random/random", {
	"get-random-bytes": ({ random, limits }, length: bigint) => random.bytes(randomLength(length, limits)),
	"get-random-u64": ({ random }) => random.u64(),
});
