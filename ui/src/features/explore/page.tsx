// Not made yet.
export function ExplorePage() {
    return <p>ExplorePage</p>;
}
