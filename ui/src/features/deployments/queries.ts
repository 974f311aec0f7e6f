// The account's deployments: list, make, change, delete; and what hardware may be named.
import { queryOptions } from "@tanstack/react-query";
import { everyPage } from "@/api/queries";
import { api } from "@/api/http";
import type { Deployment, Hardware } from "@/api/types";

export interface Configuration {
    version: string;
    hardware: string;
    min_instances: number;
    max_instances: number;
}

export const deploymentsQuery = queryOptions({ queryKey: ["deployments"], queryFn: ({ signal }) => everyPage<Deployment>("/v1/deployments", signal) });

export const hardwareQuery = queryOptions({ queryKey: ["hardware"], queryFn: ({ signal }) => api<Hardware[]>("GET", "/v1/hardware", { signal }), staleTime: 600_000 });

function pathFor(deployment: Pick<Deployment, "owner" | "name">): string {
    return `/v1/deployments/${encodeURIComponent(deployment.owner)}/${encodeURIComponent(deployment.name)}`;
}

export function createDeployment(wanted: Configuration & { name: string; model: string }): Promise<Deployment> {
    return api<Deployment>("POST", "/v1/deployments", { body: wanted });
}

export function updateDeployment(deployment: Deployment, wanted: Configuration): Promise<Deployment> {
    return api<Deployment>("PATCH", pathFor(deployment), { body: wanted });
}

export function deleteDeployment(deployment: Deployment): Promise<void> {
    return api<void>("DELETE", pathFor(deployment));
}
