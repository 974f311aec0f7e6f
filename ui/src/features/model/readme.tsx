// Markdown shown as React elements, never as HTML; links only to the web, pictures as links to them.
import { Fragment, type ReactNode } from "react";
import { Table } from "@/components/ui/bits";
import { safeLink } from "@/lib/safe-links";
import { plainText, readMarkdown, type Block, type Inline } from "@/lib/markdown";

function InlineView({ parts }: { parts: Inline[] }) {
    return parts.map((part, index) => <Fragment key={index}>{inline(part)}</Fragment>);
}

function inline(part: Inline): ReactNode {
    switch (part.kind) {
        case "text":
            return part.text;
        case "code":
            return <code className="rounded bg-muted px-1 py-0.5 font-mono text-[0.85em] break-words">{part.text}</code>;
        case "strong":
            return (
                <strong>
                    <InlineView parts={part.parts} />
                </strong>
            );
        case "emphasis":
            return (
                <em>
                    <InlineView parts={part.parts} />
                </em>
            );
        case "strike":
            return (
                <s>
                    <InlineView parts={part.parts} />
                </s>
            );
        case "break":
            return <br />;
        case "link": {
            const link = safeLink(part.link);
            if (!link) return <InlineView parts={part.parts} />;
            return (
                <a href={link} target="_blank" rel="noreferrer noopener" className="break-words text-primary underline underline-offset-4">
                    <InlineView parts={part.parts} />
                </a>
            );
        }
    }
}

const HEADINGS = { 2: "mt-8 text-xl font-semibold first:mt-0", 3: "mt-6 text-lg font-semibold", 4: "mt-4 font-semibold" };

/** Headings begin at level 2: the page has its own first one. Levels are never skipped downwards. */
function Heading({ level, parts }: { level: number; parts: Inline[] }) {
    const shown = Math.min(4, level) as 2 | 3 | 4;
    const Tag = `h${shown}` as const;
    return (
        <Tag className={HEADINGS[shown]}>
            <InlineView parts={parts} />
        </Tag>
    );
}

function blockView(block: Block): ReactNode {
    switch (block.kind) {
        case "heading":
            return <Heading level={block.level} parts={block.parts} />;
        case "paragraph":
            return (
                <p className="leading-relaxed break-words">
                    <InlineView parts={block.parts} />
                </p>
            );
        case "code":
            return (
                <pre tabIndex={0} className="overflow-x-auto rounded-md border bg-muted p-3 font-mono text-xs leading-relaxed">
                    {block.text}
                </pre>
            );
        case "quote":
            return (
                <blockquote className="space-y-3 border-l-4 pl-4 text-muted-foreground">
                    <Blocks blocks={block.blocks} />
                </blockquote>
            );
        case "rule":
            return <hr />;
        case "list":
            return <ListView block={block} />;
        case "table":
            return <TableView block={block} />;
    }
}

function ListView({ block }: { block: Extract<Block, { kind: "list" }> }) {
    const items = block.items.map((item, index) => (
        <li key={index} className="space-y-2 pl-1 leading-relaxed break-words">
            {item.map((each, position) => (each.kind === "paragraph" ? <span key={position} className="block"><InlineView parts={each.parts} /></span> : <Fragment key={position}>{blockView(each)}</Fragment>))}
        </li>
    ));
    if (!block.ordered) return <ul className="list-disc space-y-1 pl-6">{items}</ul>;
    return (
        <ol start={block.start} className="list-decimal space-y-1 pl-6">
            {items}
        </ol>
    );
}

function TableView({ block }: { block: Extract<Block, { kind: "table" }> }) {
    return (
        <Table label={block.head.map(plainText).join(", ")}>
            <thead>
                <tr>
                    {block.head.map((cell, index) => (
                        <th key={index} scope="col">
                            <InlineView parts={cell} />
                        </th>
                    ))}
                </tr>
            </thead>
            <tbody>
                {block.rows.map((row, index) => (
                    <tr key={index}>
                        {row.map((cell, column) => (
                            <td key={column}>
                                <InlineView parts={cell} />
                            </td>
                        ))}
                    </tr>
                ))}
            </tbody>
        </Table>
    );
}

function Blocks({ blocks }: { blocks: Block[] }) {
    return blocks.map((block, index) => <Fragment key={index}>{blockView(block)}</Fragment>);
}

/** Headings brought into an order without gaps, from 2 on. */
function withLevels(blocks: Block[]): Block[] {
    let last = 1;
    return blocks.map((block) => {
        if (block.kind !== "heading") return block;
        last = Math.min(last + 1, Math.max(2, Math.min(4, block.level + 1)));
        return { ...block, level: last };
    });
}

export function Readme({ text }: { text: string }) {
    return (
        <article className="max-w-3xl space-y-4 text-sm">
            <Blocks blocks={withLevels(readMarkdown(text))} />
        </article>
    );
}
