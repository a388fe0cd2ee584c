/**
 * Who may come in: until there are access lists, one user, "default", with or without a password.
 *
 *  I1  How long a refusal takes depends on what was given, not on where it differs from the password.
 */

/** What AUTH and HELLO ask; access lists will answer it for many users. */
export interface Users {
  /** Whether a new connection has to authenticate. */
  requiresAuthentication(): boolean;
  exists(user: string): boolean;
  authenticate(user: string, password: Uint8Array): boolean;
}

export class DefaultUser implements Users {
  private password: Uint8Array;

  constructor() {
    this.password = new Uint8Array(0);
  }

  /** `requirepass`: latin1 text, "" for none. */
  setPassword(text: string): void {
    this.password = Uint8Array.from(text, (character) => character.charCodeAt(0));
  }

  requiresAuthentication(): boolean {
    return this.password.length > 0;
  }

  exists(user: string): boolean {
    return user === "default";
  }

  authenticate(user: string, password: Uint8Array): boolean {
    if (user !== "default") return false;
    return this.password.length === 0 || isEqualInConstantTime(password, this.password);
  }
}

/** `secret` is not empty. */
function isEqualInConstantTime(given: Uint8Array, secret: Uint8Array): boolean {
  let difference = given.length ^ secret.length;
  for (let index = 0; index < given.length; index++) difference |= given[index]! ^ secret[index % secret.length]!;
  return difference === 0;
}
