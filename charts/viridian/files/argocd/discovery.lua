-- The commands that the operator would obey now. It decides again when it sees one, by what it observes then.
-- Argo CD gives actions no library but table: no string, no math.
local status = obj.status or {}
local candidate, stable = status.candidate, status.stable
local rolling = candidate ~= nil and status.ending == nil
local paused = rolling and status.paused == candidate.revision

local approvable = rolling and status.hold ~= nil and status.hold.reason == "AwaitingApproval"
  and obj.spec.rollout ~= nil and obj.spec.rollout.approval ~= nil and obj.spec.rollout.approval ~= "None"
local promotable = rolling and stable ~= nil and status.returning == nil and status.phase ~= "Finishing"
  and (status.promotion == nil or status.promotion.revision ~= candidate.revision)
-- A first revision has nothing to go back to.
local abortable = rolling and stable ~= nil and status.aborting ~= candidate.revision

-- What RollbackReady says when an earlier revision is stored; whatever begins with it lies between it and it .. "~".
local returnable = false
local settled = status.phase == "Stable" or status.phase == "RolledBack" or status.phase == "Expired"
if stable ~= nil and candidate == nil and settled then
  local offer = stable.revision .. " (" .. stable.version
    .. ") is stored and can be run again; the command rollback would bring back "
  for _, condition in ipairs(status.conditions or {}) do
    local said = condition.message
    returnable = returnable or condition.type == "RollbackReady" and said >= offer and said < offer .. "~"
  end
end

local blocked = false
for _, list in ipairs({ status.failed or {}, status.expired or {} }) do
  for _, entry in ipairs(list) do
    blocked = blocked or entry.version == obj.spec.model.version
  end
end

local function action(name, enabled, icon)
  return { displayName = name, disabled = not enabled, iconClass = "fa fa-fw " .. icon }
end

return {
  approve = action("Approve", approvable, "fa-check"),
  promote = action("Promote", promotable, "fa-forward"),
  pause = action("Pause", rolling and not paused, "fa-pause"),
  resume = action("Resume", paused, "fa-play"),
  abort = action("Abort", abortable, "fa-ban"),
  retry = action("Retry", blocked and not rolling, "fa-redo"),
  rollback = action("Roll back stable", returnable, "fa-undo"),
}
