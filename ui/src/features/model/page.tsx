// The page of a model, /owner/name: playground, API samples, examples, versions, README. The tab and the version stand in the address.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { BookOpen, Box } from "lucide-react";
import { lazy, Suspense } from "react";
import { ApiError, OfflineError } from "@/api/http";
import { useModel } from "@/api/queries";
import type { Json, Model } from "@/api/types";
import { Alert, EmptyState, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Tabs, TabsContent, TabsList, TabsTrigger } from "@/components/ui/tabs";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { ExamplesTab } from "@/features/model/examples";
import { ModelHeader } from "@/features/model/header";
import { modelMessages } from "@/features/model/messages";
import { PlaygroundTab } from "@/features/model/playground";
import { readmeQuery } from "@/features/model/queries";
import { usePlayground } from "@/features/model/use-playground";
import { valuesFromInput } from "@/features/schema-form/schema";

const ApiTab = lazy(async () => ({ default: (await import("@/features/model/api-tab")).ApiTab }));
const VersionsTab = lazy(async () => ({ default: (await import("@/features/model/versions")).VersionsTab }));
const Readme = lazy(async () => ({ default: (await import("@/features/model/readme")).Readme }));

const TABS = ["playground", "api", "examples", "versions", "readme"] as const;
type Tab = (typeof TABS)[number];

function ReadmeTab({ full_name }: { full_name: string }) {
    const text = useMessages(modelMessages);
    const common = useMessages(commonMessages);
    const { data, error, refetch } = useQuery(readmeQuery(full_name));
    if (error)
        return (
            <Alert tone="destructive" action={<Button variant="outline" size="sm" onClick={() => void refetch()}>{common.retry}</Button>}>
                {error.message}
            </Alert>
        );
    if (data === undefined) return <Skeleton className="h-64 max-w-3xl" />;
    return data?.trim() ? <Readme text={data} /> : <EmptyState icon={<BookOpen />} title={text.readme_none} />;
}

function ModelView({ model, search }: { model: Model; search: { tab?: string; version?: string; from?: string } }) {
    const text = useMessages(modelMessages);
    const navigate = useNavigate();
    const full_name = `${model.owner}/${model.name}`;
    const playground = usePlayground(model, search.version, search.from);
    const tab: Tab = TABS.find((each) => each === search.tab) ?? "playground";
    const go = (next: { tab?: string; version?: string; from?: string }) =>
        void navigate({ to: "/$owner/$name", params: { owner: model.owner, name: model.name }, search: { ...search, ...next }, replace: true, resetScroll: false });
    const onVersion = (version: string | undefined) => go({ version, from: undefined });
    const onFill = (input: Record<string, Json>) => {
        playground.fill(input);
        go({ tab: undefined, from: undefined });
    };
    const onRun = (input: Record<string, Json>) => {
        onFill(input);
        playground.start(valuesFromInput(playground.fields, input));
    };
    if (!model.latest_version)
        return (
            <>
                <ModelHeader model={model} />
                <EmptyState icon={<Box />} title={text.no_version}>
                    {text.no_version_help}
                </EmptyState>
            </>
        );
    return (
        <>
            <ModelHeader model={model} />
            <Tabs value={tab} onValueChange={(next) => go({ tab: next === "playground" ? undefined : next })}>
                <TabsList aria-label={text.tabs}>
                    {TABS.map((each) => (
                        <TabsTrigger key={each} value={each}>
                            {text[`tab_${each}`]}
                        </TabsTrigger>
                    ))}
                </TabsList>
                <Suspense fallback={<Skeleton className="mt-4 h-64" />}>
                    <TabsContent value="playground">{playground.version ? <PlaygroundTab playground={playground} model={model} onVersion={onVersion} /> : <Skeleton className="h-96" />}</TabsContent>
                    <TabsContent value="api">
                        <ApiTab model={model} playground={playground} />
                    </TabsContent>
                    <TabsContent value="examples">
                        <ExamplesTab model={model} onFill={onFill} onRun={onRun} />
                    </TabsContent>
                    <TabsContent value="versions">
                        <VersionsTab model={model} playground={playground} onVersion={onVersion} />
                    </TabsContent>
                    <TabsContent value="readme">
                        <ReadmeTab full_name={full_name} />
                    </TabsContent>
                </Suspense>
            </Tabs>
        </>
    );
}

export function ModelPage() {
    const text = useMessages(modelMessages);
    const common = useMessages(commonMessages);
    const { owner, name } = useParams({ from: "/$owner/$name" });
    const search = useSearch({ from: "/$owner/$name" });
    const { data, error, failureReason, refetch } = useModel(`${owner}/${name}`);
    if (data) return <ModelView key={`${owner}/${name}`} model={data} search={search} />;
    if (error instanceof ApiError && error.status === 404)
        return (
            <EmptyState icon={<Box />} title={<span role="heading" aria-level={1}>{text.no_model}</span>}>
                <p className="mb-4">{text.no_model_help}</p>
                <Button asChild variant="outline">
                    <Link to="/explore">{text.to_explore}</Link>
                </Button>
            </EmptyState>
        );
    if (error)
        return (
            <Alert tone="destructive" action={<Button variant="outline" size="sm" onClick={() => void refetch()}>{common.retry}</Button>}>
                {error.message}
            </Alert>
        );
    return (
        <div className="space-y-4">
            <h1 className="sr-only">{`${owner}/${name}`}</h1>
            {failureReason instanceof OfflineError && <Alert tone="warning">{common.offline}</Alert>}
            <p role="status" className="sr-only">{common.loading}</p>
            <Skeleton className="h-8 w-72" />
            <Skeleton className="h-5 w-96 max-w-full" />
            <Skeleton className="h-96" />
        </div>
    );
}
