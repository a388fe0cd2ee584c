/**
 * Access control: all users, who is which of them, what is refused and written down.
 *
 *      AUTH user password ──► users ──► client.user ──► check(client, command) ──► allowed, or a text and a line in the log
 *                               ▲
 *      ACL SETUSER, ACL file, user lines of the configuration, requirepass
 *
 *  I1  There is always a user "default", and it is always the same object: every connection begins as it.
 *  I2  A client's user is in `users`; whose user goes is closed.
 *  I3  A user's rights change under its clients at once; those who listen to channels that it lost are closed.
 *  Source: behaviour of redis-server 7.0; texts of refusals, and that ACL LOAD keeps the clients of users that stay, are 7.2's.
 */

import type { Clock, Disk } from "../../core/host.ts";
import type { Request } from "../../protocol/request.ts";
import type { Client } from "../client.ts";
import type { Command, CommandIndex } from "../command-index.ts";
import type { SessionStatistics } from "../statistics.ts";
import { parseUsers, readUsersFile, writeUsersFile } from "./file.ts";
import { AclLog, type DenialContext } from "./log.ts";
import { mergeSelectors } from "./rules.ts";
import { ALLOWED, DENIED_CHANNEL, DENIED_COMMAND, DENIED_KEY } from "./selector.ts";
import { User } from "./user.ts";

export const DEFAULT_USER = "default";

export interface AclHost {
  readonly clock: Clock;
  readonly clients: { all(): Iterable<Client> };
  readonly commands: CommandIndex;
  statistics(): SessionStatistics;
  /** The client in execution: closed after its reply, not at once. */
  currentClient(): Client | undefined;
  kill(client: Client): void;
  /** As CLIENT LIST shows it. */
  describe(client: Client): string;
  /** Whether new connections have to authenticate may have changed. */
  onDefaultChanged(): void;
  /** Some random hexadecimal digits. */
  randomMark(): string;
}

export class AccessControl {
  readonly log: AclLog;
  readonly defaultUser: User;
  /** acl-pubsub-default is allchannels. */
  opensChannels: boolean;
  private readonly host: AclHost;
  private readonly users: Map<string, User>;
  /** The ACL file, undefined when there is none. */
  private file: { readonly disk: Disk; readonly path: string } | undefined;

  constructor(host: AclHost) {
    this.host = host;
    this.log = new AclLog();
    this.opensChannels = false;
    this.file = undefined;
    this.defaultUser = this.make(DEFAULT_USER);
    for (const rule of ["+@all", "~*", "&*", "on", "nopass"]) this.defaultUser.apply(rule);
    this.users = new Map([[DEFAULT_USER, this.defaultUser]]);
  }

  private make(name: string): User {
    return new User(name, this.host.commands, () => this.opensChannels);
  }

  // ---- who is there ------------------------------------------------------------------------------------------------

  find(name: string): User | undefined {
    return this.users.get(name);
  }

