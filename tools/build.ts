/** `npm run build`: the sources without their tests → `dist/`, as JavaScript and declarations, for publishing. */
import { execFileSync } from "node:child_process";
import { globSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "--project", "tsconfig.build.json"], {
	cwd: root,
	stdio: "inherit",
});

// The compiler rewrites `.ts` in what it imports, but not in declarations.
for (const path of globSync("**/*.d.ts", { cwd: dist })) {
	const file = join(dist, path);
	const text = readFileSync(file, "utf8");
	writeFileSync(file, text.replaceAll(/(?<=(?:from |import\()["']\.[^"']*)\.ts(?=["'])/g, ".js"));
}

const sources = globSync("**/*.ts", { cwd: join(root, "src"), exclude: ["**/*.test.ts", "**/*.fixture.ts"] });
const built = new Set(globSync("**/*.js", { cwd: dist }));
const missing = sources.filter((path) => !built.has(path.replace(/\.ts$/, ".js")));
if (missing.length > 0) throw new Error(`Not built: ${missing.join(", ")}`);
const bytes = globSync("**/*.{js,d.ts}", { cwd: dist }).reduce((sum, path) => sum + statSync(join(dist, path)).size, 0);
console.log(`dist: ${built.size} modules, ${(bytes / 1024).toFixed(0)} kB with declarations`);
