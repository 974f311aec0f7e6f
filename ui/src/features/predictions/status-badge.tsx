// A prediction's status: a word with an icon and a colour.
import { Ban, Check, Clock, X } from "lucide-react";
import type { PredictionStatus } from "@/api/types";
import { Badge, Spinner } from "@/components/ui/bits";
import { useMessages } from "@/i18n";
import { commonMessages } from "@/i18n/common";

export function StatusBadge({ status }: { status: PredictionStatus }) {
    const text = useMessages(commonMessages);
    switch (status) {
        case "succeeded":
            return <Badge tone="success"><Check aria-hidden />{text.status_succeeded}</Badge>;
        case "failed":
            return <Badge tone="destructive"><X aria-hidden />{text.status_failed}</Badge>;
        case "processing":
            return <Badge tone="primary"><Spinner />{text.status_processing}</Badge>;
        case "starting":
            return <Badge tone="warning"><Clock aria-hidden />{text.status_starting}</Badge>;
        default:
            return <Badge tone="outline"><Ban aria-hidden />{status === "aborted" ? text.status_aborted : text.status_canceled}</Badge>;
    }
}
