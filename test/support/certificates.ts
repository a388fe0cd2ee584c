/**
 * Certificates for tests, made on the spot: an authority and what it signs, in PEM.
 *
 *      Authority "test ca" ──► issue("server") ──► { certificate, key }      ECDSA on P-256, SHA-256
 *
 *      Certificate ::= SEQUENCE { TBSCertificate, ecdsa-with-SHA256, BIT STRING signature }
 *
 *  I1  Nothing is kept between two authorities: those of the same name do not vouch for each other.
 *  Source: RFC 5280, section 4.1; ASN.1 DER.
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const SEQUENCE = 0x30;
const SET = 0x31;
const DAY_MS = 86_400_000;

/** Object identifiers in their DER contents. */
const OID = {
  commonName: "550403",
  ecdsaWithSha256: "2a8648ce3d040302",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
} as const;

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const contents = Buffer.concat(parts);
  const length =
    contents.length < 128
      ? [contents.length]
      : contents.length < 256
        ? [0x81, contents.length]
        : [0x82, contents.length >> 8, contents.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), contents]);
}

const oid = (name: keyof typeof OID): Buffer => der(0x06, Buffer.from(OID[name], "hex"));
const integer = (bytes: Uint8Array): Buffer => der(0x02, bytes);
const bits = (bytes: Uint8Array): Buffer => der(0x03, Buffer.from([0]), bytes);
const algorithm = (): Buffer => der(SEQUENCE, oid("ecdsaWithSha256"));

function commonName(name: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, oid("commonName"), der(0x0c, Buffer.from(name)))));
}

/** GeneralizedTime, YYYYMMDDHHMMSSZ. */
function time(ms: number): Buffer {
  return der(0x18, Buffer.from(new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "")));
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g)!;
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** A certificate with its private key, in PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

export interface IssueOptions {
  /** Days from now; negative for what is past. */
  readonly fromDays?: number;
  readonly untilDays?: number;
  /** Encrypts the key. */
  readonly password?: string;
}

export class Authority {
  readonly certificate: string;
  private readonly name: string;
  private readonly key: KeyObject;

  constructor(name: string) {
    this.name = name;
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.key = pair.privateKey;
    // CA: TRUE, so that it may sign others.
    const extension = der(SEQUENCE, oid("basicConstraints"), der(0x04, der(SEQUENCE, der(0x01, Buffer.from([255])))));
    this.certificate = this.signed(name, pair.publicKey, extension, -1, 1);
  }

  /** A certificate for `name` on this machine: localhost, 127.0.0.1, ::1. */
  issue(name: string, { fromDays = -1, untilDays = 1, password }: IssueOptions = {}): Identity {
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const names = der(
      SEQUENCE,
      der(0x82, Buffer.from("localhost")),
      der(0x87, Buffer.from([127, 0, 0, 1])),
      der(0x87, Buffer.from([...new Array<number>(15).fill(0), 1])),
    );
    const extension = der(SEQUENCE, oid("subjectAltName"), der(0x04, names));
    const encryption = password === undefined ? {} : { cipher: "aes-256-cbc", passphrase: password };
    return {
      certificate: this.signed(name, pair.publicKey, extension, fromDays, untilDays),
      key: String(pair.privateKey.export({ type: "pkcs8", format: "pem", ...encryption })),
    };
  }

  private signed(name: string, key: KeyObject, extension: Buffer, fromDays: number, untilDays: number): string {
    const nowMs = Date.now();
    const serial = randomBytes(12);
    serial[0] = (serial[0]! & 0x7f) | 1;
    const body = der(
      SEQUENCE,
      der(0xa0, integer(Buffer.from([2]))),
      integer(serial),
      algorithm(),
      commonName(this.name),
      der(SEQUENCE, time(nowMs + fromDays * DAY_MS), time(nowMs + untilDays * DAY_MS)),
      commonName(name),
      key.export({ type: "spki", format: "der" }),
      der(0xa3, der(SEQUENCE, extension)),
    );
    return pem("CERTIFICATE", der(SEQUENCE, body, algorithm(), bits(sign("sha256", body, this.key))));
  }
}

/** Writes `identity` to `folder` as NAME.crt and NAME.key. */
export function saveIdentity(folder: string, name: string, identity: Identity): void {
  writeFileSync(join(folder, `${name}.crt`), identity.certificate);
  writeFileSync(join(folder, `${name}.key`), identity.key);
}

/**
 * What most tests need, in `folder`: ca.crt with server, client, next (another certificate for the server) and expired;
 * other.crt, another authority, with stranger; garbage.crt.
 */
export function saveCertificates(folder: string): void {
  const authority = new Authority("test ca");
  const other = new Authority("other ca");
  writeFileSync(join(folder, "ca.crt"), authority.certificate);
  writeFileSync(join(folder, "other.crt"), other.certificate);
  writeFileSync(join(folder, "garbage.crt"), "garbage\n");
  saveIdentity(folder, "server", authority.issue("server"));
  saveIdentity(folder, "next", authority.issue("next"));
  saveIdentity(folder, "client", authority.issue("client"));
  saveIdentity(folder, "expired", authority.issue("expired", { fromDays: -3, untilDays: -2 }));
  saveIdentity(folder, "stranger", other.issue("stranger"));
  saveIdentity(folder, "locked", authority.issue("locked", { password: "open sesame" }));
}
