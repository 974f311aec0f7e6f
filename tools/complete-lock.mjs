#!/usr/bin/env node
// complete-lock LOCK: adds to a package-lock.json the packages for other systems and processors that a registry without them has left out.
// `npm ci` wants them listed, though it never installs them. Run it after `npm install` has changed ui/package-lock.json.
import { readFileSync, writeFileSync } from "node:fs";

const path = process.argv[2];
const lock = JSON.parse(readFileSync(path, "utf8"));
const SYSTEMS = /android|darwin|freebsd|netbsd|openbsd|openharmony|linux|win32|fsevents/;
const PROCESSORS = /arm64|x64|ia32|arm|loong64|ppc64|riscv64|s390x|wasm32/;

function entryFor(name, range, dev) {
    const system = SYSTEMS.exec(name)?.[0].replace("fsevents", "darwin") ?? "none";
    const processor = PROCESSORS.exec(name)?.[0];
    return { version: range.replace(/^[~^]/, ""), ...(processor ? { cpu: [processor] } : {}), ...(dev ? { dev } : {}), optional: true, os: [system] };
}

for (const entry of Object.values(lock.packages))
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) lock.packages[`node_modules/${name}`] ??= entryFor(name, range, entry.dev);
for (const entry of Object.values(lock.packages)) delete entry.resolved;
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
