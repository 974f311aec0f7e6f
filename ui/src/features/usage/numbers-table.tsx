// The numbers of usage as a table: one row a day, model or token.
import type { ReactNode } from "react";
import type { UsageNumbers } from "@/api/types";
import { Table } from "@/components/ui/bits";
import { useLanguage, useMessages } from "@/i18n";
import { formatMoney, formatSeconds } from "@/lib/format";
import { usageMessages } from "@/features/usage/messages";

export interface NumbersRow extends UsageNumbers {
    key: string;
    name: ReactNode;
}

export function NumbersTable({ label, head, rows }: { label: string; head: string; rows: NumbersRow[] }) {
    const text = useMessages(usageMessages);
    const { language } = useLanguage();
    const columns: [string, (row: UsageNumbers) => string][] = [
        [text.runs, (row) => row.runs.toLocaleString(language)],
        [text.succeeded, (row) => row.succeeded.toLocaleString(language)],
        [text.failed, (row) => row.failed.toLocaleString(language)],
        [text.seconds, (row) => formatSeconds(row.predict_time, language)],
        [text.images, (row) => row.images.toLocaleString(language)],
        [text.cost, (row) => formatMoney(row.cost, language)],
    ];
    return (
        <Table label={label}>
            <thead>
                <tr>
                    <th scope="col">{head}</th>
                    {columns.map(([name]) => (
                        <th key={name} scope="col" className="text-right">
                            {name}
                        </th>
                    ))}
                </tr>
            </thead>
            <tbody>
                {rows.map((row) => (
                    <tr key={row.key}>
                        <th scope="row">
                            {row.name}
                        </th>
                        {columns.map(([name, format]) => (
                            <td key={name} className="text-right whitespace-nowrap tabular-nums">
                                {format(row)}
                            </td>
                        ))}
                    </tr>
                ))}
            </tbody>
        </Table>
    );
}
