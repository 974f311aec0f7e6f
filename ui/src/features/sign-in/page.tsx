// Not made yet.
export function SignInPage() {
    return <p>SignInPage</p>;
}
