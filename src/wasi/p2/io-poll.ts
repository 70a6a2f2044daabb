import { Trap } from "../../fault/mod.ts";
import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { type Pollable, pollAll } from "../io/pollable.ts";
import { exceedLimit } from "../limits.ts";
import { defineInterface } from "./interface.ts";

export const ioPoll: HostInterface<WasiContext> = defineInterface(
	"io/poll",
	{
		"[method]pollable.ready": (_context, self: Pollable): boolean => self.ready(),
		"[method]pollable.block": (_context, self: Pollable) => self.block(),
		poll: (context, pollables: readonly Pollable[]) => {
			if (pollables.length === 0) throw new Trap("poll: the list of pollables is empty");
			const limit = context.limits.pollables;
			if (pollables.length > limit) throw exceedLimit("pollables", limit, pollables.length);
			return pollAll(pollables);
		},
	},
	{ pollable: { drop: (_context, self: Pollable) => self.drop() } },
);
