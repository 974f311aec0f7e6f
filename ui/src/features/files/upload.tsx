// Uploading files for later use: dropped or chosen, a few at a time.
import { useQueryClient } from "@tanstack/react-query";
import { FileUp } from "lucide-react";
import { useRef, useState, type DragEvent } from "react";
import { uploadFile } from "@/api/queries";
import { Spinner } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { useLanguage, useMessages } from "@/i18n";
import { useErrorText } from "@/components/error-text";
import { cn } from "@/lib/cn";
import { formatBytes } from "@/lib/format";
import { fileMessages } from "@/features/files/messages";
import { FILE_BYTES_MAX } from "@/features/picture/links";
import { forMany } from "@/lib/many";
import { withPatience } from "@/features/run/prepare";

const AT_ONCE = 2;

function useUploads() {
    const text = useMessages(fileMessages);
    const { language } = useLanguage();
    const queries = useQueryClient();
    const errorText = useErrorText();
    const [left, setLeft] = useState(0);
    const upload = async (given: File[]) => {
        const most = formatBytes(FILE_BYTES_MAX, language);
        for (const file of given) if (file.size > FILE_BYTES_MAX) toast(text.too_large(file.name, most), "destructive");
        const files = given.filter((file) => file.size <= FILE_BYTES_MAX);
        setLeft((before) => before + files.length);
        const result = await forMany(files, AT_ONCE, async (file) => {
            try {
                await withPatience(() => uploadFile(file, file.name));
            } catch (error) {
                toast(text.upload_failed(file.name, errorText(error as Error)), "destructive");
                throw error;
            } finally {
                setLeft((before) => before - 1);
            }
        });
        if (result.done > result.failed) toast(text.uploaded(result.done - result.failed));
        await queries.invalidateQueries({ queryKey: ["files"] });
    };
    return { left, upload };
}

export function Upload() {
    const text = useMessages(fileMessages);
    const { language } = useLanguage();
    const { left, upload } = useUploads();
    const input = useRef<HTMLInputElement>(null);
    const [over, setOver] = useState(false);
    const onDrop = (event: DragEvent) => {
        event.preventDefault();
        setOver(false);
        void upload([...event.dataTransfer.files]);
    };
    return (
        <div
            onDragOver={(event) => {
                event.preventDefault();
                setOver(true);
            }}
            onDragLeave={() => setOver(false)}
            onDrop={onDrop}
            className={cn("mb-5 flex flex-wrap items-center justify-between gap-4 rounded-lg border-2 border-dashed border-input/60 px-5 py-5", over && "border-primary bg-accent")}
        >
            <div className="min-w-0">
                <p className="font-medium">{text.drop}</p>
                <p className="text-sm text-muted-foreground">{text.drop_help(formatBytes(FILE_BYTES_MAX, language))}</p>
            </div>
            <div className="flex flex-wrap items-center gap-3">
                <Button variant="outline" onClick={() => input.current?.click()}>
                    <FileUp />
                    {text.choose}
                </Button>
                <span role="status" className="flex items-center gap-2 text-sm">
                    {left > 0 && (
                        <>
                            <Spinner />
                            {text.uploading(left)}
                        </>
                    )}
                </span>
            </div>
            <input
                ref={input}
                type="file"
                multiple
                className="hidden"
                tabIndex={-1}
                aria-label={text.choose}
                onChange={(event) => {
                    void upload([...(event.target.files ?? [])]);
                    event.target.value = "";
                }}
            />
        </div>
    );
}
