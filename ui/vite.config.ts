// How the page is built: static files with content-hashed names, no inline scripts, nothing fetched from elsewhere.
import tailwindcss from "@tailwindcss/vite";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

// `npm run dev` serves the page from the sources and passes API calls on to a running `mimeo serve`.
const server = process.env.MIMEO_URL ?? "http://127.0.0.1:8080";
const passed_on = Object.fromEntries(
    ["/v1", "/api", "/outputs", "/metrics", "/healthz", "/readyz", "/openapi.json"].map((path) => [path, { target: server, changeOrigin: true }]),
);

export default defineConfig({
    plugins: [tailwindcss()],
    esbuild: { jsx: "automatic" },
    resolve: {
        alias: {
            "@": fileURLToPath(new URL("src", import.meta.url)),
            "react-remove-scroll": fileURLToPath(new URL("src/lib/remove-scroll.tsx", import.meta.url)),
        },
    },
    build: {
        target: "es2022",
        assetsInlineLimit: 0, // the CSP allows no data: scripts or styles
        modulePreload: { polyfill: false },
        reportCompressedSize: false,
        rollupOptions: {
            onwarn: (warning, warn) => {
                if (warning.code !== "MODULE_LEVEL_DIRECTIVE") warn(warning); // Radix's "use client" means nothing here
            },
            output: {
                // What every route needs, apart from our own code: it changes less often. Icons in one file instead of one each.
                manualChunks: (id) => (/node_modules\/(react|react-dom|scheduler|@tanstack)\//.test(id) ? "framework" : /node_modules\/lucide-react\//.test(id) ? "icons" : undefined),
                experimentalMinChunkSize: 12_000, // bytes: less is not worth a request of its own
            },
        },
    },
    server: { proxy: passed_on },
});
