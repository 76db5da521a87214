# The checks behind `./dev lint`, `fuzz` and `coverage`. Sourced by ./dev.

# The commit that "what changed" is counted from: $1, else where this branch left main, else (on main
# itself) ten commits ago, else the first commit.
change_base() {
    local ref base
    if [[ -n ${1:-} ]]; then
        git merge-base "$1" HEAD 2>/dev/null || die "'$1' is no commit that this branch comes from"
        return
    fi
    for ref in main origin/main; do
        base=$(git merge-base "$ref" HEAD 2>/dev/null || true)
        if [[ -n $base && $base != "$(git rev-parse HEAD)" ]]; then
            echo "$base"
            return
        fi
    done
    git rev-list HEAD | sed -n '11p;$p' | head -n 1
}

# Files that changed since the base and still exist, uncommitted and new ones included.
changed_files() {
    {
        git diff --name-only --diff-filter=d "$(change_base "${1:-}")"
        git ls-files --others --exclude-standard
    } | sort -u
}

cpp_files() { git ls-files --cached --others --exclude-standard '*.cpp' '*.hpp'; }

lint_format() {
    local files
    mapfile -t files < <(cpp_files)
    if ((${#files[@]})); then clang-format-19 --dry-run -Werror "${files[@]}"; fi
}

# The compiled sources to look at: those that changed, and the namesake of each header that did.
tidy_sources() {
    local file stem
    while read -r file; do
        case $file in
        *.cpp) echo "$file" ;;
        *.hpp)
            stem=$(basename "$file" .hpp)
            git ls-files "*/$stem.cpp" | grep -F "$(cut -d/ -f1,2 <<<"$file")/" || true
            ;;
        esac
    done < <(changed_files "${1:-}") | sort -u | while read -r file; do
        if grep -qF "\"file\": \"$root/$file\"" build/dev/compile_commands.json; then echo "$file"; fi
    done
}

tidy_file() {
    local file=$1 checks=
    # What GoogleTest's macros expand to takes the path-sensitive analyzer a minute a file, and a test
    # may well look at what was moved from.
    if [[ $file == */tests/* ]]; then checks='-clang-analyzer-*,-bugprone-use-after-move'; fi
    # The count of warnings in system headers is no warning.
    clang-tidy-19 --quiet -p build/dev ${checks:+--checks="$checks"} "$file" \
        2> >(grep -vE '^[0-9]+ warnings? generated\.$' >&2)
}

lint_tidy() {
    local files
    mapfile -t files < <(tidy_sources "${1:-}")
    ((${#files[@]})) || return 0
    say "clang-tidy on ${#files[@]} files"
    export -f tidy_file
    printf '%s\0' "${files[@]}" | xargs -0 -P "$jobs" -n 1 bash -c 'tidy_file "$1"' _
}

cmd_lint() {
    local since=''
    case ${1:-} in
    --since)
        since=${2:-}
        [[ -n $since ]] || die "lint: --since needs a commit"
        change_base "$since" >/dev/null
        ;;
    '') ;;
    *) die "lint: unknown option '$1'" ;;
    esac
    bootstrap build
    bootstrap test
    bootstrap lint
    local failed=()
    say "format"
    lint_format || failed+=(format)
    say "tree rules"
    python3 tools/lint/tree_lint.py || failed+=("tree rules")
    say "public headers alone"
    build dev check_headers alknet_test_pch || failed+=("public headers")
    say "codecs without exceptions and RTTI"
    build dev check_codecs || failed+=(codecs)
    lint_tidy "$since" || failed+=(clang-tidy)
    if ((${#failed[@]})); then
        die "lint failed: $(printf '%s; ' "${failed[@]}")"
    fi
    say "lint is clean"
}

# Lines "target|corpus|covered sources|libraries" that alknet_fuzzer() left in a build directory.
fuzzers() {
    [[ -s build/$1/fuzzers.txt ]] || die "there is no fuzz target in the $1 build"
    cat "build/$1/fuzzers.txt"
}

# Fuzz targets (names without fuzz_) whose libraries, corpus or source changed.
changed_fuzzers() {
    local changed target corpus libraries library
    changed=$(changed_files "${1:-}")
    while IFS='|' read -r target corpus _ libraries; do
        for library in $libraries; do
            if grep -q "^libs/${library#alknet::}/" <<<"$changed"; then
                echo "${target#fuzz_}"
                continue 2
            fi
        done
        if grep -qF "${corpus#"$root"/}" <<<"$changed"; then echo "${target#fuzz_}"; fi
    done < <(fuzzers fuzz)
}

# run_fuzzer NAME SECONDS: finds go to build/fuzz/finds; the committed corpus is only read.
run_fuzzer() {
    local name=$1 seconds=$2 corpus log
    corpus=$(awk -F'|' -v target="fuzz_$name" '$1 == target { print $2 }' build/fuzz/fuzzers.txt)
    mkdir -p "build/fuzz/corpus/$name" build/fuzz/finds
    log=build/fuzz/finds/$name.log
    if ! "build/fuzz/bin/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="build/fuzz/finds/$name-" -print_final_stats=1 \
        "build/fuzz/corpus/$name" "$corpus" >"$log" 2>&1 </dev/null; then
        tail -n 60 "$log" >&2
        die "fuzz_$name found a failing input; it lies in build/fuzz/finds"
    fi
    printf '%-28s %12s runs in %s s\n' "$name" \
        "$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")" "$seconds"
}

cmd_fuzz() {
    local names=() seconds=60 known
    if [[ ${1:-} =~ ^[0-9]+$ ]]; then set -- '' "$1"; fi
    seconds=${2:-$seconds}
    bootstrap build
    bootstrap test
    cmake --preset fuzz </dev/null # again: the list of targets comes from it
    known=$(fuzzers fuzz | cut -d'|' -f1 | sed 's/^fuzz_//')
    case ${1:-} in
    --changed) mapfile -t names < <(changed_fuzzers) ;;
    '') mapfile -t names <<<"$known" ;;
    *)
        grep -qxF -- "$1" <<<"$known" || die "there is no fuzz target '$1'; there are:" $known
        names=("$1")
        ;;
    esac
    if ! ((${#names[@]})); then
        say "no fuzz target's room changed"
        return 0
    fi
    build fuzz "${names[@]/#/fuzz_}"
    export -f run_fuzzer die
    printf '%s\0' "${names[@]}" | xargs -0 -P "$jobs" -I{} bash -c 'run_fuzzer "$@"' _ {} "$seconds"
}

cmd_coverage() {
    bootstrap build
    bootstrap test
    if [[ ${1:-} != --corpus ]]; then
        build coverage
        rm -rf build/coverage/profiles
        LLVM_PROFILE_FILE="$root/build/coverage/profiles/%m.profraw" \
            ctest --preset coverage -j "$jobs" </dev/null
        python3 tools/coverage/coverage.py rooms
    fi
    cmake --preset coverage </dev/null # as above
    mapfile -t names < <(fuzzers coverage | cut -d'|' -f1)
    build coverage "${names[@]}"
    python3 tools/coverage/coverage.py corpora
}
