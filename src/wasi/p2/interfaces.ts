import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { cliEnvironment } from "./cli-environment.ts";
import { cliExit } from "./cli-exit.ts";
import { cliStderr } from "./cli-stderr.ts";
import { cliStdin } from "./cli-stdin.ts";
import { cliStdout } from "./cli-stdout.ts";
import { cliTerminalInput } from "./cli-terminal-input.ts";
import { cliTerminalOutput } from "./cli-terminal-output.ts";
import { cliTerminalStderr } from "./cli-terminal-stderr.ts";
import { cliTerminalStdin } from "./cli-terminal-stdin.ts";
import { cliTerminalStdout } from "./cli-terminal-stdout.ts";
import { clocksMonotonicClock } from "./clocks-monotonic-clock.ts";
import { clocksWallClock } from "./clocks-wall-clock.ts";
import { filesystemPreopens } from "./filesystem-preopens.ts";
import { filesystemTypes } from "./filesystem-types.ts";
import { httpOutgoingHandler } from "./http-outgoing-handler.ts";
import { httpTypes } from "./http-types.ts";
import { ioError } from "./io-error.ts";
import { ioPoll } from "./io-poll.ts";
import { ioStreams } from "./io-streams.ts";
import { randomInsecure } from "./random-insecure.ts";
import { randomInsecureSeed } from "./random-insecure-seed.ts";
import { randomRandom } from "./random-random.ts";
import { socketsInstanceNetwork } from "./sockets-instance-network.ts";
import { socketsIpNameLookup } from "./sockets-ip-name-lookup.ts";
import { socketsNetwork } from "./sockets-network.ts";
import { socketsTcp } from "./sockets-tcp.ts";
import { socketsTcpCreateSocket } from "./sockets-tcp-create-socket.ts";
import { socketsUdp } from "./sockets-udp.ts";
import { socketsUdpCreateSocket } from "./sockets-udp-create-socket.ts";

/** Every interface of WASI 0.2 that is hosted. */
export const WASI_P2: readonly HostInterface<WasiContext>[] = [
	ioError,
	ioPoll,
	ioStreams,
	clocksMonotonicClock,
	clocksWallClock,
	randomRandom,
	randomInsecure,
	randomInsecureSeed,
	cliEnvironment,
	cliExit,
	cliStdin,
	cliStdout,
	cliStderr,
	cliTerminalInput,
	cliTerminalOutput,
	cliTerminalStdin,
	cliTerminalStdout,
	cliTerminalStderr,
	filesystemPreopens,
	filesystemTypes,
	socketsNetwork,
	socketsInstanceNetwork,
	socketsTcp,
	socketsTcpCreateSocket,
	socketsUdp,
	socketsUdpCreateSocket,
	socketsIpNameLookup,
	httpTypes,
	httpOutgoingHandler,
];
