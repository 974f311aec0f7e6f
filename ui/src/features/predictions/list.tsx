// The list of predictions: live, filtered by the URL, in pages.
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { ChevronLeft, ChevronRight, ChevronsLeft, List } from "lucide-react";
import { useState } from "react";
import type { Page, Prediction } from "@/api/types";
import { Alert, EmptyState, PageHeader, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { useErrorText } from "@/components/error-text";
import { Filters } from "@/features/predictions/filters";
import { cursorOf, FILTERS, predictionListQuery, type ListSearch } from "@/features/predictions/list-query";
import { predictionMessages } from "@/features/predictions/messages";
import { Rows } from "@/features/predictions/rows";
import { SelectionBar } from "@/features/predictions/selection-bar";

function Pages({ page, search, onGo }: { page: Page<Prediction>; search: ListSearch; onGo: (cursor: string | undefined) => void }) {
    const text = useMessages(predictionMessages);
    const common = useMessages(commonMessages);
    const next = cursorOf(page.next);
    const previous = cursorOf(page.previous);
    if (!next && !previous && !search.cursor) return null;
    return (
        <nav aria-label={text.pages} className="mt-4 flex items-center justify-end gap-2">
            {search.cursor && (
                <Button variant="ghost" size="sm" onClick={() => onGo(undefined)}>
                    <ChevronsLeft />
                    {text.to_first}
                </Button>
            )}
            <Button variant="outline" size="sm" disabled={!previous} onClick={() => onGo(previous)}>
                <ChevronLeft />
                {common.previous}
            </Button>
            <Button variant="outline" size="sm" disabled={!next} onClick={() => onGo(next)}>
                {common.next}
                <ChevronRight />
            </Button>
        </nav>
    );
}

function ListSkeleton() {
    const text = useMessages(commonMessages);
    return (
        <div role="status" aria-label={text.loading} className="space-y-2">
            {Array.from({ length: 8 }, (_, index) => (
                <Skeleton key={index} className="h-16" />
            ))}
        </div>
    );
}

function useSelection(shown: Prediction[]) {
    const [chosen, setChosen] = useState<Set<string>>(new Set());
    const choose = (ids: string[], on: boolean) =>
        setChosen((before) => {
            const after = new Set(before);
            for (const id of ids) if (on) after.add(id);
            else after.delete(id);
            return after;
        });
    return { chosen, choose, clear: () => setChosen(new Set()), selected: shown.filter((each) => chosen.has(each.id)) };
}

export function PredictionsPage() {
    const text = useMessages(predictionMessages);
    const common = useMessages(commonMessages);
    const search: ListSearch = useSearch({ from: "/predictions" });
    const navigate = useNavigate();
    const errorText = useErrorText();
    const list = useQuery(predictionListQuery(search));
    const selection = useSelection(list.data?.results ?? []);
    const go = (next: ListSearch) => {
        selection.clear();
        void navigate({ to: "/predictions", search: next, replace: next.cursor === search.cursor });
    };
    const filtered = FILTERS.some((name) => search[name]) || Boolean(search.cursor);
    return (
        <>
            <PageHeader title={text.title}>{text.intro}</PageHeader>
            <Filters search={search} onChange={go} />
            {list.isError && (
                <Alert tone="destructive" className="mb-4" action={<Button variant="outline" size="sm" onClick={() => void list.refetch()}>{common.retry}</Button>}>
                    {errorText(list.error)}
                </Alert>
            )}
            {list.isPending && <ListSkeleton />}
            {list.data && (
                <div className={list.isPlaceholderData ? "opacity-60 transition-opacity" : undefined} aria-busy={list.isPlaceholderData}>
                    {list.data.results.length > 0 ? (
                        <Rows predictions={list.data.results} selection={selection} />
                    ) : (
                        <EmptyState icon={<List />} title={filtered ? text.empty_filtered : text.empty}>
                            {filtered ? text.empty_filtered_help : text.empty_help}
                        </EmptyState>
                    )}
                    <SelectionBar selected={selection.selected} onClear={selection.clear} />
                    <Pages page={list.data} search={search} onGo={(cursor) => go({ ...search, cursor })} />
                </div>
            )}
        </>
    );
}
