// A link that downloads: by the keyboard and the mouse with a look at whether it has expired, by the browser's menu as any link.
import type { ComponentProps, MouseEvent } from "react";
import { toast } from "@/components/ui/toast";
import { useMessages } from "@/i18n";
import { pictureMessages } from "@/features/picture/messages";
import { saveLink } from "@/features/picture/save";

export function SaveLink({ href, name, renew, ...rest }: { href: string; name: string; renew?: () => Promise<string | null> } & Omit<ComponentProps<"a">, "href" | "download" | "onClick">) {
    const text = useMessages(pictureMessages);
    const save = (event: MouseEvent) => {
        event.preventDefault();
        saveLink(href, name, renew).catch(() => toast(text.gone, "destructive"));
    };
    return <a href={href} download={name} onClick={save} {...rest} />;
}
