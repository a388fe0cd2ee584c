/**
 * A device whose fsync takes longer than this machine's: a small library that both servers are started with.
 *
 *      server ── fsync, fdatasync ──► slow-sync.so ──► libc's own ── and waits until `SYNC_TAKES_US` are over
 *
 *  I1  A sync that takes longer by itself is not delayed any more.
 *  I2  It stands before libc in any program that is linked with it dynamically; whether it works is measured, not assumed.
 *  Source: ld.so(8), LD_PRELOAD; dlsym(3), RTLD_NEXT.
 */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const SOURCE = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int delayed(const char *name, int descriptor) {
  const char *text = getenv("SYNC_TAKES_US");
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  int result = ((int (*)(int))dlsym(RTLD_NEXT, name))(descriptor);
  if (text == 0) return result;
  end.tv_nsec += (atol(text) % 1000000) * 1000;
  end.tv_sec += atol(text) / 1000000 + end.tv_nsec / 1000000000;
  end.tv_nsec %= 1000000000;
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, 0) != 0) {
  }
  return result;
}

int fsync(int descriptor) { return delayed("fsync", descriptor); }
int fdatasync(int descriptor) { return delayed("fdatasync", descriptor); }
`;

/** Builds the library in `directory` and returns its path; undefined when there is no gcc that can. */
export function buildSlowSync(directory: string): string | undefined {
  const source = join(directory, "slow-sync.c");
  const library = join(directory, "slow-sync.so");
  writeFileSync(source, SOURCE);
  try {
    execFileSync("gcc", ["-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], { stdio: "ignore" });
    return library;
  } catch {
    return undefined;
  }
}

/** Variables for a server whose syncs are to take `syncMs`. */
export function slowSyncEnvironment(library: string, syncMs: number): Record<string, string> {
  return { LD_PRELOAD: library, SYNC_TAKES_US: `${syncMs * 1000}` };
}
