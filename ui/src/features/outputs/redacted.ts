// What stands in a stored input for a secret.

export const REDACTED = "**********"; // the server keeps no more of it
