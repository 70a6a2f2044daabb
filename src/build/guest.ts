/**
 * What a script becomes part of: the world that its component implements, and the module that turns its default export into
 * the `fetch` event of StarlingMonkey, the engine inside.
 */

/** The version of WASI that the engine of componentize-js 0.23 was built for; its own imports must find their like in the world. */
const WASI = "0.2.10";

/** The world's name in {@link WORLD_WIT}. */
export const WORLD_NAME = "http";

/**
 * The guest's world. Only what is named here is added to what the engine imports by itself; of `wasi:http/types` the two
 * resources of the exported function are enough, because the engine brings the rest and both are merged by name.
 */
export const WORLD_WIT: string = `package skerry:guest;

world ${WORLD_NAME} {
  import wasi:cli/environment@${WASI};
  export wasi:http/incoming-handler@${WASI};
}

package wasi:cli@${WASI} {
  interface environment {
    get-environment: func() -> list<tuple<string, string>>;
  }
}

package wasi:http@${WASI} {
  interface types {
    resource incoming-request;
    resource response-outparam;
  }
  interface incoming-handler {
    use types.{incoming-request, response-outparam};
    handle: func(request: incoming-request, response-out: response-outparam);
  }
}
`;

/** What a script may import besides its own packages: the imports of {@link WORLD_WIT}. */
export const WORLD_IMPORTS: readonly string[] = [`wasi:cli/environment@${WASI}`];

/** Counted up when what is done to an initialised guest (`fillHeap`) changes: caches hold what was built with it. */
export const GUEST_VERSION = 1;

/** The file of the bundle beside {@link ENTRY_MODULE}. */
export const BUNDLE_NAME = "app.js";

/**
 * The module that is evaluated when the bundle has a default export: its `fetch` method answers the requests, with the environment
 * as second argument. A bundle without one is evaluated itself, and listens to the `fetch` event.
 *
 * An error that reaches the top is answered here: without a response the engine would end the request with none.
 */
export const ENTRY_MODULE: string = `import { getEnvironment } from "wasi:cli/environment@${WASI}";
import app from "./${BUNDLE_NAME}";

if (typeof app?.fetch !== "function") throw new TypeError("the default export has no fetch method");
// Read when a request first looks into it: what is read while the component is built would be kept in it, and most never look.
const loaded = {};
let read = false;
const load = () => {
	if (read) return loaded;
	read = true;
	for (const [name, value] of getEnvironment()) loaded[name] = value;
	return loaded;
};
const handler = {};
for (const trap of Object.getOwnPropertyNames(Reflect)) {
	if (trap !== "apply" && trap !== "construct") handler[trap] = (_, ...rest) => Reflect[trap](load(), ...rest);
}
const environment = new Proxy(loaded, handler);
// An instance has one event in its life.
let current;
const context = { waitUntil: (promise) => current.waitUntil(promise), passThroughOnException() {} };
const fail = (error) => {
	console.error(error instanceof Error ? \`\${error}\\n\${error.stack}\`.trimEnd() : error);
	return new Response("Internal Server Error\\n", { status: 500 });
};
const check = (response) => {
	if (response instanceof Response) return response;
	throw new TypeError("fetch returned no Response");
};
// No async function: a response that is there at once needs no promise.
const answer = (app, request) => {
	try {
		const response = app.fetch(request, environment, context);
		return response instanceof Response ? response : Promise.resolve(response).then(check).catch(fail);
	} catch (error) {
		return fail(error);
	}
};
// Functions are compiled when they are first called: this one now, not in every request.
answer({ fetch: () => new Response("") }, new Request("http://localhost/"));
addEventListener("fetch", (event) => {
	current = event;
	event.respondWith(answer(app, event.request));
});
`;
