/** What is asked of a server: one component, one URL, one right answer. */
export interface Workload {
	readonly name: string;
	/** Absolute path of the component. */
	readonly component: string;
	/** Absolute path of the JavaScript that the component was built from, where that is a module without imports. */
	readonly script?: string;
	readonly path: string;
	/** The body of the answer, whose status is 200. */
	readonly answer: string;
}

/** A server that can be measured. */
export interface Peer {
	readonly name: string;
	/** What one request shares with the next. */
	readonly isolation: string;
	find(): Promise<PeerFound | PeerAbsent>;
}

export interface PeerFound {
	readonly version: string;
	/** Whether it can serve a workload; every one when absent. */
	serves?(workload: Workload): boolean;
	/** The command that serves a workload on 127.0.0.1. `scratch` is an empty folder for the peer's own use. */
	command(workload: Workload, port: number, scratch: string): readonly string[];
}

export interface PeerAbsent {
	/** How to install it. */
	readonly install: string;
}
