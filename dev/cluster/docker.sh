#!/usr/bin/env bash
# Makes sure that a Docker Engine answers: uses the one that is there, else installs it from Debian's packages and,
# where no service manager starts it, starts it by hand. `docker.sh stop` stops an engine that was started by hand.
. "$(dirname "$0")/../lib.sh"

pid_file=$CACHE/docker/dockerd.pid
containerd_pid_file=/var/run/docker/containerd/containerd.pid
log=$CACHE/docker/dockerd.log
mkdir -p "$CACHE/docker"

# runs PID_FILE NAME: is that process there, by that name, and not just waiting to be buried?
runs() { [[ -s $1 ]] && grep -zqsP "^Name:\\t$2\\n(.*\\n)*State:\\t[^ZX]" "/proc/$(<"$1")/status"; }
ours() { runs "$pid_file" dockerd; }

stop() {
  ours || return 0
  local pid
  pid=$(<"$pid_file")
  as_root kill "$pid"
  timeout 60 tail --pid="$pid" -f /dev/null
}

# The engine of Debian 12 is too old for kind, the one of the next suite needs no newer libc. It comes from the mirror
# that this machine uses already, through a source list of its own, so that the machine's lists stay as they are.
install_from_newer_suite() {
  local mirror temporary
  mirror=$(debian_mirror "$DEBIAN_SUITE")
  [[ $mirror ]] || fail "Docker Engine $DOCKER_MINIMUM or newer is missing and apt lists no mirror for $DEBIAN_SUITE to get it from; install it."
  temporary=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder of now
  trap "as_root rm -rf '$temporary'" EXIT # of the subshell that a step runs in
  mkdir -p "$temporary/parts" "$temporary/lists/partial"
  cp -r /etc/apt/sources.list.d/. "$temporary/parts/"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $DOCKER_SUITE main" >"$temporary/parts/newer-suite.list"
  chmod -R a+rX "$temporary"
  local apt=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -y
    -o "Dir::Etc::SourceParts=$temporary/parts" -o "Dir::State::Lists=$temporary/lists"
    -o "APT::Default-Release=$DEBIAN_SUITE" -o APT::Sandbox::User=root)
  "${apt[@]}" update
  "${apt[@]}" install --no-install-recommends "${packages[@]/%//$DOCKER_SUITE}"
}

install() {
  local candidate
  # Not runc: the newer suite's wants a newer libc, and Debian 12's will do.
  packages=(docker.io containerd docker-buildx)
  candidate=$(apt-cache policy docker.io | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p')
  if at_least "$DOCKER_MINIMUM" "${candidate:-0}"; then
    apt_install docker.io docker-buildx
  else
    command -v docker >/dev/null || packages+=(docker-cli)
    install_from_newer_suite
  fi
}

start() {
  # What an engine that was killed leaves behind keeps the next one from starting.
  ours || rm -f "$pid_file"
  runs "$containerd_pid_file" containerd || as_root rm -f "$containerd_pid_file"
  # Its own session, so that it outlives this terminal; our group, so that the socket is ours too; without the lock
  # of up.sh, which it would hold for ever.
  as_root setsid nohup dockerd --pidfile "$pid_file" --group "$(id -gn)" >>"$log" 2>&1 </dev/null 8>&- &
  local waited
  for ((waited = 0; waited < 300; waited++)); do
    engine_answers && return
    sleep 0.2
  done
  tail -n 5 "$log"
  fail "dockerd did not answer within a minute; its log is $log"
}

if [[ ${1:-} == stop ]]; then
  if ours; then step "stop the Docker Engine that was started here" stop; fi
  exit
fi

engine_answers && exit
if [[ $(docker info 2>&1 || true) == *'permission denied'* ]]; then
  fail "there is a Docker Engine, but you may not use it; run \"sudo usermod -aG docker $(id -un)\" and log in again."
fi
need_root "install and start Docker Engine"
if ! command -v dockerd >/dev/null || ! at_least "$DOCKER_MINIMUM" "$(dockerd --version | sed 's/.*version \([0-9.]*\).*/\1/')"; then
  step "install Docker Engine from Debian's packages" with_apt install
  engine_answers && exit # a service manager has started it
fi
step "start Docker Engine" start
