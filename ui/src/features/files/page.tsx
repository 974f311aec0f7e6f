// Not made yet.
export function FilesPage() {
    return <p>FilesPage</p>;
}
