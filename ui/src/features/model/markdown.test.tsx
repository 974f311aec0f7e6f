// READMEs: what is understood, and that nothing in one can become markup, a script or a slow page.
import { cleanup, render } from "@testing-library/react";
import { afterEach, describe, expect, it } from "vitest";
import { Readme } from "@/features/model/readme";

afterEach(cleanup);
const shown = (text: string) => render(<Readme text={text} />).container;

describe("README", () => {
    it("shows headings without gaps, below the page's own", () => {
        const page = shown("# One\n\n#### Deep\n\nTwo\n---\n");
        expect([...page.querySelectorAll("h2, h3, h4")].map((each) => each.tagName + each.textContent)).toEqual(["H2One", "H3Deep", "H3Two"]);
    });

    it("shows lists in lists, code, emphasis, quotes and tables", () => {
        const page = shown("- a *b* **c**\n  - inner `x < y`\n- second\n\n3. three\n4. four\n\n> said\n> so\n\n```python\nprint('<b>')\n```\n\n| a | b |\n|---|:-:|\n| 1 | 2 \\| 3 |\n");
        expect(page.querySelector("li li code")?.textContent).toBe("x < y");
        expect(page.querySelector("em")?.textContent).toBe("b");
        expect(page.querySelector("strong")?.textContent).toBe("c");
        expect(page.querySelectorAll("article > ul > li")).toHaveLength(2);
        expect(page.querySelector("ol")?.getAttribute("start")).toBe("3");
        expect(page.querySelector("blockquote")?.textContent).toBe("said so");
        expect(page.querySelector("pre")?.textContent).toBe("print('<b>')");
        expect([...page.querySelectorAll("td")].map((each) => each.textContent)).toEqual(["1", "2 | 3"]);
    });

    it("leaves names_with_underscores and lone stars alone", () => {
        expect(shown("num_inference_steps and 2 * 3 * 4 and \\*this\\*").textContent).toBe("num_inference_steps and 2 * 3 * 4 and *this*");
    });

    it("follows only links to the web, in a new tab, without telling where from", () => {
        const page = shown("[a](https://example.com/x_(y)) [b](javascript:alert(1)) [c](data:text/html,x) ![d](https://example.com/d.png) <https://example.com/e> https://example.com/f.");
        const links = [...page.querySelectorAll("a")];
        expect(links.map((link) => link.href)).toEqual(["https://example.com/x_(y)", "https://example.com/d.png", "https://example.com/e", "https://example.com/f"]);
        for (const link of links) expect([link.rel, link.target]).toEqual(["noreferrer noopener", "_blank"]);
        expect(page.querySelector("img")).toBeNull();
        expect(page.textContent).toContain("b");
    });

    it("shows HTML as the text it is", () => {
        const page = shown('<script>alert(1)</script>\n\n<img src=x onerror="alert(1)">\n\n<!-- hidden -->end');
        expect(page.querySelector("script, img")).toBeNull();
        expect(page.textContent).toContain("<script>alert(1)</script>");
        expect(page.textContent).not.toContain("hidden");
    });

    it("is quick with what is made to be slow", () => {
        const began = performance.now();
        for (const bad of ["*", "[", "_a", "`", "**a ", "![", "<h", "> ", "- ", "|-", "(", "~~x"]) shown(bad.repeat(60_000));
        shown(`${"> ".repeat(5000)}x`);
        shown(Array.from({ length: 3000 }, (_each, index) => `${" ".repeat(index % 40)}- x`).join("\n"));
        expect(performance.now() - began).toBeLessThan(5000);
    });
});
