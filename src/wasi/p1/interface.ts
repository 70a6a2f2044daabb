import type { CoreHostModule } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { ARGS_ENVIRON } from "./args-environ.ts";
import { CLOCKS } from "./clock.ts";
import { FD_FOLDER } from "./fd-folder.ts";
import { FD_IO } from "./fd-io.ts";
import { FD } from "./fd.ts";
import { PATH } from "./path.ts";
import { POLL } from "./poll.ts";
import { PROCESS } from "./process.ts";
import { RANDOM } from "./random.ts";
import { REFUSED } from "./refused.ts";

const FUNCTIONS: CoreHostModule<WasiContext>["functions"] = {
	...ARGS_ENVIRON,
	...CLOCKS,
	...FD,
	...FD_IO,
	...FD_FOLDER,
	...PATH,
	...POLL,
	...PROCESS,
	...RANDOM,
	...REFUSED,
};

/**
 * WASI 0.1: what command-line programs of core WebAssembly are built against. All of its functions are there; those that
 * Skerry does not do yet are refused by name when they are called.
 */
export const WASI_P1: CoreHostModule<WasiContext> = { module: "wasi_snapshot_preview1", functions: FUNCTIONS };
