// Not made yet.
export function ModelPage() {
    return <p>ModelPage</p>;
}
