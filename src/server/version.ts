/** Who we are, and as which Redis we present ourselves. */

export const EVERKEY_VERSION = "0.1.0";
/** The version whose behaviour we follow; clients and tools decide by it what they may use. */
export const REDIS_VERSION = "7.2.4";
