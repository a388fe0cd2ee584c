/** All commands of this folder: adding a family adds one line here. */

import { BITMAP_COMMANDS } from "./bitmap.ts";
import { BITMAP_FIELD_COMMANDS } from "./bitmap-field.ts";
import { BITMAP_OPERATION_COMMANDS } from "./bitmap-operation.ts";
import type { CommandTable } from "./command.ts";
import { DATABASE_COMMANDS } from "./database.ts";
import { WAIT_COMMANDS } from "./database-wait.ts";
import { EXPIRE_COMMANDS } from "./expire.ts";
import { GEO_COMMANDS } from "./geo.ts";
import { GEO_SEARCH_COMMANDS } from "./geo-search.ts";
import { HASH_COMMANDS } from "./hash.ts";
import { HASH_NUMBER_COMMANDS } from "./hash-number.ts";
import { HASH_WALK_COMMANDS } from "./hash-walk.ts";
import { HYPERLOGLOG_COMMANDS } from "./hyperloglog.ts";
import { HYPERLOGLOG_DEBUG_COMMANDS } from "./hyperloglog-debug.ts";
import { KEY_COMMANDS } from "./keys.ts";
import { DUMP_COMMANDS } from "./keys-dump.ts";
import { OBJECT_COMMANDS } from "./keys-object.ts";
import { KEY_SCAN_COMMANDS } from "./keys-scan.ts";
import { LIST_COMMANDS } from "./list.ts";
import { LIST_EDIT_COMMANDS } from "./list-edit.ts";
import { LIST_MOVE_COMMANDS } from "./list-move.ts";
import { SET_COMMANDS } from "./set.ts";
import { SET_OPERATION_COMMANDS } from "./set-operation.ts";
import { SET_RANDOM_COMMANDS } from "./set-random.ts";
import { SORT_COMMANDS } from "./sort.ts";
import { STREAM_COMMANDS } from "./stream.ts";
import { STREAM_GROUP_COMMANDS } from "./stream-group.ts";
import { STREAM_INFO_COMMANDS } from "./stream-info.ts";
import { STREAM_PENDING_COMMANDS } from "./stream-pending.ts";
import { STREAM_READ_COMMANDS } from "./stream-read.ts";
import { STRING_COMMANDS } from "./string.ts";
import { STRING_LCS_COMMANDS } from "./string-lcs.ts";
import { STRING_NUMBER_COMMANDS } from "./string-number.ts";
import { STRING_RANGE_COMMANDS } from "./string-range.ts";
import { ZSET_COMMANDS } from "./zset.ts";
import { ZSET_COMBINE_COMMANDS } from "./zset-combine.ts";
import { ZSET_POP_COMMANDS } from "./zset-pop.ts";
import { ZSET_RANGE_COMMANDS } from "./zset-range.ts";
import { ZSET_SCAN_COMMANDS } from "./zset-scan.ts";

/** The union of the families' tables. */
export function dataCommands(): CommandTable {
  return {
    ...STRING_COMMANDS,
    ...STRING_RANGE_COMMANDS,
    ...STRING_NUMBER_COMMANDS,
    ...STRING_LCS_COMMANDS,
    ...BITMAP_COMMANDS,
    ...BITMAP_OPERATION_COMMANDS,
    ...BITMAP_FIELD_COMMANDS,
    ...HASH_COMMANDS,
    ...HASH_NUMBER_COMMANDS,
    ...HASH_WALK_COMMANDS,
    ...HYPERLOGLOG_COMMANDS,
    ...HYPERLOGLOG_DEBUG_COMMANDS,
    ...LIST_COMMANDS,
    ...LIST_EDIT_COMMANDS,
    ...LIST_MOVE_COMMANDS,
    ...KEY_COMMANDS,
    ...KEY_SCAN_COMMANDS,
    ...OBJECT_COMMANDS,
    ...EXPIRE_COMMANDS,
    ...DUMP_COMMANDS,
    ...SET_COMMANDS,
    ...SET_RANDOM_COMMANDS,
    ...SET_OPERATION_COMMANDS,
    ...STREAM_COMMANDS,
    ...STREAM_READ_COMMANDS,
    ...STREAM_PENDING_COMMANDS,
    ...STREAM_GROUP_COMMANDS,
    ...STREAM_INFO_COMMANDS,
    ...SORT_COMMANDS,
    ...DATABASE_COMMANDS,
    ...WAIT_COMMANDS,
    ...ZSET_COMMANDS,
    ...ZSET_RANGE_COMMANDS,
    ...ZSET_POP_COMMANDS,
    ...ZSET_SCAN_COMMANDS,
    ...ZSET_COMBINE_COMMANDS,
    ...GEO_COMMANDS,
    ...GEO_SEARCH_COMMANDS,
  };
}
