// Search and categories.
import { expect, it } from "vitest";
import type { Model, Weights } from "@/api/types";
import { fullName, matches, ordered } from "@/features/explore/catalogue";

const model = (owner: string, name: string, description: string, run_count = 0) => ({ owner, name, description, run_count }) as Model;
const upscaler = model("acme", "sharp", "Makes pictures larger", 5);
const cutter = model("bria", "remove-background", "Cuts out", 50);
const painter = model("zoë", "chân-dung", "Portraits", 500);
const categories = [{ slug: "super-resolution", name: "Upscale images", description: "", models: ["acme/sharp"] }];
const names = (models: Model[]) => models.map(fullName);

it("finds by name, description and category, every word, without accents and case", () => {
    const all = [upscaler, cutter, painter];
    expect(names(matches(all, "UPSCALE", categories))).toEqual(["acme/sharp"]);
    expect(names(matches(all, "background cuts", categories))).toEqual(["bria/remove-background"]);
    expect(names(matches(all, "zoe/chan", categories))).toEqual(["zoë/chân-dung"]);
    expect(matches(all, "background sharp", categories)).toEqual([]);
    expect(matches(all, "  ", categories)).toEqual(all);
});

it("puts names before descriptions, and what can run before what cannot", () => {
    const named = model("a", "portraits", "");
    expect(names(matches([painter, named], "portraits", []))).toEqual(["a/portraits", "zoë/chân-dung"]);
    const weights = new Map<string, Weights>([
        ["acme/sharp", { state: "ready", fits: true } as Weights],
        ["bria/remove-background", { state: "needs_weights", fits: true } as Weights],
        ["zoë/chân-dung", { state: "ready", fits: false } as Weights],
    ]);
    expect(names(ordered([painter, cutter, upscaler], weights))).toEqual(["acme/sharp", "bria/remove-background", "zoë/chân-dung"]);
});

it("finds a category by its name in any of the page's languages", () => {
    expect(names(matches([upscaler, cutter], "увеличение", categories))).toEqual(["acme/sharp"]);
    expect(names(matches([upscaler, cutter], "phong to", categories))).toEqual(["acme/sharp"]);
});
