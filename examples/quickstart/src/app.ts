import { Hono } from "hono";

const app = new Hono();

app.get("/", (c) => c.text("Hello from a sandbox of its own!\n"));

// The body is passed on as a stream: one byte or a gigabyte, it is never held as a whole.
app.post("/echo", (c) => c.body(c.req.raw.body));

// A global, so it would count up in a server that keeps its guest; here every request starts anew.
let count = 0;
app.get("/counter", (c) => c.text(`${++count}\n`));

// Hono answers 500 and writes the error to the guest's stderr. The next request does not notice.
app.get("/throw", () => {
	throw new Error("thrown by the guest");
});

// Refused until skerry.toml lists the host in allowed_outbound_hosts.
app.get("/fetch", async (c) => {
	const url = c.req.query("url");
	if (url === undefined) return c.text("Which URL? Ask for /fetch?url=https://example.com\n", 400);
	try {
		return await fetch(url);
	} catch (error) {
		return c.text(`Cannot fetch ${url}: ${String(error)}\n`, 502);
	}
});

// A request while the component is built: what Hono sets up for its first one (the router) is there before every request then.
void app.request("/");

export default app;
