/** What the session counts. */

/** Counters that INFO shows and CONFIG RESETSTAT clears. */
export class SessionStatistics {
  commands = 0;
  connections = 0;
  rejectedConnections = 0;
  inputBytes = 0;
  outputBytes = 0;
  readEvents = 0;
  writeEvents = 0;
  errorReplies = 0;
  unexpectedErrorReplies = 0;
  queryBufferLimitDisconnections = 0;
  outputBufferLimitDisconnections = 0;
  evictedClients = 0;
  longestTurnUs = 0;
  /** Microseconds of all turns. */
  turnsUs = 0;
  /** What access control refused: logins, commands, keys, channels. */
  deniedLogins = 0;
  deniedCommands = 0;
  deniedKeys = 0;
  deniedChannels = 0;
  /** Error replies by their code. */
  readonly errors = new Map<string, number>();

  /** An error reply with that code was written. */
  countError(code: string): void {
    this.errorReplies++;
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }
}
