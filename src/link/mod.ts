/** From a component or core module and what the host offers to instances: imports are bound, nested components inlined, core modules compiled. */
export { type Composed, composeComponents, linkComposed } from "./compose.ts";
export type { CoreGuest, CoreHostFunction, CoreHostModule } from "./core-host.ts";
export { linkCoreModule, loadCoreModule } from "./core-module.ts";
export type { ComponentGraph, GraphEdge, GraphExport } from "./graph.ts";
export { forgetInitial, type InstanceImage, type InstanceState } from "./instance/core-states.ts";
export { GuestMemory, OutOfBounds, viewOf } from "./guest-memory.ts";
export type { HostFunction, HostInterface, HostResource } from "./host.ts";
export type { HostImports } from "./imports.ts";
export type { Features } from "./plan/features.ts";
export { Instance, instantiate, type Tenant } from "./instance/instantiate.ts";
export {
	linkComponent,
	type LinkOptions,
	loadComponent,
	type LoadedComponent,
	openComponent,
	toRewriteOptions,
} from "./link.ts";
export { type Linked, type LinkedCode, mayShare } from "./linked.ts";
export { isPacked, listModules, packComponent, type PackedComponent, unpackComponent } from "./packed.ts";
export type { PlanExport } from "./plan/plan.ts";
export type { CoreExport, InstanceExport } from "./instance/wiring.ts";
