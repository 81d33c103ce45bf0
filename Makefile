# What one needs to know: `make test` on a fresh machine installs what is missing and runs
# everything; `make check` is what keeps the code clean; `make demo` shows it at work.

CARGO ?= cargo
UNSTABLE_FLAGS = --cfg tracing_unstable

# Where cargo puts what it builds.
BUILT = $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo test test-api check bench bench-query install-test-tools

demo:
	$(CARGO) run --release -p audit-server -- demo

test: install-test-tools
	$(CARGO) build --locked --workspace --bins --examples
	$(CARGO) test --locked --workspace
	@if command -v chromedriver >/dev/null 2>&1; then \
	    $(CARGO) test --locked -p tests --test end_to_end -- --ignored in_a_browser; \
	else \
	    echo "NOT RUN: the documentation page in a browser; install chromium and chromedriver"; \
	fi
	@# `valuable` reaches the layer natively only under this flag, which rebuilds what uses tracing:
	@# the smallest feature set, in a directory of its own.
	RUSTFLAGS="$(UNSTABLE_FLAGS)" $(CARGO) test --locked -p audit-layer --no-default-features \
	    --test valuable --target-dir target/unstable
	sh tests/support/schemathesis/run.sh $(BUILT)/debug

# The server against its OpenAPI document, alone.
test-api: install-test-tools
	$(CARGO) build --locked -p audit-server
	sh tests/support/schemathesis/run.sh $(BUILT)/debug

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked -p audit-layer --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
	    $(CARGO) deny check; \
	else \
	    echo "cargo-deny is not installed: advisories, licences and sources are not checked"; \
	fi

# Figures of one machine at one time: the ratios are what to read. The peers make this a package of
# its own, which the tests do without.
bench:
	$(CARGO) run --release --locked --manifest-path audit-layer/benches/Cargo.toml \
	    --target-dir target/bench
	$(CARGO) run --release --locked -p audit-server --example verify_bench

# Questions to a trail of RECORDS made-up records, beside the same ones in SQL by hand. The trail of ten
# million takes about ten gigabytes and is made once; each run adds what its writer recorded.
RECORDS ?= 10000000
QUERY_SEED ?= 1
QUERY_ARGS ?=
QUERY_TRAIL = target/query-bench/trail-$(patsubst %000000,%m,$(RECORDS)).db

bench-query:
	$(CARGO) build --release --locked -p audit-server -p query-bench
	@test -e $(QUERY_TRAIL) || target/release/query-bench generate \
	    --records $(RECORDS) --seed $(QUERY_SEED) --db $(QUERY_TRAIL)
	target/release/query-bench run --seed $(QUERY_SEED) --db $(QUERY_TRAIL) $(QUERY_ARGS)

# The tests talk to a real redis-server and check chains with Python, independently of our code.
install-test-tools:
	@sh tests/support/install-tools.sh
