/** From a component and what the host offers to instances: imports are bound, nested components inlined, core modules compiled. */
export type { HostFunction, HostInterface, HostResource } from "./host.ts";
export type { HostImports } from "./imports.ts";
export { Instance, type InstanceExport, type InstanceImage, instantiate, type Linked } from "./instantiate.ts";
export { linkComponent, type LinkOptions, loadComponent, type LoadedComponent, openComponent } from "./link.ts";
export { packComponent } from "./packed.ts";
export type { PlanExport } from "./plan.ts";
