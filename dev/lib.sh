# shellcheck shell=bash
# What every script starts with: `. "$(dirname "$0")/../lib.sh"` in the folders beside this file.
# Results go to stdout, progress to stderr, so that a script's result can be captured.
set -euo pipefail
shopt -s inherit_errexit

# shellcheck source=settings.sh
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

LOGS=$CACHE/logs
mkdir -p "$CACHE/bin" "$LOGS" 2>/dev/null || { echo "viridian: cannot write to $CACHE; set VIRIDIAN_CACHE to a folder you own." >&2; exit 1; }

say() { printf '%s\n' "$*" >&2; }
fail() { say "viridian: $*"; exit 1; }

# step TEXT COMMAND…: runs the command with its output in a log, and prints the text and the time it took.
# When the command fails, the end of the log is shown and the script stops.
# Never call it in a condition: there, bash would ignore failures inside the command.
step() {
  local step_text=$1 step_log step_started step_status elapsed
  shift
  step_log=$LOGS/$(printf '%s' "$step_text" | tr -cs 'A-Za-z0-9.' '-').log
  step_started=${EPOCHREALTIME/[.,]/}
  printf '  %-62s' "$step_text" >&2
  set +e
  (
    set -e
    "$@"
  ) >"$step_log" 2>&1 </dev/null
  step_status=$?
  set -e
  if ((step_status)); then
    say failed
    tail -n 15 "$step_log" >&2
    fail "\"$step_text\" failed; the whole output is in $step_log"
  fi
  elapsed=$(((${EPOCHREALTIME/[.,]/} - step_started) / 100000))
  printf '%4d.%d s\n' $((elapsed / 10)) $((elapsed % 10)) >&2
}

# hash_of PATH… : twelve hex digits that name the content of files and folders, wherever they lie.
hash_of() {
  local path
  for path in "$@"; do
    if [[ -d $path ]]; then
      (cd "$path" && find -L . -name __pycache__ -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum)
    else
      sha256sum <"$path"
    fi
  done | sha256sum | cut -c1-12
}

# as_root COMMAND…: as it is when we are root, else through sudo. need_root says beforehand when neither will do.
as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi; }
need_root() { [[ $(id -u) == 0 ]] || command -v sudo >/dev/null || fail "to $1, this has to run as root or with sudo."; }

# at_least WANTED VERSION: is VERSION the same or newer?
at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

# debian_mirror SUITE: the mirror that this machine's own lists name for the suite; empty when they name none.
# `apt-get indextargets` prints the lists parsed, in whichever of the two formats they are written.
debian_mirror() {
  # shellcheck disable=SC2016  # apt's own placeholders
  apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Identifier: Packages' 2>/dev/null |
    awk -v suite="$1" '$1 == suite && !found { print $2; found = 1 }'
}

# need COMMAND[=PACKAGE]… : installs the Debian packages of those commands that are missing, in one go.
need() {
  local item missing=()
  for item in "$@"; do
    command -v "${item%=*}" >/dev/null || missing+=("${item#*=}")
  done
  if ((${#missing[@]})); then install_packages "${missing[@]}"; fi
}

install_packages() {
  command -v apt-get >/dev/null || fail "this needs $*; install that, there is no apt-get here to do it."
  need_root "install $*"
  step "apt-get install $*" with_apt apt_install "$@"
}

# with_apt COMMAND…: runs what calls apt-get while no other script here does, since apt-get does not wait for another one.
with_apt() {
  (
    exec 9>"$CACHE/apt.lock"
    flock 9
    "$@" 9>&- # a service that a package starts outlives this, and would keep the lock
  )
}

apt_install() {
  # The lists may be missing or old: one update, only when the first try does not get through.
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
  as_root "${install[@]}" || { as_root apt-get update && as_root "${install[@]}"; }
}

engine_answers() { docker info >/dev/null 2>&1; }
cluster_is_healthy() { kubectl --request-timeout=3s wait --for=condition=Ready nodes --all --timeout=2s >/dev/null 2>&1; }
# The containers that are the cluster's nodes, the first node first.
cluster_nodes() { docker ps --all --filter "label=io.x-k8s.kind.cluster=$CLUSTER_NAME" --format '{{.Names}}' | sort; }

# listens HOST PORT: does something there take connections?
listens() { timeout 3 bash -c ": <>/dev/tcp/$1/$2" 2>/dev/null; }
# Where tests reach the gateway: on the node itself where this machine reaches it, as on Linux. The engine's forwarder
# needs six files a connection, and ends for good when it has none left, which many slow answers at once can bring about.
gateway_url() {
  local node
  node=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$NODE")
  if listens "$node" 6443; then
    echo "http://$node:$GATEWAY_NODE_PORT"
  else
    echo "http://127.0.0.1:$GATEWAY_PORT"
  fi
}
