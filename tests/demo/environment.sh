# Sourced by the scripts beside it, with `repository` set, and `work` to a directory of theirs:
# where the things are that were built, and $work to build more in.
: "${PLANETKEY_SIMULATOR_BINARY:=$repository/target/release/planetkey-simulator}"
release=$(dirname "$PLANETKEY_SIMULATOR_BINARY")
python=$repository/build/python/bin/python
addon=$repository/bindings/node/planetkey.node
libraries=$work/lib

for needed in "$PLANETKEY_SIMULATOR_BINARY" "$release/planetkey" "$release/libplanetkey_ffi.so" "$python" "$addon"; do
    if [ ! -e "$needed" ]; then
        echo "$0: ${needed#"$repository"/} is missing; run \`make demo\`, which builds everything first" >&2
        exit 1
    fi
done
if ! "$python" -c 'import planetkey, requests'; then
    echo "$0: the Python package is not installed; run \`make demo\`, which does that first" >&2
    exit 1
fi

mkdir -p "$libraries" "$work/node_modules"
# As installed: the name to link with and the name to load.
ln -sf "$release/libplanetkey_ffi.so" "$libraries/libplanetkey.so"
ln -sf "$release/libplanetkey_ffi.so" "$libraries/libplanetkey.so.0"
ln -sfn "$repository/bindings/node" "$work/node_modules/planetkey"
PATH=$release:$PATH
export PATH

# A C or C++ program out of one source: compile COMPILER STANDARD SOURCE PROGRAM
compile() {
    # shellcheck disable=SC2046 # several flags on purpose
    "$1" -std="$2" -O1 -Wall -Wextra -Wpedantic -Werror -I"$repository/include" $(pkg-config --cflags libcurl) \
        "$3" -o "$4" -L"$libraries" -Wl,-rpath,"$libraries" -lplanetkey $(pkg-config --libs libcurl)
}
