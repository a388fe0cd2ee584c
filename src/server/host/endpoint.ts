/** How an end of a connection is written: 127.0.0.1:6379, [::1]:6379, ?:0 when the system does not tell. */
export function endpoint(address: string | undefined, port: number | undefined): string {
  if (address === undefined) return "?:0";
  return address.includes(":") && !address.startsWith("::ffff:")
    ? `[${address}]:${port}`
    : `${address.replace("::ffff:", "")}:${port}`;
}
