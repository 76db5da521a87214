# Installs the Debian packages that a step needs, and only those. Sourced by ./dev.
#
#   bootstrap build   compiler, tools and libraries of the program
#   bootstrap test    test libraries and the foreign programs the tests talk to
#   bootstrap lint    clang-format and clang-tidy
#   bootstrap bench   the programs that benchmarks are compared with
#   bootstrap calls   gRPC, which `bench --calls` compares with
#   bootstrap reach   what the bad networks of `reach` are made of
#   bootstrap peers   what building the foreign programs of `interop --all` needs
#
# Returns in well under a second when nothing is missing: it only asks dpkg. Everything else
# (apt, sudo, network) happens after a line that names the packages.
# ngtcp2 is younger than Debian 12: it comes from that release's backports, whose address is derived
# from the apt sources the machine already has.

packages_of() {
    case $1 in
    build) echo clang-19 lld-19 mold ccache cmake ninja-build pkg-config git ca-certificates \
        libfmt-dev libspdlog-dev libcli11-dev libtomlplusplus-dev \
        libsodium-dev libsqlite3-dev nettle-dev libgnutls28-dev libqrencode-dev libre2-dev \
        libssl-dev libnghttp2-dev libwslay-dev zlib1g-dev libbrotli-dev ;;
    test) echo libclang-rt-19-dev llvm-19 libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev \
        python3 openssl curl openssh-client openssh-server squid microsocks haproxy nghttp2-client \
        dropbear-bin putty-tools wrk ;;
    lint) echo clang-format-19 clang-tidy-19 libclang-rt-19-dev python3 ;;
    peers) echo python3-venv chromium firefox-esr libnss3-tools openssh-tests ;;
    reach) echo iproute2 ;;
    bench) echo iproute2 openssl curl python3 ;;
    calls) echo libgrpc++-dev ;;
    esac
}

# Packages that must be at least kNgtcp2Version, or that Debian 12 itself has under an older name.
backports_of() {
    case $1 in
    build) echo libngtcp2-dev libngtcp2-crypto-gnutls-dev libnghttp3-dev libboost1.83-dev ;;
    test) echo ngtcp2-client ngtcp2-server ;;
    esac
}
kNgtcp2Version=1.11

# Of the given packages, those that are not installed (or are older than $1, unless it is empty).
missing_packages() {
    local least=$1 package status version
    shift
    (($#)) || return 0
    local -A have=()
    while IFS='|' read -r package status version; do
        if [[ $status == installed ]]; then have[$package]=$version; fi
    done < <(dpkg-query -W -f '${Package}|${db:Status-Status}|${Version}\n' "$@" 2>/dev/null || true)
    for package in "$@"; do
        if [[ -z ${have[$package]:-} ]]; then
            echo "$package"
        elif [[ -n $least ]] && dpkg --compare-versions "${have[$package]}" lt "$least"; then
            echo "$package"
        fi
    done
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "need root (or sudo) to run: $*"
    fi
}

apt_install() {
    # RUNLEVEL=1: a server that comes with a package (squid) is not started.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -qq -y --no-install-recommends \
        -o Dpkg::Use-Pty=0 \
        -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" </dev/null
}

apt_update() {
    say "refreshing the package lists"
    as_root apt-get update -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 </dev/null
}

# "suite uri" of each binary index that apt knows.
apt_indexes() {
    apt-get indextargets --format '$(CODENAME) $(REPO_URI) $(COMPONENT)' 'Created-By: Packages' \
        | awk '$3 == "main" { print $1, $2 }'
}

# The Signed-By value that goes with an archive, from the sources file that names it. May be empty:
# then apt's own trusted keys apply.
signed_by() {
    local uri=${1%/} file
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ -r $file ]] || continue
        awk -v uri="$uri" '
            function flush() { if (found && key != "") { print key; done = 1; exit } found = 0; key = "" }
            /^[[:space:]]*$/ { flush(); next }
            tolower($1) == "uris:" { for (i = 2; i <= NF; i++) { u = $i; sub(/\/$/, "", u); if (u == uri) found = 1 } }
            tolower($1) == "signed-by:" { key = $2 }
            END { if (!done) flush() }' "$file"
    done | head -n 1
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true; } \
        | awk -v uri="$uri" '/^deb / && index($0, uri) && match($0, /signed-by=[^] ]+/) {
            print substr($0, RSTART + 10, RLENGTH - 10); exit }'
}

