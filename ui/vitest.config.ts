// Unit tests of the page's parts; the page as a whole is tested in a browser (tests/browser).
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
    esbuild: { jsx: "automatic" },
    resolve: { alias: { "@": fileURLToPath(new URL("src", import.meta.url)) } },
    test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"], testTimeout: 300_000 },
});
