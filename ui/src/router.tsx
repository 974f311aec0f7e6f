// The routes. Each page is a chunk of its own, loaded when it is first shown.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { patiently } from "@/api/chunks";
import { NotFound, PageError, Shell } from "@/features/shell/shell";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

/** ?tab=… and the like: strings only, everything else is dropped. */
function textSearch<const Names extends string>(...names: Names[]) {
    return (search: Record<string, unknown>): { [name in Names]?: string } => {
        const kept: { [name in Names]?: string } = {};
        for (const name of names) if (typeof search[name] === "string" || typeof search[name] === "number") kept[name] = String(search[name]);
        return kept;
    };
}

const routes = [
    createRoute({ getParentRoute: () => root, path: "/", validateSearch: textSearch("tab", "from"), component: lazyRouteComponent(() => patiently(() => import("@/features/home/page")), "HomePage") }),
    createRoute({ getParentRoute: () => root, path: "/explore", validateSearch: textSearch("q", "category"), component: lazyRouteComponent(() => patiently(() => import("@/features/explore/page")), "ExplorePage") }),
    createRoute({ getParentRoute: () => root, path: "/predictions", validateSearch: textSearch("model", "status", "source", "token", "after", "before", "cursor"), component: lazyRouteComponent(() => patiently(() => import("@/features/predictions/list")), "PredictionsPage") }),
    createRoute({ getParentRoute: () => root, path: "/p/$id", component: lazyRouteComponent(() => patiently(() => import("@/features/predictions/detail")), "PredictionPage") }),
    createRoute({ getParentRoute: () => root, path: "/compare", validateSearch: textSearch("model", "from"), component: lazyRouteComponent(() => patiently(() => import("@/features/compare/page")), "ComparePage") }),
    createRoute({ getParentRoute: () => root, path: "/batch", validateSearch: textSearch("function"), component: lazyRouteComponent(() => patiently(() => import("@/features/batch/page")), "BatchPage") }),
    createRoute({ getParentRoute: () => root, path: "/files", component: lazyRouteComponent(() => patiently(() => import("@/features/files/page")), "FilesPage") }),
    createRoute({ getParentRoute: () => root, path: "/deployments", component: lazyRouteComponent(() => patiently(() => import("@/features/deployments/page")), "DeploymentsPage") }),
    createRoute({ getParentRoute: () => root, path: "/webhooks", component: lazyRouteComponent(() => patiently(() => import("@/features/webhooks/page")), "WebhooksPage") }),
    createRoute({ getParentRoute: () => root, path: "/tokens", component: lazyRouteComponent(() => patiently(() => import("@/features/tokens/page")), "TokensPage") }),
    createRoute({ getParentRoute: () => root, path: "/usage", validateSearch: textSearch("from", "to"), component: lazyRouteComponent(() => patiently(() => import("@/features/usage/page")), "UsagePage") }),
    createRoute({ getParentRoute: () => root, path: "/operations", validateSearch: textSearch("span"), component: lazyRouteComponent(() => patiently(() => import("@/features/operations/page")), "OperationsPage") }),
    createRoute({ getParentRoute: () => root, path: "/settings", component: lazyRouteComponent(() => patiently(() => import("@/features/settings/page")), "SettingsPage") }),
    createRoute({ getParentRoute: () => root, path: "/sign-in", component: lazyRouteComponent(() => patiently(() => import("@/features/sign-in/page")), "SignInPage") }),
    createRoute({ getParentRoute: () => root, path: "/$owner/$name", validateSearch: textSearch("tab", "version", "from"), component: lazyRouteComponent(() => patiently(() => import("@/features/model/page")), "ModelPage") }),
] as const;

export function makeRouter() {
    return createRouter({
        routeTree: root.addChildren([...routes]),
        defaultPreload: "intent",
        defaultErrorComponent: PageError,
        scrollRestoration: true,
        // Plain ?name=value, no JSON in it.
        parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
        stringifySearch: (search) => {
            const parts = Object.entries(search).filter(([, value]) => value !== undefined && value !== "");
            return parts.length ? `?${new URLSearchParams(parts.map(([name, value]) => [name, String(value)]))}` : "";
        },
    });
}

declare module "@tanstack/react-router" {
    interface Register {
        router: ReturnType<typeof makeRouter>;
    }
}
