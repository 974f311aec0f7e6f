// Explore: all models of the server, found by words and categories, which stand in the address.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { PackageSearch, Search } from "lucide-react";
import { useMemo, type ReactNode } from "react";
import { OfflineError } from "@/api/http";
import { modelsQuery, weightsQuery } from "@/api/queries";
import { Alert, EmptyState, PageHeader, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { cn } from "@/lib/cn";
import { ModelCard } from "@/features/explore/card";
import { categoriesQuery, categoryName, fullName, isReady, matches, ordered, READY, type Category } from "@/features/explore/catalogue";
import { exploreMessages } from "@/features/explore/messages";

function Chip({ category, q, active, children }: { category: string | undefined; q: string | undefined; active: boolean; children: ReactNode }) {
    return (
        <li>
            <Link
                to="/explore"
                search={{ q, category }}
                replace
                resetScroll={false}
                aria-current={active ? "true" : undefined}
                className={cn("inline-flex min-h-8 items-center gap-1.5 rounded-full border px-3 text-sm whitespace-nowrap", active ? "border-primary bg-primary text-primary-foreground" : "bg-card hover:bg-accent hover:text-accent-foreground")}
            >
                {children}
            </Link>
        </li>
    );
}

function Categories({ categories, chosen, q, ready_count }: { categories: Category[]; chosen: string | undefined; q: string | undefined; ready_count: number }) {
    const text = useMessages(exploreMessages);
    const common = useMessages(commonMessages);
    const filled = categories.filter((each) => each.models.length > 0);
    const { language } = useLanguage();
    const number = (count: number) => <span className="text-xs tabular-nums opacity-80">{count}</span>;
    return (
        <nav aria-label={text.categories} className="-mx-4 overflow-x-auto px-4 py-1 sm:mx-0 sm:px-0">
            <ul className="flex gap-2 sm:flex-wrap">
                <Chip category={undefined} q={q} active={!chosen}>
                    {common.all}
                </Chip>
                {ready_count > 0 && (
                    <Chip category={READY} q={q} active={chosen === READY}>
                        {text.ready} {number(ready_count)}
                    </Chip>
                )}
                {filled.map((each) => (
                    <Chip key={each.slug} category={each.slug} q={q} active={chosen === each.slug}>
                        {categoryName(each, language)} {number(each.models.length)}
                    </Chip>
                ))}
            </ul>
        </nav>
    );
}

function Loading() {
    return (
        <div className="grid gap-4 sm:grid-cols-2 xl:grid-cols-3 2xl:grid-cols-4">
            {Array.from({ length: 6 }, (_each, index) => (
                <Skeleton key={index} className="aspect-[4/5]" />
            ))}
        </div>
    );
}

export function ExplorePage() {
    const text = useMessages(exploreMessages);
    const common = useMessages(commonMessages);
    const { language } = useLanguage();
    const navigate = useNavigate();
    const { q, category } = useSearch({ from: "/explore" });
    const models = useQuery(modelsQuery);
    const weights = useQuery(weightsQuery).data?.results;
    const categories = useQuery(categoriesQuery).data ?? [];
    const by_name = useMemo(() => new Map((weights ?? []).map((each) => [each.model, each])), [weights]);
    const ready_count = (models.data ?? []).filter((model) => isReady(by_name.get(fullName(model)))).length;
    const shown = useMemo(() => {
        const within = (models.data ?? []).filter((model) => {
            if (!category) return true;
            if (category === READY) return isReady(by_name.get(fullName(model)));
            return categories.find((each) => each.slug === category)?.models.includes(fullName(model)) ?? false;
        });
        return matches(ordered(within, by_name), q ?? "", categories);
    }, [models.data, by_name, categories, category, q]);
    const chosen = categories.find((each) => each.slug === category);
    return (
        <>
            <PageHeader title={text.title}>{chosen ? (language === "en" ? chosen.description : categoryName(chosen, language)) : text.intro}</PageHeader>
            <div className="mb-5 space-y-3">
                <div className="relative max-w-md">
                    <Search aria-hidden className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-muted-foreground" />
                    <Input
                        type="search"
                        aria-label={text.search}
                        placeholder={text.search_hint}
                        className="pl-9"
                        value={q ?? ""}
                        onChange={(event) => void navigate({ to: "/explore", search: { q: event.target.value || undefined, category }, replace: true, resetScroll: false })}
                    />
                </div>
                <Categories categories={categories} chosen={category} q={q} ready_count={ready_count} />
                <p role="status" className="text-sm text-muted-foreground">
                    {models.data ? text.count(shown.length) : ""}
                </p>
            </div>
            {models.error && (
                <Alert tone="destructive" action={<Button variant="outline" size="sm" onClick={() => void models.refetch()}>{common.retry}</Button>}>
                    {models.error.message}
                </Alert>
            )}
            {models.failureReason instanceof OfflineError && (
                <Alert tone="warning" className="mb-4">
                    {common.offline}
                </Alert>
            )}
            {models.isPending && <Loading />}
            {models.data && shown.length === 0 && (
                <EmptyState icon={<PackageSearch />} title={models.data.length === 0 ? text.empty : text.none}>
                    <p className="mb-4">{models.data.length === 0 ? text.empty_help : text.none_help}</p>
                    {models.data.length > 0 && (
                        <Button asChild variant="outline">
                            <Link to="/explore" search={{}}>
                                {text.show_all}
                            </Link>
                        </Button>
                    )}
                </EmptyState>
            )}
            <div className="grid gap-4 sm:grid-cols-2 xl:grid-cols-3 2xl:grid-cols-4">
                {shown.map((model) => (
                    <ModelCard key={fullName(model)} model={model} weights={by_name.get(fullName(model))} categories={categories.filter((each) => each.models.includes(fullName(model)))} />
                ))}
            </div>
        </>
    );
}
