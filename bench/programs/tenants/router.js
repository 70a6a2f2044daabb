const name = "tenant-0000000";
let served = 0;
class Router {
	routes = [];
	on(pattern, handler) {
		this.routes.push([pattern, handler]);
		return this;
	}
	async run(request) {
		const { pathname } = new URL(request.url);
		for (const [pattern, handler] of this.routes) {
			const match = pattern.exec(pathname);
			if (match !== null) return await handler(match);
		}
		return new Response("nothing here", { status: 404 });
	}
}
const router = new Router()
	.on(/^\/about$/, () => new Response("about"))
	.on(/^\/(\w*)$/, ([, what]) => new Response(`${name} ${what || "root"} ${++served}\n`));
export default { fetch: (request) => router.run(request) };
