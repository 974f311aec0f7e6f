// Not made yet.
export function PredictionsPage() {
    return <p>PredictionsPage</p>;
}