candidate_is() {
    local version
    version=$(apt-cache policy "$1" | awk '$1 == "Candidate:" { print $2 }')
    [[ -n $version && $version != '(none)' ]] && dpkg --compare-versions "$version" ge "$2"
}

# Makes a version >= kNgtcp2Version of package $1 installable; echoes the apt options to use.
provide_backports() {
    local codename uri key
    candidate_is "$1" "$kNgtcp2Version" && return 0
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    if ! apt_indexes | grep -q "^$codename-backports "; then
        uri=$(apt_indexes | awk -v suite="$codename" '$1 == suite { print $2; exit }')
        [[ -n $codename && -n $uri ]] || die "ngtcp2 $kNgtcp2Version or newer is needed, and this machine's apt" \
            "sources name no Debian archive for '${codename:-unknown release}' whose backports could be added." \
            "Add an apt source that has libngtcp2-dev >= $kNgtcp2Version, then run this again."
        key=$(signed_by "$uri" | head -n 1)
        say "adding $codename-backports from the archive this machine already uses" >&2
        {
            echo "Types: deb"
            echo "URIs: $uri"
            echo "Suites: $codename-backports"
            echo "Components: main"
            if [[ -n $key ]]; then echo "Signed-By: $key"; fi
        } | as_root tee /etc/apt/sources.list.d/alknet-backports.sources >/dev/null
        apt_update >&2
    fi
    echo "-t $codename-backports"
}

# mask_service UNIT PACKAGE: the peers are wanted as programs; a package that is not there yet must not
# start one of them as a service.
mask_service() {
    if command -v systemctl >/dev/null && ! dpkg-query -W "$2" >/dev/null 2>&1; then
        as_root systemctl mask --quiet "$1" || true
    fi
}

# Installs packages of which openssh-server may be one: wanted as a program that the tests run, not as
# a service that lets people in, neither now nor after the next start.
apt_install_plain() {
    local units=(ssh.service ssh.socket)
    if [[ " $* " != *" openssh-server "* ]] || ! command -v systemctl >/dev/null; then
        apt_install "$@"
        return
    fi
    as_root systemctl mask --quiet "${units[@]}" || true
    apt_install "$@"
    as_root systemctl unmask --quiet "${units[@]}" || true
    as_root systemctl disable --quiet "${units[@]}" || true
}

bootstrap() {
    local group=$1 plain young options
    mapfile -t plain < <(missing_packages "" $(packages_of "$group"))
    mapfile -t young < <(missing_packages "$kNgtcp2Version" $(backports_of "$group"))
    if [[ $group == test ]] && ! { command -v node && command -v npm; } >/dev/null; then
        plain+=(nodejs npm)
    fi
    # Not nginx where a flavour of it is.
    if [[ $group == @(bench|peers|test) && ! -x /usr/sbin/nginx ]]; then plain+=(nginx); fi
    ((${#plain[@]} + ${#young[@]})) || return 0

    command -v apt-get >/dev/null || die "this is not a Debian system; install these by hand, then run again:" \
        "${plain[*]} ${young[*]} (ngtcp2 $kNgtcp2Version or newer)"
    say "installing: ${plain[*]} ${young[*]}"
    apt_update
    # Two calls: one call with -t would take every dependency from backports.
    if [[ " ${plain[*]} " == *" nginx "* ]]; then mask_service nginx.service nginx; fi
    if ((${#plain[@]})); then apt_install_plain "${plain[@]}"; fi
    if ((${#young[@]})); then
        mask_service ngtcp2d.service ngtcp2-server
        options=$(provide_backports "${young[0]}")
        # shellcheck disable=SC2086 # options is a list of words, and may be empty
        apt_install $options "${young[@]}"
    fi
}

# The peers that come from npm: installed from the committed lock, when it is newer than the copy.
bootstrap_npm() {
    local lock dir
    for lock in interop/package-lock.json interop/*/package-lock.json; do
        dir=${lock%/*}
        if [[ -f $lock && ! $dir/node_modules/.package-lock.json -nt $lock ]]; then
            say "installing the npm packages of $dir"
            # Not `npm ci`: it refuses a lock without optional packages that were never published for
            # some platform. This takes the lock's versions and sums all the same, and leaves it as it is.
            (cd "$dir" && npm install --no-save --no-audit --no-fund --ignore-scripts </dev/null)
            touch "$dir/node_modules/.package-lock.json"
        fi
    done
}
