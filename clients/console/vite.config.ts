import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// The messages are generated once, for the TypeScript client; their only import is resolved from here.
export default defineConfig({
  resolve: {
    alias: { "@holdfast": here("../typescript/src/gen/holdfast/v1"), "@google": here("../typescript/src/gen/google/rpc") },
    dedupe: ["@bufbuild/protobuf"],
  },
  build: {
    outDir: here("../../service/holdfastd/http/console"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What the licences of the bundled libraries ask for.
    license: { fileName: "licenses.md" },
  },
  // For work on the console: `npm run dev` beside `holdfastd serve --http 127.0.0.1:8080`.
  server: { proxy: { "^/holdfast\\.v1\\.": process.env["HOLDFAST_HTTP"] ?? "http://127.0.0.1:8080" } },
});
