/** Component graphs to instances. */
export type { HostFunction, HostInterface, HostResource } from "./host.ts";
