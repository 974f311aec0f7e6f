// Uploaded files: what is there, until when, and what can be done with it.
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { ChevronLeft, ChevronRight, Download, FileIcon, FolderOpen, Trash2 } from "lucide-react";
import { useState } from "react";
import { api, pathOf } from "@/api/http";
import { useMay } from "@/api/session";
import type { Page, StoredFile } from "@/api/types";
import { Ago } from "@/components/ago";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { CopyButton } from "@/components/copy-button";
import { Alert, EmptyState, PageHeader, Skeleton, Table } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { useLanguage, useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";
import { useErrorText } from "@/components/error-text";
import { formatBytes } from "@/lib/format";
import { fileMessages } from "@/features/files/messages";
import { Upload } from "@/features/files/upload";
import { bytesOf } from "@/features/picture/links";
import { usePicture } from "@/features/picture/use-picture";
import { saveBlob } from "@/lib/save";

const REFRESH_MS = 15_000;
const PREVIEW_BYTES_MAX = 10_000_000; // a list does not fetch large pictures to show them small

function Preview({ file }: { file: StoredFile }) {
    const shown = file.content_type.startsWith("image/") && file.size <= PREVIEW_BYTES_MAX;
    const picture = usePicture(shown ? file.urls.get : null);
    const [broken, setBroken] = useState(false);
    if (picture.src && !broken) return <img src={picture.src} alt="" decoding="async" onError={() => setBroken(true)} className="checkerboard size-12 rounded-md border object-cover" />;
    return (
        <span className="flex size-12 items-center justify-center rounded-md border text-muted-foreground">
            <FileIcon aria-hidden className="size-5" />
        </span>
    );
}

function Actions({ file, onDelete }: { file: StoredFile; onDelete: () => void }) {
    const text = useMessages(fileMessages);
    const errorText = useErrorText();
    const may_run = useMay("run");
    const [busy, setBusy] = useState(false);
    const download = async () => {
        setBusy(true);
        try {
            saveBlob(await bytesOf(file.urls.get), file.name);
        } catch (error) {
            toast(errorText(error as Error), "destructive");
        } finally {
            setBusy(false);
        }
    };
    return (
        <span className="flex justify-end">
            <CopyButton text={file.urls.get} label={text.copy_url(file.name)} />
            <Button variant="ghost" size="icon-sm" aria-label={text.download(file.name)} disabled={busy} onClick={() => void download()}>
                <Download />
            </Button>
            {may_run && (
                <Button variant="ghost" size="icon-sm" aria-label={text.delete_one(file.name)} onClick={onDelete}>
                    <Trash2 />
                </Button>
            )}
        </span>
    );
}

function Row({ file, onDelete }: { file: StoredFile; onDelete: () => void }) {
    const { language } = useLanguage();
    return (
        <tr>
            <td className="max-w-52 min-w-48 sm:max-w-96">
                <span className="flex items-center gap-3">
                    <Preview file={file} />
                    <span className="min-w-0">
                        <span className="block truncate font-medium" title={file.name}>
                            {file.name}
                        </span>
                        <span className="block truncate font-mono text-xs text-muted-foreground">{file.id}</span>
                    </span>
                </span>
            </td>
            <td className="text-right whitespace-nowrap tabular-nums">{formatBytes(file.size, language)}</td>
            <td className="max-w-48 truncate" title={file.content_type}>
                {file.content_type}
            </td>
            <td className="whitespace-nowrap">
                <Ago at={file.created_at} />
            </td>
            <td className="whitespace-nowrap">
                <Ago at={file.expires_at} />
            </td>
            <td className="w-0">
                <Actions file={file} onDelete={onDelete} />
            </td>
        </tr>
    );
}

function FilesTable({ files }: { files: StoredFile[] }) {
    const text = useMessages(fileMessages);
    const queries = useQueryClient();
    const [deleting, setDeleting] = useState<StoredFile | null>(null);
    const remove = async () => {
        await api<void>("DELETE", `/v1/files/${encodeURIComponent(deleting!.id)}`);
        toast(text.deleted);
        await queries.invalidateQueries({ queryKey: ["files"] });
    };
    return (
        <>
            <Table label={text.title}>
                <thead>
                    <tr>
                        <th>{text.name}</th>
                        <th className="text-right">{text.size}</th>
                        <th>{text.type}</th>
                        <th>{text.created}</th>
                        <th>{text.expires}</th>
                        <th>
                            <span className="sr-only">{text.action}</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {files.map((file) => (
                        <Row key={file.id} file={file} onDelete={() => setDeleting(file)} />
                    ))}
                </tbody>
            </Table>
            <ConfirmDialog open={deleting !== null} onOpenChange={(open) => !open && setDeleting(null)} title={text.delete_title} description={deleting ? text.delete_text(deleting.name) : ""} confirm={text.delete_one(deleting?.name ?? "")} onConfirm={remove} />
        </>
    );
}

export function FilesPage() {
    const text = useMessages(fileMessages);
    const common = useMessages(commonMessages);
    const errorText = useErrorText();
    const may_run = useMay("run");
    const [path, setPath] = useState("/v1/files");
    const list = useQuery({
        queryKey: ["files", path],
        queryFn: ({ signal }) => api<Page<StoredFile>>("GET", path, { signal }),
        refetchInterval: REFRESH_MS,
        placeholderData: keepPreviousData,
    });
    return (
        <>
            <PageHeader title={text.title}>{text.intro}</PageHeader>
            {may_run && <Upload />}
            {list.isError && (
                <Alert tone="destructive" className="mb-4" action={<Button variant="outline" size="sm" onClick={() => void list.refetch()}>{common.retry}</Button>}>
                    {errorText(list.error)}
                </Alert>
            )}
            {list.isPending && <Skeleton className="h-48" />}
            {list.data && list.data.results.length === 0 && (
                <EmptyState icon={<FolderOpen />} title={text.empty}>
                    {text.empty_help}
                </EmptyState>
            )}
            {list.data && list.data.results.length > 0 && <FilesTable files={list.data.results} />}
            {list.data && (list.data.next || list.data.previous || path !== "/v1/files") && (
                <nav aria-label={text.pages} className="mt-4 flex items-center justify-end gap-2">
                    {path !== "/v1/files" && (
                        <Button variant="ghost" size="sm" onClick={() => setPath("/v1/files")}>
                            {text.to_first}
                        </Button>
                    )}
                    <Button variant="outline" size="sm" disabled={!list.data.previous} onClick={() => setPath(pathOf(list.data.previous!))}>
                        <ChevronLeft />
                        {common.previous}
                    </Button>
                    <Button variant="outline" size="sm" disabled={!list.data.next} onClick={() => setPath(pathOf(list.data.next!))}>
                        {common.next}
                        <ChevronRight />
                    </Button>
                </nav>
            )}
        </>
    );
}
