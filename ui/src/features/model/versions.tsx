// A model's versions: the list, the schema of each, and what changed in the inputs between two.
import { GitCompareArrows, History } from "lucide-react";
import { useId, useMemo, useState } from "react";
import type { Model, Version } from "@/api/types";
import { CopyButton } from "@/components/copy-button";
import { Badge, EmptyState, Table } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { Label } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { useLanguage, useMessages } from "@/i18n";
import { formatTime } from "@/lib/format";
import { modelMessages } from "@/features/model/messages";
import { SchemaView } from "@/features/model/schema-view";
import type { Playground } from "@/features/model/use-playground";
import { inputChanges, type FieldChange } from "@/features/model/version-diff";
import { parseInput } from "@/features/schema-form/schema";

const TONES = { added: "success", removed: "destructive", changed: "warning" } as const;

function ChangeRows({ change }: { change: FieldChange }) {
    const text = useMessages(modelMessages);
    const details = change.details.length > 0 ? change.details : [null];
    return details.map((detail, index) => (
        <tr key={detail?.what ?? ""} className="align-top">
            {index === 0 && (
                <th scope="rowgroup" rowSpan={details.length} className="border-t font-mono text-xs text-foreground!">
                    {change.name}
                </th>
            )}
            {index === 0 && (
                <td rowSpan={details.length}>
                    <Badge tone={TONES[change.kind]}>{text[`change_${change.kind}`]}</Badge>
                </td>
            )}
            <td className="font-mono text-xs">{detail?.what ?? ""}</td>
            <td className="max-w-72 font-mono text-xs break-words">{detail ? detail.before || "–" : ""}</td>
            <td className="max-w-72 font-mono text-xs break-words">{detail ? detail.after || "–" : ""}</td>
        </tr>
    ));
}

function VersionDiff({ versions }: { versions: Version[] }) {
    const text = useMessages(modelMessages);
    const { language } = useLanguage();
    const id = useId();
    const [from, setFrom] = useState(versions[1]?.id ?? "");
    const [to, setTo] = useState(versions[0]?.id ?? "");
    const choices = versions.map((version) => ({ value: version.id, label: `${version.id.slice(0, 12)} · ${new Date(version.created_at).toLocaleDateString(language)}` }));
    const changes = useMemo(() => {
        const schema = (wanted: string) => parseInput(versions.find((version) => version.id === wanted)?.openapi_schema);
        return inputChanges(schema(from), schema(to));
    }, [versions, from, to]);
    return (
        <Card>
            <CardHeader>
                <CardTitle className="flex items-center gap-2">
                    <GitCompareArrows aria-hidden className="size-4" />
                    {text.compare_versions}
                </CardTitle>
            </CardHeader>
            <CardContent className="space-y-4">
                <div className="grid gap-3 sm:grid-cols-2">
                    <div className="space-y-1.5">
                        <Label htmlFor={`${id}-from`}>{text.compare_from}</Label>
                        <Select id={`${id}-from`} value={from} choices={choices} onChange={setFrom} />
                    </div>
                    <div className="space-y-1.5">
                        <Label htmlFor={`${id}-to`}>{text.compare_to}</Label>
                        <Select id={`${id}-to`} value={to} choices={choices} onChange={setTo} />
                    </div>
                </div>
                {changes.length === 0 ? (
                    <p className="text-sm text-muted-foreground">{text.compare_same}</p>
                ) : (
                    <Table label={text.compare_versions}>
                        <thead>
                            <tr>
                                <th scope="col">{text.schema_name}</th>
                                <th scope="col">{text.change_changed}</th>
                                <th scope="col">{text.change_what}</th>
                                <th scope="col">{text.change_before}</th>
                                <th scope="col">{text.change_after}</th>
                            </tr>
                        </thead>
                        <tbody>
                            {changes.map((change) => (
                                <ChangeRows key={change.name} change={change} />
                            ))}
                        </tbody>
                    </Table>
                )}
            </CardContent>
        </Card>
    );
}

export function VersionsTab({ model, playground, onVersion }: { model: Model; playground: Playground; onVersion: (id: string | undefined) => void }) {
    const text = useMessages(modelMessages);
    const { language } = useLanguage();
    const { versions } = playground;
    const [schema_of, setSchemaOf] = useState<string | null>(null);
    const used = playground.version?.id;
    const shown = versions.find((version) => version.id === (schema_of ?? used)) ?? versions[0];
    const newest = model.latest_version?.id;
    if (versions.length === 0) return <EmptyState icon={<History />} title={text.versions_none} />;
    return (
        <div className="space-y-6">
            <h2 className="sr-only">{text.tab_versions}</h2>
            <Table label={text.versions_list}>
                <thead>
                    <tr>
                        <th scope="col">{text.version_id}</th>
                        <th scope="col">{text.version_date}</th>
                        <th scope="col">{text.version_cog}</th>
                        <th scope="col">
                            <span className="sr-only">{text.version_use}</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {versions.map((version) => (
                        <tr key={version.id}>
                            <td>
                                <span className="flex items-center gap-1 font-mono text-xs">
                                    {version.id.slice(0, 12)}
                                    <CopyButton text={version.id} label={text.copy_id} />
                                    {version.id === newest && <Badge tone="primary">{text.version_newest}</Badge>}
                                </span>
                            </td>
                            <td className="whitespace-nowrap tabular-nums">{formatTime(version.created_at, language)}</td>
                            <td className="font-mono text-xs">{version.cog_version || "–"}</td>
                            <td>
                                <span className="flex items-center justify-end gap-2">
                                    <Button variant={shown?.id === version.id ? "secondary" : "ghost"} size="sm" aria-pressed={shown?.id === version.id} onClick={() => setSchemaOf(version.id)}>
                                        {text.version_schema}
                                    </Button>
                                    {version.id === used ? (
                                        <Badge tone="outline">{text.version_in_use}</Badge>
                                    ) : (
                                        <Button variant="outline" size="sm" onClick={() => onVersion(version.id === newest ? undefined : version.id)}>
                                            {text.version_use}
                                        </Button>
                                    )}
                                </span>
                            </td>
                        </tr>
                    ))}
                </tbody>
            </Table>
            {versions.length > 1 && <VersionDiff versions={versions} />}
            {shown && <SchemaView key={shown.id} version={shown} />}
        </div>
    );
}
