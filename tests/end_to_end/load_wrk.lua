-- What wrk saw, as one line of JSON behind its own report: complete answers by
-- status, and connections that ended otherwise.
local threads = {}

function setup(thread)
   threads[#threads + 1] = thread
end

function init()
   good = 0
   other = 0
end

function response(status)
   if status == 200 then
      good = good + 1
   else
      other = other + 1
   end
end

function done(summary)
   local seen = {good = 0, other = 0}
   for _, thread in ipairs(threads) do
      for name, count in pairs(seen) do
         seen[name] = count + thread:get(name)
      end
   end
   local errors = summary.errors
   io.write(string.format(
      '{"200": %d, "other": %d, "broken": %d, "late": %d}\n', seen.good,
      seen.other, errors.connect + errors.read + errors.write,
      errors.timeout))
end
