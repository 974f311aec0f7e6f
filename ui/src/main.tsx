// The page begins: theme, session, then the routes.
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { makeQueryClient } from "@/api/client";
import { askOtherTabs } from "@/api/session";
import { TooltipProvider } from "@/components/ui/menu";
import { LanguageProvider } from "@/i18n";
import { applyTheme } from "@/lib/theme";
import { makeRouter } from "@/router";
import "@/styles.css";

applyTheme();
await askOtherTabs();
const queries = makeQueryClient();
const router = makeRouter();

createRoot(document.getElementById("root")!).render(
    <StrictMode>
        <LanguageProvider>
            <QueryClientProvider client={queries}>
                <TooltipProvider delayDuration={300}>
                    <RouterProvider router={router} />
                </TooltipProvider>
            </QueryClientProvider>
        </LanguageProvider>
    </StrictMode>,
);
