// Fetching, stopping and removing a model's weights: the calls, and what is asked anew afterwards.
import { useMutation, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api } from "@/api/http";
import type { Weights } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { useMessages } from "@/i18n";
import { installMessages } from "@/features/install/messages";

function put(queries: QueryClient, weights: Weights | undefined): void {
    if (weights?.model) queries.setQueryData(["weights", weights.model], weights);
    void queries.invalidateQueries({ queryKey: ["weights"] });
    void queries.invalidateQueries({ queryKey: ["functions"] }); // they say which of them are ready
}

const failed = (error: Error) => toast(error.message, "destructive");

export function useInstall(model: string) {
    const queries = useQueryClient();
    return useMutation({
        mutationFn: (options: { accept_license: boolean; parts?: string[] }) => api<Weights>("POST", `/v1/weights/${model}`, { body: options }),
        onSuccess: (weights) => put(queries, weights),
        onError: failed,
    });
}

export function useCancelInstall(model: string) {
    const queries = useQueryClient();
    return useMutation({ mutationFn: () => api<Weights>("POST", `/v1/weights/${model}/cancel`), onSuccess: (weights) => put(queries, weights), onError: failed });
}

export function useRemoveWeights(model: string) {
    const queries = useQueryClient();
    const text = useMessages(installMessages);
    return useMutation({
        mutationFn: () => api<undefined>("DELETE", `/v1/weights/${model}`),
        onSuccess: () => {
            put(queries, undefined);
            toast(text.removed(model));
        },
        onError: failed,
    });
}

/** When an install ends while it is watched: whatever depends on it is asked anew, and the end is said. */
export function useInstallEnd(weights: Weights | undefined): void {
    const queries = useQueryClient();
    const text = useMessages(installMessages);
    const was_installing = useRef(false);
    const state = weights?.state;
    const model = weights?.model;
    useEffect(() => {
        if (was_installing.current && state === "ready" && model) {
            put(queries, undefined);
            toast(text.installed(model));
        }
        if (state) was_installing.current = state === "installing";
    }, [state, model, queries, text]);
}
