/**
 * What of the sandbox is written in Lua: protected calls and coroutines that a long script can give way through.
 *
 *      script ─ pcall ─► coroutine ─ coroutine.resume ─► coroutine ─ loop ... count hook: give way
 *        ◄──── giveWay ─────── giveWay ◄───────────────────────┘      each level passes it on, then resumes
 *
 *  I1  Lua 5.1 cannot leave a C function that called back, and its own pcall is one: here a protected call is a coroutine.
 *  I2  state[1] is true while a level is being left to give way, state[2] once the script is to end whatever it catches,
 *      state[3] counts the levels.
 *  Source: Lua 5.1 reference manual (pcall, xpcall, coroutine); errors that are tables as redis-server 7.0 hands them on.
 */

/** So deep protected calls and coroutines may nest; each level takes some of JavaScript's stack. */
export const LEVELS_MAX = 160;

/** The chunk's name: its lines are not where a script's errors are said to be. */
export const SANDBOX_CHUNK = "=sandbox";

/** A chunk that gets what it needs as arguments and returns pcall, xpcall, coroutine.resume and coroutine.wrap. */
export const SANDBOX_SOURCE = `
local state, giveWay, enter, rawpcall, rawxpcall, rawcreate, rawresume, status, yield, error, type = ...
local select = select
local MAX = ${LEVELS_MAX}

local function plain(failure, ...)
  if type(failure) == "table" and failure.err ~= nil then return failure.err end
  return failure, ...
end

local function outcome(ok, ...)
  if ok then return true, ... end
  if state[2] then error((...), 0) end
  return false, plain(...)
end

local finish
function finish(co, ok, ...)
  if state[1] then
    giveWay()
    return finish(co, rawresume(co))
  end
  if ok and status(co) == "suspended" then return finish(co, rawresume(co, yield(...))) end
  state[3] = state[3] - 1
  return ok, ...
end

local function pcall(...)
  if select("#", ...) == 0 then return false, "bad argument #1 to 'pcall' (value expected)" end
  local co = enter(...)
  if not co then return outcome(rawpcall(...)) end
  if state[3] >= MAX then return false, "C stack overflow" end
  state[3] = state[3] + 1
  return outcome(finish(co, rawresume(co, select(2, ...))))
end

local function handled(handler, ok, ...)
  if ok then return true, ... end
  if state[2] then error((...), 0) end
  local isHandled, answer = rawpcall(handler, (...))
  if isHandled then return false, answer end
  return false, "error in error handling"
end

local function xpcall(...)
  local handler = select(2, ...)
  local co = enter(...)
  if not co then return rawxpcall(...) end
  if state[3] >= MAX then return false, "C stack overflow" end
  state[3] = state[3] + 1
  return handled(handler, finish(co, rawresume(co)))
end

local passed
function passed(co, ok, ...)
  if state[1] then
    giveWay()
    return passed(co, rawresume(co))
  end
  state[3] = state[3] - 1
  if not ok and state[2] then error((...), 0) end
  return ok, ...
end

local function resume(co, ...)
  if type(co) ~= "thread" then return rawresume(co) end
  if state[3] >= MAX then return false, "C stack overflow" end
  state[3] = state[3] + 1
  return passed(co, rawresume(co, ...))
end

local function unwrapped(ok, ...)
  if ok then return ... end
  error((...), 3)
end

local function wrap(f)
  local co = rawcreate(f)
  return function(...)
    return unwrapped(resume(co, ...))
  end
end

return pcall, xpcall, resume, wrap
`;
