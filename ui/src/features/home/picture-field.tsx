// The picture of a tab: the large field, what is offered with it (sample, reducing a big one, mask), and what is wrong with it.
import { WandSparkles } from "lucide-react";
import { lazy, Suspense, useEffect, useId, useState } from "react";
import { Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Checkbox } from "@/components/ui/controls";
import { Label } from "@/components/ui/input";
import { useMessages } from "@/i18n";
import { FileInput } from "@/features/picture/file-input";
import { pictureMessages } from "@/features/picture/messages";
import { pictureSize, REDUCED_SIDE } from "@/features/picture/reduce";
import { homeMessages } from "@/features/home/messages";
import { samplePicture } from "@/features/home/sample";
import type { Tab } from "@/features/home/tabs";

const MaskPainter = lazy(() => import("@/features/picture/mask-painter").then((module) => ({ default: module.MaskPainter })));

export type Given = File | string | null;

/** Its size, when it is a file of this machine and larger than what the models make good use of. */
function useBigSize(value: Given): { width: number; height: number } | null {
    const [size, setSize] = useState<{ of: Given; width: number; height: number } | null>(null);
    useEffect(() => {
        if (!(value instanceof File)) return;
        let wanted = true;
        void pictureSize(value).then((found) => wanted && found && setSize({ of: value, ...found }));
        return () => void (wanted = false);
    }, [value]);
    return size && size.of === value && Math.max(size.width, size.height) > REDUCED_SIDE ? size : null;
}

interface PictureFieldProps {
    tab: Tab;
    id: string;
    value: Given;
    onChange: (value: Given) => void;
    error?: string;
    disabled: boolean;
    reduce: boolean;
    onReduce: (reduce: boolean) => void;
}

export function PictureField({ tab, id, value, onChange, error, disabled, reduce, onReduce }: PictureFieldProps) {
    const text = useMessages(homeMessages);
    const words = useMessages(pictureMessages);
    const big = useBigSize(value);
    const error_id = useId();
    const reduce_id = useId();
    return (
        <div className="space-y-3" data-field={id}>
            <FileInput
                id={id}
                label={text.picture}
                accept="image/*"
                value={value}
                onChange={onChange}
                compact={Boolean(tab.mask && value)} // it is seen large under the mask
                disabled={disabled}
                invalid={Boolean(error)}
                describedBy={error ? error_id : undefined}
                invitation={
                    <Button variant="link" size="sm" disabled={disabled} onClick={() => void samplePicture(tab.name).then(onChange)}>
                        <WandSparkles />
                        {text.sample}
                    </Button>
                }
            />
            {error && (
                <p id={error_id} className="text-sm font-medium text-destructive">
                    {error}
                </p>
            )}
            {big && (
                <div className="flex items-start gap-2.5">
                    <Checkbox id={reduce_id} checked={reduce} disabled={disabled} onCheckedChange={(checked) => onReduce(checked === true)} />
                    <Label htmlFor={reduce_id} className="leading-snug font-normal">
                        {text.reduce(words.size_of(big.width, big.height))}
                    </Label>
                </div>
            )}
        </div>
    );
}

/** Painted over the picture; until there is one it says nothing. */
export function MaskField({ picture, value, onChange, error }: { picture: Given; value: File | null; onChange: (mask: File | null) => void; error?: string }) {
    if (!picture) return null;
    return (
        <div className="space-y-2" data-field="mask">
            <Suspense fallback={<Skeleton className="h-72" />}>
                <MaskPainter picture={picture} value={value} onChange={(mask) => onChange(mask as File | null)} />
            </Suspense>
            {error && (
                <p role="alert" className="text-sm font-medium text-destructive">
                    {error}
                </p>
            )}
        </div>
    );
}
