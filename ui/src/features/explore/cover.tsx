// A model's cover: its own picture where this server has it (other hosts are never asked), else one drawn from its task and name.
import { useState, type ReactNode } from "react";
import type { Model } from "@/api/types";
import { canShow, localLink } from "@/features/picture/links";

export type Task = "cutout" | "upscale" | "face" | "generate" | "inpaint" | "colour" | "text";

const TASK_WORDS: [Task, RegExp][] = [
    ["cutout", /background/],
    ["inpaint", /inpaint|masked/],
    ["colour", /coloriz|colour|black and white/],
    ["upscale", /upscal|esrgan|super-resolution/],
    ["face", /face-restoration|face restoration|portrait/],
    ["generate", /text-to-image|flux|diffusion|generat/],
];

/** What a model does: its own words say it best, else the collections it is in. */
export function taskOf(slugs: string[], words: string): Task {
    for (const said of [words.toLowerCase(), slugs.join(" ")]) {
        const found = TASK_WORDS.find(([, pattern]) => pattern.test(said));
        if (found) return found[0];
    }
    return "text";
}

/** The same number for the same name, always (FNV-1a). */
export function seedOf(name: string): number {
    let hash = 0x811c9dc5;
    for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193) >>> 0;
    return hash;
}

/** A small sequence of numbers from 0 to 1 out of a seed. */
function numbers(seed: number): () => number {
    let state = seed || 1;
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 0x1_0000_0000;
    };
}

interface Palette {
    deep: string;
    middle: string;
    light: string;
    glow: string;
}

const HUES = [262, 285, 310, 340, 10, 165, 195, 225, 245]; // yellows and browns make muddy grounds

function paletteOf(seed: number): Palette {
    const hue = HUES[seed % HUES.length] ?? 262;
    const turn = seed % 2 ? 1 : -1;
    const at = (degrees: number) => (hue + turn * degrees + 360) % 360;
    return { deep: `oklch(0.4 0.1 ${hue})`, middle: `oklch(0.62 0.14 ${at(20)})`, light: `oklch(0.8 0.11 ${at(50)})`, glow: `oklch(0.92 0.07 ${at(95)})` };
}

const WIDTH = 320;
const HEIGHT = 180;

function Blobs({ next, palette, count }: { next: () => number; palette: Palette; count: number }) {
    const colours = [palette.middle, palette.light, palette.glow];
    return Array.from({ length: count }, (_each, index) => <circle key={index} cx={next() * WIDTH} cy={next() * HEIGHT} r={20 + next() * 60} fill={colours[index % 3]} opacity={0.35 + next() * 0.4} />);
}

/** Squares that get finer from left to right. */
function Pixels({ next, palette }: { next: () => number; palette: Palette }) {
    const squares: ReactNode[] = [];
    for (let x = 0, size = 45; x < WIDTH; x += size, size = x < 90 ? 45 : x < 200 ? 22.5 : 11.25)
        for (let y = 0; y < HEIGHT; y += size) {
            const wave = 0.5 + 0.5 * Math.sin(x / 60 + y / 35 + (next() - 0.5));
            squares.push(<rect key={`${x}-${y}`} x={x} y={y} width={size + 0.4} height={size + 0.4} fill={wave > 0.55 ? palette.light : palette.middle} opacity={wave} />);
        }
    return squares;
}

function Figure({ fill, opacity = 1 }: { fill: string; opacity?: number }) {
    return (
        <g fill={fill} opacity={opacity}>
            <circle cx="160" cy="72" r="34" />
            <path d="M88 180c4-44 34-66 72-66s68 22 72 66z" />
        </g>
    );
}

function Checker({ palette }: { palette: Palette }) {
    return Array.from({ length: 90 }, (_each, index) => ((index + Math.floor(index / 15)) % 2 ? <rect key={index} x={160 + (index % 15) * 12} y={Math.floor(index / 15) * 30} width="12" height="30" fill={palette.light} opacity="0.35" /> : null));
}

const DRAWINGS: Record<Task, (next: () => number, palette: Palette) => ReactNode> = {
    cutout: (next, palette) => (
        <>
            <Blobs next={next} palette={palette} count={4} />
            <rect x="160" width="160" height="180" fill={palette.deep} />
            <Checker palette={palette} />
            <Figure fill={palette.glow} />
        </>
    ),
    upscale: (next, palette) => <Pixels next={next} palette={palette} />,
    face: (next, palette) => (
        <>
            <Blobs next={next} palette={palette} count={3} />
            <Figure fill={palette.glow} opacity={0.9} />
            <path d="M112 38h-14v14M208 38h14v14M112 112h-14V98M208 112h14V98" fill="none" stroke={palette.glow} strokeWidth="4" strokeLinecap="round" />
        </>
    ),
    generate: (next, palette) => (
        <>
            <Blobs next={next} palette={palette} count={9} />
            <path d={`M0 ${120 + next() * 20}Q80 ${70 + next() * 40} 160 ${120 + next() * 20}T320 ${110 + next() * 20}V180H0z`} fill={palette.deep} opacity="0.75" />
            <path d={`M0 ${150 + next() * 10}Q90 ${110 + next() * 30} 180 ${150 + next() * 10}T320 ${140 + next() * 20}V180H0z`} fill={palette.deep} />
        </>
    ),
    inpaint: (next, palette) => (
        <>
            <Blobs next={next} palette={palette} count={6} />
            <ellipse cx={130 + next() * 60} cy={80 + next() * 20} rx="62" ry="46" fill={palette.deep} opacity="0.55" stroke={palette.glow} strokeWidth="3" strokeDasharray="9 7" />
        </>
    ),
    colour: (next, palette) => {
        const tilt = 10 + next() * 30;
        return Array.from({ length: 12 }, (_each, index) => <path key={index} d={`M${index * 32 - 40} 180L${index * 32 - 40 + tilt} 0h30l${-tilt} 180z`} fill={index < 6 ? `oklch(${0.35 + index * 0.08} 0 0)` : [palette.middle, palette.light, palette.glow][index % 3]} opacity="0.85" />);
    },
    text: (next, palette) => Array.from({ length: 7 }, (_each, index) => <rect key={index} x="40" y={28 + index * 19} width={90 + next() * 150} height="9" rx="4.5" fill={[palette.light, palette.glow, palette.middle][index % 3]} opacity="0.8" />),
};

function Drawn({ name, task }: { name: string; task: Task }) {
    const seed = seedOf(name);
    const palette = paletteOf(seed);
    return (
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="xMidYMid slice" aria-hidden className="size-full" fill="none">
            <rect width={WIDTH} height={HEIGHT} fill={palette.deep} />
            {DRAWINGS[task](numbers(seed), palette)}
        </svg>
    );
}

export function Cover({ model, task }: { model: Model; task: Task }) {
    const [failed, setFailed] = useState(false);
    const link = model.cover_image_url;
    if (link && !failed && canShow(link)) return <img src={localLink(link)} alt="" loading="lazy" decoding="async" className="size-full object-cover" onError={() => setFailed(true)} />;
    return <Drawn name={`${model.owner}/${model.name}`} task={task} />;
}
