// The process of the peer `node:http`: `node node-http-server.ts PORT ANSWER`.
import { createServer } from "node:http";

const [port = "", answer = ""] = process.argv.slice(2);
createServer((_request, response) => {
	response.setHeader("content-type", "text/plain");
	response.end(answer);
}).listen(Number(port), "127.0.0.1");
