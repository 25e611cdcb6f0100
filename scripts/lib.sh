# shellcheck shell=bash
# Shared by the set-up scripts: messages, quiet steps with progress, root, and the container engine's API.
# Sourced, never run. Messages go to stderr, so that stdout stays free for what a caller captures.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/slipway
logs=$cache/logs
mkdir -p "$logs"
# Taken once: with-engine hides what steers the set-up from what it runs, scripts of the set-up among it.
may_install=${SLIPWAY_SETUP_INSTALL:-${may_install:-1}}
export root cache logs may_install

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

# Ends a process that `step` started: it may belong to root.
step_kill() { kill "$1" 2>/dev/null || as_root kill "$1" 2>/dev/null || true; }

# How far a quiet step is, from its log. A step with a better measure sets `progress_of` to a function of its own.
progress_last_line() { tail -n 1 "$1" 2>/dev/null | tr -dc '[:print:]' | cut -c 1-70; }

# step LABEL COMMAND..: runs a long quiet command. Its output goes to a log; here one line says how far it is
# (rewritten every second on a terminal, repeated every ten seconds elsewhere).
step() {
    local label=$1 log pid began=$SECONDS code=0 shown=0 elapsed
    shift
    log=$logs/$(tr -cs 'A-Za-z0-9' '-' <<<"$label" | tr '[:upper:]' '[:lower:]' | sed 's/^-*//; s/-*$//').log
    say "==> $label"
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    # A background job of a script ignores Ctrl-C, so it is passed on by hand.
    trap 'step_kill "$pid"; exit 130' INT
    trap 'step_kill "$pid"; exit 143' TERM
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        elapsed=$((SECONDS - began))
        if [ -t 2 ]; then
            [ "$elapsed" -eq "$shown" ] && continue
            printf '\r\033[K    %4d s  %s' "$elapsed" "$(${progress_of:-progress_last_line} "$log")" >&2
        else
            [ "$elapsed" -lt $((shown + 10)) ] && continue
            printf '    %4d s  %s\n' "$elapsed" "$(${progress_of:-progress_last_line} "$log")" >&2
        fi
        shown=$elapsed
    done
    [ -t 2 ] && printf '\r\033[K' >&2
    wait "$pid" || code=$?
    trap - INT TERM
    if [ "$code" -ne 0 ]; then
        say "    failed with status $code after $((SECONDS - began)) s; the whole log: $log; its last lines:"
        tail -n 20 "$log" | sed 's/^/    | /' >&2
        return "$code"
    fi
    say "    done in $((SECONDS - began)) s"
}

# Whether this user can become root without being asked for a password (a terminal may ask).
have_root() {
    [ "$(id -u)" -eq 0 ] && return 0
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null && return 0
    [ -t 0 ] && [ -t 2 ] && [ -z "${CI:-}" ] && say "root is needed for the next step; sudo may ask for your password" &&
        sudo -v
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n -- "$@"; fi
}

may_install() { [ "$may_install" != 0 ]; }

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

progress_apt() {
    local percent
    percent=$(grep -aoE '^(pm|dl)status:[^:]*:[0-9.]+' "$1" | tail -n 1 | sed -E 's/^(..)status:[^:]*:([0-9]+).*/\1 \2 %/')
    printf '%s' "${percent:-reading package lists}" | sed 's/^dl/downloading/; s/^pm/installing/'
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -o APT::Status-Fd=1 \
        -o DPkg::Lock::Timeout=120 "$@"
}

# install_packages WHY PACKAGE..: installs those of the packages that are missing, and says which.
install_packages() {
    local why=$1 package missing=()
    shift
    for package in "$@"; do installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} -eq 0 ] && return 0
    command -v apt-get >/dev/null ||
        die "$why needs the packages ${missing[*]}, and this is no Debian or Ubuntu: install them by hand"
    may_install || die "$why needs the packages ${missing[*]}, and SLIPWAY_SETUP_INSTALL=0 forbids installing them"
    have_root || die "$why needs the packages ${missing[*]}: run 'apt-get install ${missing[*]}' as root"
    # One update serves all steps of a set-up, which are processes of their own.
    if [ -z "$(find "$cache/apt-updated" -mmin -60 2>/dev/null)" ] ||
        ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
        progress_of=progress_apt step "apt-get update" apt_get update
        : >"$cache/apt-updated"
    fi
    progress_of=progress_apt step "apt-get install ${missing[*]}  (for $why)" \
        apt_get install -y --no-install-recommends "${missing[@]}"
}

# A Python of the base image's minor version if the host has one (pickles only travel between equal ones), else any
# that has venv.
host_python() {
    local candidate
    for candidate in /usr/bin/python3.11 python3.11 /usr/bin/python3 python3; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

# make_bridge PREFIX LOW HIGH: makes the bridge PREFIX-N for an engine's containers and prints its name. Its network is
# 10.N.7.0/24, the first from LOW to HIGH that the host has no use for: two bridges with one network would lose every
# packet that comes back. N is part of the name since Docker gives a bridge that it knows the network of the last time.
make_bridge() {
    local prefix=$1 low=$2 high=$3 number claim name used
    for number in $(seq "$low" "$high"); do
        # Under this name it can be made once at a time, whoever else looks for a network.
        claim=slwnet-$number name=$prefix-$number
        as_root ip link add "$claim" type bridge 2>/dev/null || continue
        # Read whole: `ip` writes line by line, and ends with SIGPIPE when a grep behind it has seen enough.
        used=$(ip -4 route && ip -4 -o addr) || used=" 10.$number."
        if [[ ! $used =~ (^|[[:space:]])10\.$number\. ]] && as_root ip addr add "10.$number.7.1/24" dev "$claim" &&
            as_root ip link set "$claim" name "$name" && as_root ip link set "$name" up; then
            printf '%s\n' "$name"
            return 0
        fi
        as_root ip link delete "$claim" 2>/dev/null || as_root ip link delete "$name" 2>/dev/null || true
    done
    say "no private network between 10.$low.0.0 and 10.$high.0.0 could be had for the containers of $prefix"
    return 1
}

# engine_url: the address of an engine that answers, from DOCKER_HOST, the system's socket, or our own; else fails.
engine_url() {
    local url
    if [ -n "${DOCKER_HOST:-}" ]; then
        engine_answers "$DOCKER_HOST" && printf '%s\n' "$DOCKER_HOST" && return 0
        return 1
    fi
    for url in unix:///var/run/docker.sock "unix://$(engine_folder)/docker.sock"; do
        engine_answers "$url" && printf '%s\n' "$url" && return 0
    done
    return 1
}

engine_folder() { printf '%s\n' "${SLIPWAY_SETUP_ENGINE_DIR:-$cache/engine}"; }

engine_answers() { [ "$(engine_curl "$1" /_ping -m 3 2>/dev/null)" = OK ]; }

# engine_curl URL PATH CURL-OPTION..: one call of the Docker Engine API; no docker client is needed.
engine_curl() {
    local url=$1 path=$2
    shift 2
    case $url in
    unix://*) curl -sS --noproxy '*' --unix-socket "${url#unix://}" "$@" "http://engine$path" ;;
    tcp://*) curl -sS --noproxy '*' "$@" "http://${url#tcp://}$path" ;;
    *) say "DOCKER_HOST=$url: only unix:// and tcp:// (without TLS) are understood by the set-up" && return 1 ;;
    esac
}
