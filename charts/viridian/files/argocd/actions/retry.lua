-- Of the revisions of this version that failed or expired, the last one.
local last
for _, list in ipairs({ obj.status.failed or {}, obj.status.expired or {} }) do
  for _, entry in ipairs(list) do
    if entry.version == obj.spec.model.version and (last == nil or entry.at > last.at) then
      last = entry
    end
  end
end
local command = "retry/" .. last.revision

-- Argo CD has no random numbers. The resourceVersion is another one after each change, so a second click on what has not
-- changed gives the same command, which is obeyed once.
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["viridian.dev/command"] = command .. "/argocd-" .. obj.metadata.resourceVersion
obj.metadata.annotations["viridian.dev/command-by"] = "system:serviceaccount:argocd:argocd-server"
return obj
