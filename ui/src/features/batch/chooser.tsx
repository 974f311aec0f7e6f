// Giving many files at once: dropped, chosen, or a whole folder.
import { FilePlus, FolderPlus, Images } from "lucide-react";
import { useRef, useState, type DragEvent } from "react";
import { Button } from "@/components/ui/button";
import { useMessages } from "@/i18n";
import { cn } from "@/lib/cn";
import { batchMessages } from "@/features/batch/messages";
import { droppedFiles } from "@/features/batch/dropped";
import { MOST_FILES } from "@/features/batch/queue";

export function Chooser({ accept, onFiles }: { accept: string | undefined; onFiles: (files: File[]) => void }) {
    const text = useMessages(batchMessages);
    const files = useRef<HTMLInputElement>(null);
    const folder = useRef<HTMLInputElement>(null);
    const [over, setOver] = useState(false);
    const onDrop = (event: DragEvent) => {
        event.preventDefault();
        setOver(false);
        void droppedFiles(event.dataTransfer, MOST_FILES).then(onFiles);
    };
    const give = (input: HTMLInputElement) => {
        onFiles([...(input.files ?? [])]);
        input.value = ""; // the same file may be chosen again
    };
    return (
        <div
            onDragOver={(event) => {
                event.preventDefault();
                setOver(true);
            }}
            onDragLeave={() => setOver(false)}
            onDrop={onDrop}
            className={cn("flex flex-col items-center gap-3 rounded-lg border-2 border-dashed border-input/60 px-4 py-8 text-center", over && "border-primary bg-accent")}
        >
            <Images aria-hidden className="size-8 text-muted-foreground" />
            <div>
                <p className="font-medium">{text.drop}</p>
                <p className="text-sm text-muted-foreground">{text.drop_help(MOST_FILES)}</p>
            </div>
            <div className="flex flex-wrap justify-center gap-2">
                <Button variant="outline" onClick={() => files.current?.click()}>
                    <FilePlus />
                    {text.choose_files}
                </Button>
                <Button variant="outline" onClick={() => folder.current?.click()}>
                    <FolderPlus />
                    {text.choose_folder}
                </Button>
            </div>
            <input ref={files} type="file" multiple accept={accept} className="hidden" tabIndex={-1} aria-label={text.choose_files} onChange={(event) => give(event.target)} />
            <input
                ref={(element) => {
                    folder.current = element;
                    element?.setAttribute("webkitdirectory", "");
                }}
                type="file"
                multiple
                className="hidden"
                tabIndex={-1}
                aria-label={text.choose_folder}
                onChange={(event) => give(event.target)}
            />
        </div>
    );
}
