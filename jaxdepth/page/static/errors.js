/** An error whose message is in plain words for the user. */
export class PlainError extends Error {}