  /** In the order of their names' bytes. */
  all(): User[] {
    return [...this.users.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** A new connection has to authenticate. */
  requiresAuthentication(): boolean {
    return !this.defaultUser.needsNoPassword || !this.defaultUser.isOn;
  }

  /** The user with that name and password, if there is one and it is on. */
  authenticate(name: string, password: Uint8Array): User | undefined {
    const user = this.users.get(name);
    return user?.accepts(password) === true ? user : undefined;
  }

  /** `requirepass`: latin1 text, "" for none. */
  setDefaultPassword(text: string): void {
    this.defaultUser.apply("resetpass");
    this.defaultUser.apply(text === "" ? "nopass" : `>${text}`);
    this.host.onDefaultChanged();
  }

  /** Makes or changes a user by all of `words` or not at all. Returns the error's text. */
  setUser(name: string, words: readonly string[]): string | undefined {
    if (/[\s\0]/.test(name)) return "Usernames can't contain spaces or null characters";
    const merged = mergeSelectors(words);
    if ("unmatched" in merged) return `Unmatched parenthesis in acl selector starting at '${merged.unmatched}'.`;
    const known = this.users.get(name);
    const changed = this.make(name);
    if (known !== undefined) changed.become(known);
    for (const rule of merged.rules) {
      const complaint = changed.apply(rule);
      if (complaint !== undefined) return `Error in ACL SETUSER modifier '${rule}': ${complaint}`;
    }
    if (known === undefined) {
      this.users.set(name, changed);
      return undefined;
    }
    this.closeListeners(known, changed);
    known.become(changed);
    if (known === this.defaultUser) this.host.onDefaultChanged();
    return undefined;
  }

  /** False when there was none. Never the default user. */
  deleteUser(name: string): boolean {
    const user = this.users.get(name);
    if (user === undefined) return false;
    this.users.delete(name);
    for (const client of this.host.clients.all()) if (client.user === user) this.close(client);
    return true;
  }

  private close(client: Client): void {
    client.user = this.defaultUser;
    client.isAuthenticated = false;
    if (client === this.host.currentClient()) client.isClosing = true;
    else this.host.kill(client);
  }

  /** Closes the clients of `user` that listen to what `changed` does not allow, unless it allows all that `user` does. */
  private closeListeners(user: User, changed: User): void {
    if (keepsChannels(user, changed)) return;
    for (const client of this.host.clients.all()) {
      if (client.user === user && listensToMore(client, changed)) this.close(client);
    }
  }

  // ---- files -------------------------------------------------------------------------------------------------------

  /** The commands that rules can name. */
  get commands(): CommandIndex {
    return this.host.commands;
  }

  get hasFile(): boolean {
    return this.file !== undefined;
  }

  useFile(disk: Disk, path: string): void {
    this.file = { disk, path };
  }

  /** Takes the users from the file in place of those that there are. Returns the report; throws DiskFault. */
  load(): string | undefined {
    const { disk, path } = this.file!;
    const parsed = parseUsers(readUsersFile(disk, path), path, (name) => this.make(name));
    if ("complaint" in parsed) return parsed.complaint;
    const { users } = parsed;
    for (const name of this.users.keys()) {
      if (!users.has(name) && name !== DEFAULT_USER) this.deleteUser(name);
    }
    if (!users.has(DEFAULT_USER)) users.set(DEFAULT_USER, new AccessControl(this.host).defaultUser);
    for (const [name, user] of users) {
      const known = this.users.get(name);
      if (known === undefined) {
        this.users.set(name, user);
        continue;
      }
      this.closeListeners(known, user);
      known.become(user);
    }
    this.host.onDefaultChanged();
    return undefined;
  }

  /** Returns what went wrong. */
  save(): string | undefined {
    const { disk, path } = this.file!;
    return writeUsersFile(disk, path, this.lines(), this.host.randomMark());
  }

  /** A line for each user. */
  lines(): string[] {
    return this.all().map((user) => user.describe());
  }

  /** A `user` line of the configuration file, without the word "user". Returns what is wrong with it. */
  readLine(words: readonly string[], seen: Set<string>): string | undefined {
    const name = words[0]!;
    if (seen.has(name)) return "Duplicate user found. A user can only be defined once in config files";
    seen.add(name);
    const merged = mergeSelectors(words.slice(1));
    if ("unmatched" in merged) return "Unmatched parenthesis in selector definition.";
    const user = this.make(name);
    for (const rule of merged.rules) {
      const complaint = user.apply(rule);
      if (complaint !== undefined) return complaint;
    }
    const known = this.users.get(name);
    if (known === undefined) {
      this.users.set(name, user);
      return undefined;
    }
    // The default user is not made anew, but changed.
    for (const rule of merged.rules) known.apply(rule);
    this.host.onDefaultChanged();
    return undefined;
  }

  // ---- refusals ----------------------------------------------------------------------------------------------------

  /**
   * Whether the client may run `command` with the request's words: undefined, or why not, as a text without code. The
   * refusal is counted and written down. hot path for users with limits; ask `client.user.isUnlimited` before
   */
  refusal(client: Client, command: Command, request: Request, context: DenialContext): string | undefined {
    const denial = client.user.check(command, request, 0);
    if (denial === ALLOWED) return undefined;
    this.record(client, command, request, context, denial);
    return denialText(client.user, command, request, 0, denial);
  }

  /** As `refusal`, with the words that EXEC uses when rights have been taken since the command was queued. */
  lateRefusal(client: Client, command: Command, request: Request): string | undefined {
    const denial = client.user.check(command, request, 0);
    if (denial === ALLOWED) return undefined;
    this.record(client, command, request, "multi", denial);
    const reason =
      denial === DENIED_COMMAND
        ? "no permission to execute the command or subcommand"
        : denial === DENIED_KEY
          ? "no permission to touch the specified keys"
          : "no permission to access one of the channels used as arguments";
    return `ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: ${reason}`;
  }

  /** As `refusal`, for a command that a script of the client calls: the whole error text, code first. */
  scriptRefusal(client: Client, command: Command, request: Request): string | undefined {
    if (client.user.isUnlimited) return undefined;
    const text = this.refusal(client, command, request, "lua");
    return text === undefined ? undefined : `ERR ACL failure in script: ${text}`;
  }

  /** Whether the client might run `command`; nothing is written down: redis.acl_check_cmd. */
  mayRun(client: Client, command: Command, request: Request): boolean {
    return client.user.isUnlimited || client.user.check(command, request, 0) === ALLOWED;
  }

  private record(client: Client, command: Command, request: Request, context: DenialContext, denial: number): void {
    const statistics = this.host.statistics();
    // What is refused counts as the client's last command, too; EXEC stays the last one while it runs others.
    if (client.transaction?.isExecuting !== true) client.lastCommand = command.fullName;
    let object = command.fullName;
    let reason: "command" | "key" | "channel" = "command";
    if (denial === DENIED_COMMAND) {
      statistics.deniedCommands++;
    } else {
      object = request.text(client.user.deniedArgument);
      if (denial === DENIED_KEY) {
        reason = "key";
        statistics.deniedKeys++;
      } else {
        reason = "channel";
        statistics.deniedChannels++;
      }
    }
    this.note(reason, client, context, object, client.user.name);
  }

  /** AUTH or HELLO (`object`: the word that the client used) with a name and password that do not fit. */
  recordFailure(client: Client, object: string, userName: string): void {
    this.host.statistics().deniedLogins++;
    client.lastCommand = object.toLowerCase();
    this.note("auth", client, client.transaction === undefined ? "toplevel" : "multi", object, userName);
  }

  private note(
    reason: "command" | "key" | "channel" | "auth",
    client: Client,
    context: DenialContext,
    object: string,
    userName: string,
  ): void {
    this.log.add(reason, context, object, userName, this.host.describe(client), this.host.clock.nowMs());
  }
}

/** What a refused client reads behind NOPERM, or with `names` what ACL DRYRUN tells. The words begin at argument `start`. */
export function denialText(
  user: User,
  command: Command,
  request: Request,
  start: number,
  denial: number,
  names = false,
): string {
  if (denial === DENIED_COMMAND) {
    return `User ${user.name} has no permissions to run the '${command.fullName}' command`;
  }
  const kind = denial === DENIED_CHANNEL ? "channel" : "key";
  if (!names) return `No permissions to access a ${kind}`;
  return `User ${user.name} has no permissions to access the '${request.text(start + user.deniedArgument)}' ${kind}`;
}

/** Whether each channel that `user` may use is one of `changed`, rule by rule. */
function keepsChannels(user: User, changed: User): boolean {
  if (changed.selectors.some(({ allChannels }) => allChannels)) return true;
  if (user.selectors.some(({ allChannels }) => allChannels)) return false;
  const kept = new Set(changed.selectors.flatMap(({ channels }) => channels.map(({ text }) => text)));
  return user.selectors.every(({ channels }) => channels.every(({ text }) => kept.has(text)));
}

function listensToMore(client: Client, user: User): boolean {
  const { subscriptions } = client;
  if (subscriptions === undefined) return false;
  for (const { name } of subscriptions.patterns) if (!user.allowsChannel(name, true)) return true;
  for (const { name } of subscriptions.channels) if (!user.allowsChannel(name, false)) return true;
  for (const { name } of subscriptions.shardChannels) if (!user.allowsChannel(name, false)) return true;
  return false;
}
